use std::fmt;

use serde::Serialize;

/// Where in the file a fault is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Bytes of (decompressed) XML before it.
    pub byte: u64,
    /// The element around it.
    pub element: Option<String>,
    /// Number of the spectrum, from 0.
    pub spectrum_index: Option<u64>,
    /// The `id` of the spectrum.
    pub spectrum_id: Option<String>,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(index) = self.spectrum_index {
            write!(formatter, "spectrum {index}")?;
            if let Some(id) = &self.spectrum_id {
                write!(formatter, " ({id:?})")?;
            }
            formatter.write_str(", ")?;
        }
        if let Some(element) = &self.element {
            write!(formatter, "<{element}>, ")?;
        }
        write!(formatter, "byte {} of the XML", self.byte)
    }
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No XML, or another kind of XML.
    #[error("this is not mzML: {0}")]
    NotMzml(String),
    /// Not well-formed.
    #[error("the XML is broken: {0}")]
    Xml(String),
    /// It stops before the root element ends.
    #[error("the file ends here, in the middle of <{0}>: it is truncated")]
    Truncated(String),
    /// The gzip stream is cut off or damaged.
    #[error("the gzip stream is damaged or truncated: {0}")]
    Gzip(String),
    /// A part is larger than what any instrument writes.
    #[error("{0}")]
    TooLarge(String),
    /// The content of an element is wrong.
    #[error("{0}")]
    Content(String),
}

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum MzmlError {
    /// The file is wrong.
    #[error("{place}: {fault}")]
    Invalid {
        /// Where.
        place: Place,
        /// What.
        fault: Fault,
    },
    /// The file could not be fetched; it may be right.
    #[error("the file could not be read to its end: {0}")]
    Source(String),
}
