//! Follows each m/z through the spectra of a run.

/// Spectra in a row in which an m/z may be missing without its trace ending.
const GAP_MAX: u32 = 2;
/// Open traces: far above a real run, low enough for the memory.
const OPEN_MAX: usize = 200_000;

/// One m/z in one spectrum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) scan: u32,
    pub(super) intensity: f64,
    pub(super) mz: f64,
}

/// One m/z through consecutive spectra, with few gaps.
#[derive(Clone, Debug)]
pub(super) struct Trace {
    mz: f64,
    weight: f64,
    last: u32,
    pub(super) points: Vec<Point>,
}

impl Trace {
    fn new(point: Point) -> Self {
        Self { mz: point.mz, weight: point.intensity, last: point.scan, points: vec![point] }
    }

    fn add(&mut self, point: Point) {
        self.weight += point.intensity;
        self.mz += (point.mz - self.mz) * point.intensity / self.weight;
        self.last = point.scan;
        self.points.push(point);
    }
}

/// Too many m/z are open at once.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooMany(pub(super) usize);

/// Joins peaks of consecutive spectra to traces. A peak and a trace belong together when each is the other's nearest
/// and they are within the tolerance.
#[derive(Debug)]
pub(super) struct Tracer {
    tolerance: f64,
    /// By m/z.
    open: Vec<Trace>,
}

impl Tracer {
    pub(super) fn new(ppm: f64) -> Self {
        Self { tolerance: ppm * 1e-6, open: Vec::new() }
    }

    /// Adds the peaks of a spectrum, sorted by m/z and above 0, and hands out the traces that ended.
    pub(super) fn add(&mut self, scan: u32, peaks: &[(f64, f64)], mut ended: impl FnMut(&Trace)) -> Result<(), TooMany> {
        let owners = self.nearest(peaks);
        let mut fresh = Vec::new();
        for (index, &(mz, intensity)) in peaks.iter().enumerate() {
            let point = Point { scan, intensity, mz };
            let owner = owners.peak_to_trace.get(index).copied().flatten();
            match owner.filter(|trace| owners.trace_to_peak.get(*trace) == Some(&Some(index))) {
                Some(trace) => {
                    if let Some(trace) = self.open.get_mut(trace) {
                        trace.add(point);
                    }
                }
                None => fresh.push(Trace::new(point)),
            }
        }
        self.open.retain(|trace| {
            let stays = scan - trace.last <= GAP_MAX;
            if !stays {
                ended(trace);
            }
            stays
        });
        self.open.append(&mut fresh);
        self.open.sort_by(|a, b| a.mz.total_cmp(&b.mz));
        if self.open.len() > OPEN_MAX { Err(TooMany(OPEN_MAX)) } else { Ok(()) }
    }

    /// Hands out the traces that are still open.
    pub(super) fn finish(self, ended: impl FnMut(&Trace)) {
        self.open.iter().for_each(ended);
    }

    /// Both lists are sorted by m/z, so one walk along them finds the nearest of each.
    fn nearest(&self, peaks: &[(f64, f64)]) -> Nearest {
        let mut nearest = Nearest { peak_to_trace: Vec::with_capacity(peaks.len()), trace_to_peak: vec![None; self.open.len()] };
        let mut from = 0;
        for (index, &(mz, _)) in peaks.iter().enumerate() {
            while from + 1 < self.open.len() && self.distance(from + 1, mz) <= self.distance(from, mz) {
                from += 1;
            }
            let distance = self.distance(from, mz);
            let within = distance <= mz * self.tolerance;
            nearest.peak_to_trace.push(within.then_some(from));
            if let (true, Some(slot)) = (within, nearest.trace_to_peak.get_mut(from)) {
                let rival = slot.and_then(|rival: usize| peaks.get(rival));
                if rival.is_none_or(|rival| self.distance(from, rival.0) > distance) {
                    *slot = Some(index);
                }
            }
        }
        nearest
    }

    /// Distance of a trace from an m/z; beyond the last trace there is none.
    fn distance(&self, trace: usize, mz: f64) -> f64 {
        self.open.get(trace).map_or(f64::INFINITY, |trace| (trace.mz - mz).abs())
    }
}

struct Nearest {
    peak_to_trace: Vec<Option<usize>>,
    trace_to_peak: Vec<Option<usize>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(spectra: &[&[(f64, f64)]]) -> Vec<Vec<u32>> {
        let mut tracer = Tracer::new(10.0);
        let mut traces = Vec::new();
        let mut keep = |trace: &Trace| traces.push(trace.points.iter().map(|point| point.scan).collect());
        for (scan, peaks) in (0u32..).zip(spectra) {
            tracer.add(scan, peaks, &mut keep).expect("few");
        }
        tracer.finish(&mut keep);
        traces
    }

    #[test]
    fn peaks_within_the_tolerance_are_joined_over_a_gap() {
        let traces = trace(&[&[(500.0, 1.0)], &[(500.003, 1.0)], &[], &[(500.001, 1.0)]]);
        assert_eq!(traces, [[0, 1, 3]]);
    }

    #[test]
    fn a_longer_gap_ends_a_trace() {
        assert_eq!(trace(&[&[(500.0, 1.0)], &[], &[], &[], &[(500.0, 1.0)]]).len(), 2);
    }

    #[test]
    fn neighbours_keep_apart_and_the_nearest_wins() {
        let traces = trace(&[&[(500.0, 1.0), (500.1, 1.0)], &[(500.001, 1.0), (500.004, 1.0), (500.1, 1.0)]]);
        assert_eq!(traces, [vec![0, 1], vec![1], vec![0, 1]]);
    }

    #[test]
    fn too_many_open_traces_are_refused() {
        let peaks: Vec<(f64, f64)> = (0..=OPEN_MAX).map(|i| (100.0 + i as f64, 1.0)).collect();
        assert_eq!(Tracer::new(1.0).add(0, &peaks, |_| {}), Err(TooMany(OPEN_MAX)));
    }
}
