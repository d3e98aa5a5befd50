//! Chromatographic peaks of one trace.

use super::chromatogram::area;
use super::noise::{NoiseProfile, median};
use super::tracer::{Point, Trace};
use crate::report::Feature;

/// With fewer points a shape cannot be told from chance.
const POINTS_MIN: usize = 5;
/// Two maxima are one peak if the valley between them is higher than this part of the lower one.
const VALLEY_MAX: f64 = 0.7;
/// A peak ends where the smoothed signal falls below this part of its apex.
const FOOT: f64 = 0.01;
/// So many points beside the peaks tell the baseline of a trace.
const BESIDE_MIN: usize = 8;
/// The median absolute deviation of normal noise, times this, is its standard deviation.
const MAD_TO_SIGMA: f32 = 1.4826;

/// Times and noise of the spectra so far.
#[derive(Debug, Default)]
pub(super) struct Scans {
    pub(super) rt_s: Vec<f64>,
    pub(super) noise: Vec<NoiseProfile>,
}

/// First, highest and last index of a peak in a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    first: usize,
    apex: usize,
    last: usize,
}

/// Finds the peaks of a trace. Ids are not given yet.
pub(super) fn find(trace: &Trace, scans: &Scans, mut found: impl FnMut(Feature)) {
    if trace.points.len() < POINTS_MIN {
        return;
    }
    let Some(offset) = trace.points.first().map(|point| point.scan as usize) else { return };
    let signal = fill(&trace.points, offset);
    let spans = spans(&smooth(&signal));
    let beside = beside(&signal, &spans);
    for span in &spans {
        if let Some(feature) = describe(*span, trace, offset, scans, beside) {
            found(feature);
        }
    }
}

/// Intensities by spectrum, with what is missing on a straight line between its neighbours.
fn fill(points: &[Point], offset: usize) -> Vec<f64> {
    let mut signal = Vec::with_capacity(points.len());
    let mut before: Option<(usize, f64)> = None;
    for point in points {
        let at = point.scan as usize - offset;
        if let Some((last, value)) = before {
            let steps = (at - last) as f64;
            signal.extend((1..at - last).map(|step| value + (point.intensity - value) * step as f64 / steps));
        }
        signal.push(point.intensity);
        before = Some((at, point.intensity));
    }
    signal
}

/// Binomial smoothing over five spectra; outside there is no signal.
fn smooth(signal: &[f64]) -> Vec<f64> {
    const WEIGHTS: [f64; 5] = [1.0, 4.0, 6.0, 4.0, 1.0];
    (0..signal.len())
        .map(|at| {
            let terms = WEIGHTS.iter().enumerate().filter_map(|(index, weight)| {
                (at + index).checked_sub(2).and_then(|near| signal.get(near)).map(|value| value * weight)
            });
            terms.sum::<f64>() / 16.0
        })
        .collect()
}

/// Local maxima with the valleys between them.
fn spans(signal: &[f64]) -> Vec<Span> {
    let value = |at: usize| signal.get(at).copied().unwrap_or(0.0);
    let mut spans = Vec::new();
    let mut current: Option<Span> = None;
    let mut valley = 0;
    for at in 0..signal.len() {
        if value(at) < value(valley) {
            valley = at;
        }
        let rises = at == 0 || value(at - 1) < value(at);
        if !rises || value(at + 1) > value(at) {
            continue;
        }
        match &mut current {
            Some(span) if value(valley) > VALLEY_MAX * value(span.apex).min(value(at)) => {
                if value(at) > value(span.apex) {
                    span.apex = at;
                    valley = at;
                }
            }
            _ => {
                let first = if let Some(mut span) = current.take() {
                    span.last = valley;
                    spans.push(span);
                    valley
                } else {
                    0
                };
                current = Some(Span { first, apex: at, last: signal.len() - 1 });
                valley = at;
            }
        }
    }
    spans.extend(current);
    spans.iter_mut().for_each(|span| shrink(span, signal));
    spans
}

/// Moves both ends to where the peak stands on its foot.
fn shrink(span: &mut Span, signal: &[f64]) {
    let value = |at: usize| signal.get(at).copied().unwrap_or(0.0);
    let foot = value(span.apex) * FOOT;
    let (first, last) = (span.first, span.last);
    span.first = (first..=span.apex).rev().take_while(|&at| value(at) >= foot).last().unwrap_or(span.apex);
    span.last = (span.apex..=last).take_while(|&at| value(at) >= foot).last().unwrap_or(span.apex);
}

/// Baseline and noise of the points that belong to no peak, where there are enough.
fn beside(signal: &[f64], spans: &[Span]) -> Option<(f64, f64)> {
    #[expect(clippy::cast_possible_truncation, reason = "an estimate needs no more digits")]
    let mut values: Vec<f32> = signal
        .iter()
        .enumerate()
        .filter(|(at, _)| !spans.iter().any(|span| (span.first..=span.last).contains(at)))
        .map(|(_, value)| *value as f32)
        .collect();
    if values.len() < BESIDE_MIN {
        return None;
    }
    let baseline = median(&mut values)?;
    values.iter_mut().for_each(|value| *value = (*value - baseline).abs());
    let sigma = median(&mut values)? * MAD_TO_SIGMA;
    Some((f64::from(baseline), f64::from(sigma)))
}

fn describe(span: Span, trace: &Trace, offset: usize, scans: &Scans, beside: Option<(f64, f64)>) -> Option<Feature> {
    let points = trace.points.as_slice();
    let begin = points.partition_point(|point| (point.scan as usize) < span.first + offset);
    let end = points.partition_point(|point| (point.scan as usize) <= span.last + offset);
    let points = points.get(begin..end)?;
    if points.len() < POINTS_MIN {
        return None;
    }
    let apex = points.iter().max_by(|a, b| a.intensity.total_cmp(&b.intensity))?;
    let times: Vec<f64> = points.iter().filter_map(|point| scans.rt_s.get(point.scan as usize).copied()).collect();
    let intensities: Vec<f64> = points.iter().map(|point| point.intensity).collect();
    let weight: f64 = intensities.iter().sum();
    let mz = trace.start + points.iter().map(|point| f64::from(point.offset) * (point.intensity / weight)).sum::<f64>();
    let foot = intensities.first()?.min(*intensities.last()?);
    let spectrum_noise = scans.noise.get(apex.scan as usize).map_or(0.0, |noise| noise.at(mz));
    let (baseline, sigma) = beside.unwrap_or((foot, 0.0));
    let noise = spectrum_noise.max(sigma).max(f64::MIN_POSITIVE);
    Some(Feature {
        id: 0,
        mz,
        rt_s: *scans.rt_s.get(apex.scan as usize)?,
        rt_start_s: *times.first()?,
        rt_end_s: *times.last()?,
        height: apex.intensity,
        area: area(&times, &intensities),
        snr: ((apex.intensity - baseline) / noise).max(0.0),
        scans: points.len() as u64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::tracer::Tracer;

    fn gauss(at: f64, center: f64, height: f64) -> f64 {
        height * (-(at - center).powi(2) / (2.0 * 9.0)).exp()
    }

    fn features(signal: &[f64]) -> Vec<Feature> {
        let mut tracer = Tracer::new(10.0);
        let mut scans = Scans::default();
        for (scan, intensity) in (0u32..).zip(signal) {
            scans.rt_s.push(f64::from(scan) * 2.0);
            scans.noise.push(NoiseProfile::new(&[(500.0, 10.0)]));
            let peaks = if *intensity > 0.0 { vec![(500.0, *intensity)] } else { vec![] };
            tracer.add(scan, &peaks, |_| {}).expect("one trace");
        }
        let mut features = Vec::new();
        tracer.finish(|trace| find(trace, &scans, |feature| features.push(feature)));
        features
    }

    #[test]
    fn one_peak_has_its_height_time_and_area() {
        let signal: Vec<f64> = (0..40).map(|at| gauss(f64::from(at), 20.0, 1000.0)).collect();
        let found = features(&signal);
        let [feature] = found.as_slice() else { panic!("{found:?}") };
        assert!((feature.height - 1000.0).abs() < 1e-9 && (feature.rt_s - 40.0).abs() < 1e-9);
        let whole = 1000.0 * 3.0 * (2.0 * std::f64::consts::PI).sqrt() * 2.0;
        assert!((feature.area / whole - 1.0).abs() < 0.01, "{} of {whole}", feature.area);
        assert!((feature.snr - 100.0).abs() < 2.0, "{}", feature.snr);
    }

    #[test]
    fn two_peaks_with_a_valley_are_two_and_a_ripple_is_one() {
        let two: Vec<f64> = (0..60).map(|at| gauss(f64::from(at), 20.0, 1000.0) + gauss(f64::from(at), 36.0, 500.0)).collect();
        assert_eq!(features(&two).len(), 2);
        let ripple: Vec<f64> =
            (0..60).map(|at| gauss(f64::from(at), 30.0, 1000.0) * if at % 2 == 0 { 0.9 } else { 1.0 }).collect();
        assert_eq!(features(&ripple).len(), 1);
    }

    #[test]
    fn few_points_are_no_peak() {
        assert!(features(&[0.0, 5.0, 9.0, 5.0, 0.0, 0.0, 0.0, 0.0]).is_empty());
    }

    #[test]
    fn gaps_are_bridged() {
        let points = [(0, 4.0), (3, 10.0)].map(|(scan, intensity)| Point { scan, intensity, offset: 0.0 });
        assert_eq!(fill(&points, 0), [4.0, 6.0, 8.0, 10.0]);
    }
}
