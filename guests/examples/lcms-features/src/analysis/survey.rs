//! The two walks through a run: one finds everything but the ion chromatogram of the base peak, whose m/z is only known
//! at its end; the other measures that.

use std::fmt;
use std::io::Read;

use super::AnalysisError;
use super::candidates::Candidates;
use super::chromatogram::{ion_chromatogram, start_of};
use super::noise::NoiseProfile;
use super::peaks::{self, Scans};
use super::tracer::{Trace, Tracer};
use crate::mzml::{Levels, Reader, Spectrum};
use crate::report::{BasePeak, Chromatograms, Parameters, Report, Summary};

/// Without a least height, features reach this part of the highest peak.
const RELATIVE_HEIGHT_MIN: f64 = 0.001;
/// A day of spectra at one a second.
const MS1_SPECTRA_MAX: u64 = 86_400;

/// What the first walk found.
pub struct Survey {
    parameters: Parameters,
    summary: Summary,
    chromatograms: Chromatograms,
    scans: Scans,
    tracer: Tracer,
    candidates: Candidates,
    times: Option<(f64, f64)>,
}

impl Survey {
    /// Walks through a run for the first time.
    ///
    /// # Errors
    ///
    /// What is wrong with the file, and where.
    pub fn new(file: impl Read, parameters: Parameters) -> Result<Self, AnalysisError> {
        let mut survey = Self {
            tracer: Tracer::new(parameters.ppm),
            parameters,
            summary: Summary::default(),
            chromatograms: Chromatograms::default(),
            scans: Scans::default(),
            candidates: Candidates::default(),
            times: None,
        };
        let mut reader = Reader::new(file, Levels::All)?;
        while let Some(spectrum) = reader.next_spectrum()? {
            survey.add(spectrum)?;
        }
        if survey.summary.base_peak.height > 0.0 { Ok(survey) } else { Err(AnalysisError::NoMs1(survey.summary.spectra)) }
    }

    /// Walks through the same run for the second time.
    ///
    /// # Errors
    ///
    /// What is wrong with the file, and where.
    pub fn complete(mut self, file: impl Read) -> Result<Report, AnalysisError> {
        let base_peak = &mut self.summary.base_peak;
        base_peak.area = ion_chromatogram(file, base_peak.mz, self.parameters.ppm)?.area;
        let min_height = self.min_height();
        let Self { mut parameters, mut summary, chromatograms, scans, tracer, mut candidates, times } = self;
        tracer.finish(|trace| collect(trace, &scans, &parameters, min_height, &mut candidates));
        let (features, is_cut) = candidates.finish(min_height);
        parameters.min_height = Some(min_height);
        summary.features = features.len() as u64;
        summary.features_cut = is_cut;
        (summary.rt_start_s, summary.rt_end_s) = times.unwrap_or_default();
        Ok(Report { summary, parameters, features, chromatograms })
    }

    /// The least height by what is known so far; it only rises.
    fn min_height(&self) -> f64 {
        self.parameters.min_height.unwrap_or(self.summary.base_peak.height * RELATIVE_HEIGHT_MIN)
    }

    fn add(&mut self, spectrum: Spectrum) -> Result<(), AnalysisError> {
        self.summary.spectra += 1;
        *self.summary.spectra_by_level.entry(spectrum.level.unwrap_or(0)).or_default() += 1;
        if let Some(start) = spectrum.start_s {
            let (first, last) = self.times.unwrap_or((start, start));
            self.times = Some((first.min(start), last.max(start)));
        }
        if spectrum.level == Some(1) { self.add_ms1(spectrum) } else { Ok(()) }
    }

    fn add_ms1(&mut self, spectrum: Spectrum) -> Result<(), AnalysisError> {
        if spectrum.is_profile {
            let why = "the spectrum is a profile; convert the file with peak picking, so that it has centroids";
            return Err(AnalysisError::spectrum(&spectrum, why));
        }
        let scan = u32::try_from(self.summary.spectra_ms1).unwrap_or(u32::MAX);
        self.summary.spectra_ms1 += 1;
        if self.summary.spectra_ms1 > MS1_SPECTRA_MAX {
            let why = format!("the run has more than {MS1_SPECTRA_MAX} spectra of MS level 1; split it by time");
            return Err(AnalysisError::spectrum(&spectrum, why));
        }
        let rt_s = start_of(&spectrum, self.scans.rt_s.last().copied())?;
        self.measure(&spectrum, rt_s);
        let place = spectrum.place();
        let peaks = sorted_peaks(spectrum);
        self.scans.rt_s.push(rt_s);
        self.scans.noise.push(NoiseProfile::new(&peaks));
        let min_height = self.min_height();
        let Self { tracer, scans, parameters, candidates, .. } = self;
        tracer
            .add(scan, &peaks, |trace| collect(trace, scans, parameters, min_height, candidates))
            .map_err(|full| AnalysisError::Spectrum { place, why: full.to_string() })
    }

    /// Adds a spectrum to the chromatograms and figures.
    fn measure(&mut self, spectrum: &Spectrum, rt_s: f64) {
        let total: f64 = spectrum.intensity.iter().sum();
        let peaks = spectrum.mz.iter().zip(&spectrum.intensity);
        let (mz, height) = peaks.fold((0.0, 0.0), |best, (&mz, &height)| if height > best.1 { (mz, height) } else { best });
        self.chromatograms.rt_s.push(rt_s);
        self.chromatograms.total_ion.push(total);
        self.chromatograms.base_peak.push(height);
        self.summary.total_ion_current += total;
        if height > self.summary.base_peak.height {
            self.summary.base_peak = BasePeak { mz, height, rt_s, area: 0.0 };
        }
    }
}

impl fmt::Debug for Survey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Survey").field("summary", &self.summary).finish_non_exhaustive()
    }
}

/// Keeps the features of a trace that pass the thresholds.
fn collect(trace: &Trace, scans: &Scans, parameters: &Parameters, min_height: f64, candidates: &mut Candidates) {
    peaks::find(trace, scans, |feature| {
        if feature.height >= min_height && feature.snr >= parameters.min_snr {
            candidates.push(feature);
        }
    });
}

/// The peaks above 0, by m/z.
fn sorted_peaks(spectrum: Spectrum) -> Vec<(f64, f64)> {
    let peaks = spectrum.mz.into_iter().zip(spectrum.intensity);
    let mut peaks: Vec<(f64, f64)> = peaks.filter(|&(mz, intensity)| mz > 0.0 && intensity > 0.0).collect();
    peaks.sort_by(|a, b| a.0.total_cmp(&b.0));
    peaks
}
