//! The elements that surround what is being read.

/// An open element; those without a meaning for this reader only keep their name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Element {
    IndexedMzml,
    Mzml,
    ParamGroup,
    Spectrum,
    Scan,
    DataArray,
    Binary,
    Other(Box<str>),
}

impl Element {
    pub(super) fn new(name: &[u8]) -> Self {
        match name {
            b"indexedmzML" => Self::IndexedMzml,
            b"mzML" => Self::Mzml,
            b"referenceableParamGroup" => Self::ParamGroup,
            b"spectrum" => Self::Spectrum,
            b"scan" => Self::Scan,
            b"binaryDataArray" => Self::DataArray,
            b"binary" => Self::Binary,
            other => Self::Other(String::from_utf8_lossy(other).into()),
        }
    }

    pub(super) fn name(&self) -> &str {
        match self {
            Self::IndexedMzml => "indexedmzML",
            Self::Mzml => "mzML",
            Self::ParamGroup => "referenceableParamGroup",
            Self::Spectrum => "spectrum",
            Self::Scan => "scan",
            Self::DataArray => "binaryDataArray",
            Self::Binary => "binary",
            Self::Other(name) => name,
        }
    }
}
