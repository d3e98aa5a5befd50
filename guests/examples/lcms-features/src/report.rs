//! What an analysis finds, in the shape in which it is saved.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What to look for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parameters {
    /// Tolerance of m/z in parts per million.
    pub ppm: f64,
    /// Least height of a feature in counts; without one, a thousandth of the highest peak of the run.
    pub min_height: Option<f64>,
    /// Least ratio of signal to noise of a feature.
    pub min_snr: f64,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { ppm: 10.0, min_height: None, min_snr: 5.0 }
    }
}

/// The highest peak of all spectra of MS level 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BasePeak {
    /// m/z as measured in that spectrum.
    pub mz: f64,
    /// Intensity in counts.
    pub height: f64,
    /// When, in seconds.
    pub rt_s: f64,
    /// Area of its ion chromatogram over the whole run, within the tolerance, in counts × seconds.
    pub area: f64,
}

/// The run in figures. Times are in seconds, intensities in counts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Spectra of any kind.
    pub spectra: u64,
    /// Spectra of MS level 1.
    pub spectra_ms1: u64,
    /// Number of spectra by MS level; 0 stands for spectra that are no mass spectra.
    pub spectra_by_level: BTreeMap<u32, u64>,
    /// Time of the first spectrum.
    pub rt_start_s: f64,
    /// Time of the last spectrum.
    pub rt_end_s: f64,
    /// Sum of all intensities of MS level 1, from the peaks themselves.
    pub total_ion_current: f64,
    /// The highest peak.
    pub base_peak: BasePeak,
    /// Features in the list: all that passed height and signal-to-noise, or the highest 5,000 of them.
    pub features: u64,
    /// Whether there are more of them than the list holds.
    pub features_cut: bool,
}

/// A chromatographic peak of one m/z.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Feature {
    /// Rank by height, from 1.
    pub id: u64,
    /// Mean m/z, weighted by intensity.
    pub mz: f64,
    /// Time of the apex in seconds.
    pub rt_s: f64,
    /// Where it begins, in seconds.
    pub rt_start_s: f64,
    /// Where it ends, in seconds.
    pub rt_end_s: f64,
    /// Intensity at the apex in counts.
    pub height: f64,
    /// Counts × seconds between beginning and end, by trapezoids.
    pub area: f64,
    /// Height over the baseline, divided by the noise.
    pub snr: f64,
    /// Spectra in which it was measured.
    pub scans: u64,
}

/// Chromatograms of MS level 1; all lists have one value for each spectrum.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Chromatograms {
    /// Seconds.
    pub rt_s: Vec<f64>,
    /// Sum of the intensities of each spectrum.
    pub total_ion: Vec<f64>,
    /// Highest intensity of each spectrum.
    pub base_peak: Vec<f64>,
}

/// The result of an analysis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The run in figures.
    pub summary: Summary,
    /// What was looked for; `min_height` is the one that was in force.
    pub parameters: Parameters,
    /// Features, highest first.
    pub features: Vec<Feature>,
    /// Total-ion and base-peak chromatograms.
    pub chromatograms: Chromatograms,
}

/// The chromatogram of one m/z.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct IonChromatogram {
    /// The m/z asked for.
    pub mz: f64,
    /// The tolerance on both sides.
    pub ppm: f64,
    /// Counts × seconds over the whole run, by trapezoids.
    pub area: f64,
    /// Seconds, one value for each spectrum of MS level 1.
    pub rt_s: Vec<f64>,
    /// Sum of the intensities within the tolerance, for each of them.
    pub intensity: Vec<f64>,
}
