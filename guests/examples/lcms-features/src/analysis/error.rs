use crate::mzml::{MzmlError, Place, Spectrum};

/// Why a run cannot be analysed.
#[derive(Debug, thiserror::Error)]
pub enum AnalysisError {
    /// The file is wrong or cannot be fetched.
    #[error(transparent)]
    Mzml(#[from] MzmlError),
    /// The file is mzML, but not a run that can be analysed.
    #[error("{place}: {why}")]
    Spectrum {
        /// Which spectrum.
        place: Place,
        /// What is wrong with it, and what to do.
        why: String,
    },
    /// There is nothing to analyse.
    #[error("the file has {0} spectra and none of MS level 1 with peaks")]
    NoMs1(u64),
}

impl AnalysisError {
    pub(super) fn spectrum(spectrum: &Spectrum, why: impl Into<String>) -> Self {
        Self::Spectrum { place: spectrum.place(), why: why.into() }
    }

    /// Where in the file, if it is about a place.
    pub fn place(&self) -> Option<&Place> {
        match self {
            Self::Mzml(MzmlError::Invalid { place, .. }) | Self::Spectrum { place, .. } => Some(place),
            Self::Mzml(MzmlError::Source(_)) | Self::NoMs1(_) => None,
        }
    }
}
