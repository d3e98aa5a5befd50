//! A spectrum, and one that is still being read.

use super::arrays::{Header, Kind, decode};
use super::error::Place;
use super::param::Param;

/// A spectrum of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spectrum {
    /// Number in the file, from 0.
    pub index: u64,
    /// Its `id` in the file.
    pub id: String,
    /// Bytes of XML before it.
    pub byte: u64,
    /// MS level; none for spectra that are not mass spectra.
    pub level: Option<u32>,
    /// Seconds since the run began.
    pub start_s: Option<f64>,
    /// Whether it is a profile, not a list of centroids.
    pub is_profile: bool,
    /// m/z of the peaks, in the order of the file; empty where it was not asked for.
    pub mz: Vec<f64>,
    /// Intensities, one for each m/z.
    pub intensity: Vec<f64>,
}

impl Spectrum {
    /// What an error needs to name this spectrum.
    pub fn place(&self) -> Place {
        Place {
            byte: self.byte,
            element: Some("spectrum".to_owned()),
            spectrum_index: Some(self.index),
            spectrum_id: Some(self.id.clone()),
        }
    }
}

/// A spectrum that is being read.
#[derive(Debug, Default)]
pub(super) struct Partial {
    pub(super) spectrum: Spectrum,
    declared: Option<u64>,
    pub(super) array: Option<Header>,
    pub(super) text: Vec<u8>,
    /// Where the text of the array begins.
    pub(super) text_byte: u64,
    has_mz: bool,
    has_intensity: bool,
}

impl Partial {
    pub(super) fn new(spectrum: Spectrum, declared: Option<u64>) -> Self {
        Self { spectrum, declared, ..Self::default() }
    }

    /// Begins an array at a byte of the XML; its own length goes before that of the spectrum.
    pub(super) fn begin_array(&mut self, length: Option<u64>, byte: u64) {
        self.array = Some(Header::new(length.or(self.declared)));
        self.text.clear();
        self.text_byte = byte;
    }

    /// A term of the spectrum itself.
    pub(super) fn apply(&mut self, param: &Param) {
        match param {
            Param::MsLevel(level) => self.spectrum.level = Some(*level),
            Param::Profile => self.spectrum.is_profile = true,
            Param::Centroid => self.spectrum.is_profile = false,
            _ => {}
        }
    }

    /// A term of one of its scans; the first scan gives the time.
    pub(super) fn apply_to_scan(&mut self, param: &Param) {
        if let (Param::ScanStart(seconds), None) = (param, self.spectrum.start_s) {
            self.spectrum.start_s = Some(*seconds);
        }
    }

    /// Decodes the array whose text is complete.
    pub(super) fn end_array(&mut self) -> Result<(), String> {
        let Some(header) = self.array.take() else { return Ok(()) };
        let Some(kind) = header.kind else { return Ok(()) };
        let values = decode(&mut self.text, &header)?;
        let (name, has, target) = match kind {
            Kind::Mz => ("m/z", &mut self.has_mz, &mut self.spectrum.mz),
            Kind::Intensity => ("intensity", &mut self.has_intensity, &mut self.spectrum.intensity),
        };
        if *has {
            return Err(format!("the spectrum has two {name} arrays"));
        }
        *has = true;
        *target = values;
        Ok(())
    }

    /// Whether its arrays belong together.
    pub(super) fn check(&self) -> Result<(), String> {
        let (mz, intensity) = (self.spectrum.mz.len(), self.spectrum.intensity.len());
        if mz == intensity { Ok(()) } else { Err(format!("the spectrum has {mz} m/z values and {intensity} intensities")) }
    }
}
