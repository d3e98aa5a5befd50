//! How strong the noise is around an m/z in one spectrum.

/// Width of a window in m/z.
const WINDOW: f64 = 100.0;
/// Everything above shares the last window.
const WINDOWS_MAX: usize = 40;
/// With fewer peaks the median of a window says little.
const PEAKS_MIN: usize = 5;

/// Median intensities of the peaks of a spectrum in windows of m/z. Most centroids are noise, so that their median
/// stands for it whatever few high peaks do.
#[derive(Clone, Debug)]
pub(super) struct NoiseProfile {
    whole: f32,
    windows: Box<[f32]>,
}

impl NoiseProfile {
    /// From the peaks of a spectrum, sorted by m/z.
    pub(super) fn new(peaks: &[(f64, f64)]) -> Self {
        let mut all: Vec<f32> = peaks.iter().map(|peak| narrow(peak.1)).collect();
        let whole = median(&mut all).unwrap_or(0.0);
        let count = peaks.last().map_or(0, |peak| window(peak.0) + 1);
        let mut windows = vec![whole; count].into_boxed_slice();
        for group in peaks.chunk_by(|a, b| window(a.0) == window(b.0)) {
            let mut values: Vec<f32> = group.iter().map(|peak| narrow(peak.1)).collect();
            let slot = group.first().and_then(|peak| windows.get_mut(window(peak.0)));
            if let (Some(slot), true, Some(middle)) = (slot, values.len() >= PEAKS_MIN, median(&mut values)) {
                *slot = middle;
            }
        }
        Self { whole, windows }
    }

    /// The noise around an m/z in counts.
    pub(super) fn at(&self, mz: f64) -> f64 {
        f64::from(self.windows.get(window(mz)).copied().unwrap_or(self.whole))
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float saturates; m/z is positive")]
fn window(mz: f64) -> usize {
    ((mz / WINDOW) as usize).min(WINDOWS_MAX - 1)
}

#[expect(clippy::cast_possible_truncation, reason = "seven digits are plenty for an estimate of noise")]
fn narrow(value: f64) -> f32 {
    value as f32
}

/// The middle value; reorders the values.
pub(super) fn median(values: &mut [f32]) -> Option<f32> {
    if values.is_empty() {
        return None;
    }
    let middle = values.len() / 2;
    Some(*values.select_nth_unstable_by(middle, f32::total_cmp).1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn high_peaks_do_not_lift_the_noise() {
        let peaks: Vec<(f64, f64)> = (0..21).map(|i| (300.0 + f64::from(i), if i < 5 { 1e7 } else { 100.0 })).collect();
        assert!((NoiseProfile::new(&peaks).at(305.0) - 100.0).abs() < 1e-6);
    }

    #[test]
    fn sparse_windows_use_the_whole_spectrum() {
        let mut peaks: Vec<(f64, f64)> = (0..11).map(|i| (100.0 + f64::from(i), 50.0)).collect();
        peaks.push((900.0, 5000.0));
        let noise = NoiseProfile::new(&peaks);
        assert!((noise.at(900.0) - 50.0).abs() < 1e-6);
        assert!((noise.at(1e9) - 50.0).abs() < 1e-6);
        assert!(NoiseProfile::new(&[]).at(1.0).abs() < 1e-6);
    }
}
