//! Follows each m/z through the spectra of a run.

/// Spectra in a row in which an m/z may be missing without its trace ending.
const GAP_MAX: u32 = 2;
/// Open traces, and points in them: above a real run, low enough for the memory.
const OPEN_MAX: usize = 200_000;
const POINTS_MAX: usize = 6_000_000;

/// One m/z in one spectrum. There are many, so it is small.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) intensity: f64,
    pub(super) scan: u32,
    /// m/z above that of the first point of the trace: a small difference, so that few digits are enough.
    pub(super) offset: f32,
}

/// One m/z through consecutive spectra, with few gaps.
#[derive(Clone, Debug)]
pub(super) struct Trace {
    /// m/z of the first point.
    pub(super) start: f64,
    mz: f64,
    weight: f64,
    last: u32,
    pub(super) points: Vec<Point>,
}

impl Trace {
    fn new(scan: u32, mz: f64, intensity: f64) -> Self {
        let points = vec![Point { intensity, scan, offset: 0.0 }];
        Self { start: mz, mz, weight: intensity, last: scan, points }
    }

    fn add(&mut self, scan: u32, mz: f64, intensity: f64) {
        self.weight += intensity;
        self.mz += (mz - self.mz) * intensity / self.weight;
        self.last = scan;
        let offset = (mz - self.start) as f32;
        self.points.push(Point { intensity, scan, offset });
    }
}

/// More goes on at once than fits into the memory.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Full {
    #[error("more than {OPEN_MAX} different m/z run at once; is this a centroided LC-MS run?")]
    Traces,
    #[error("more than {POINTS_MAX} peaks belong to m/z that still go on; split the run by time, or cut off its lowest peaks")]
    Points,
}

/// Joins peaks of consecutive spectra to traces. A peak and a trace belong together when each is the other's nearest
/// and they are within the tolerance.
#[derive(Debug)]
pub(super) struct Tracer {
    tolerance: f64,
    /// By m/z.
    open: Vec<Trace>,
    /// Points of the open traces.
    points: usize,
}

impl Tracer {
    pub(super) fn new(ppm: f64) -> Self {
        Self { tolerance: ppm * 1e-6, open: Vec::new(), points: 0 }
    }

    /// Adds the peaks of a spectrum, sorted by m/z and above 0, and hands out the traces that ended.
    pub(super) fn add(&mut self, scan: u32, peaks: &[(f64, f64)], mut ended: impl FnMut(&Trace)) -> Result<(), Full> {
        let owners = self.nearest(peaks);
        let mut fresh = Vec::new();
        let room = OPEN_MAX.saturating_sub(self.open.len());
        for (index, &(mz, intensity)) in peaks.iter().enumerate() {
            let owner = owners.peak_to_trace.get(index).copied().flatten();
            let owner = owner.filter(|trace| owners.trace_to_peak.get(*trace) == Some(&Some(index)));
            match owner.and_then(|trace| self.open.get_mut(trace)) {
                Some(trace) => trace.add(scan, mz, intensity),
                None if fresh.len() >= room => return Err(Full::Traces),
                None => fresh.push(Trace::new(scan, mz, intensity)),
            }
        }
        self.points += peaks.len();
        let points = &mut self.points;
        self.open.retain(|trace| {
            let stays = scan - trace.last <= GAP_MAX;
            if !stays {
                ended(trace);
                *points -= trace.points.len();
            }
            stays
        });
        self.open.append(&mut fresh);
        self.open.sort_by(|a, b| a.mz.total_cmp(&b.mz));
        if self.points > POINTS_MAX { Err(Full::Points) } else { Ok(()) }
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
        assert_eq!(Tracer::new(1.0).add(0, &peaks, |_| {}), Err(Full::Traces));
    }
}
