//! Ion chromatograms and their areas.

use std::io::Read;

use super::AnalysisError;
use crate::mzml::{Levels, Reader, Spectrum};
use crate::report::IonChromatogram;

/// The chromatogram of one m/z over all spectra of MS level 1.
///
/// # Errors
///
/// What is wrong with the file.
pub fn ion_chromatogram(file: impl Read, mz: f64, ppm: f64) -> Result<IonChromatogram, AnalysisError> {
    let tolerance = mz * ppm * 1e-6;
    let mut reader = Reader::new(file, Levels::First)?;
    let (mut rt_s, mut intensity) = (Vec::new(), Vec::new());
    let mut spectra = 0;
    while let Some(spectrum) = reader.next_spectrum()? {
        spectra += 1;
        if spectrum.level == Some(1) {
            rt_s.push(start_of(&spectrum, rt_s.last().copied())?);
            intensity.push(sum_within(&spectrum, mz, tolerance));
        }
    }
    if rt_s.is_empty() {
        return Err(AnalysisError::NoMs1(spectra));
    }
    Ok(IonChromatogram { mz, ppm, area: area(&rt_s, &intensity), rt_s, intensity })
}

fn sum_within(spectrum: &Spectrum, mz: f64, tolerance: f64) -> f64 {
    let peaks = spectrum.mz.iter().zip(&spectrum.intensity);
    peaks.filter(|(peak, _)| (**peak - mz).abs() <= tolerance).map(|(_, intensity)| intensity).sum()
}

/// The time of a spectrum of MS level 1, which is not before that of the one before it.
pub(super) fn start_of(spectrum: &Spectrum, before: Option<f64>) -> Result<f64, AnalysisError> {
    let start = spectrum.start_s.ok_or_else(|| {
        AnalysisError::spectrum(spectrum, "the spectrum has no scan start time, so it has no place in a chromatogram")
    })?;
    match before {
        Some(before) if start < before => Err(AnalysisError::spectrum(
            spectrum,
            format!("the spectrum is from {start} s, the one before from {before} s: sort the file by time"),
        )),
        _ => Ok(start),
    }
}

/// Area under a curve by trapezoids.
pub(super) fn area(x: &[f64], y: &[f64]) -> f64 {
    let points = x.iter().zip(y);
    points.clone().zip(points.skip(1)).map(|((x0, y0), (x1, y1))| (x1 - x0) * (y0 + y1) / 2.0).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_are_trapezoids() {
        assert!((area(&[0.0, 1.0, 3.0], &[0.0, 2.0, 0.0]) - 3.0).abs() < 1e-12);
        assert!(area(&[1.0], &[5.0]).abs() < 1e-12);
    }
}
