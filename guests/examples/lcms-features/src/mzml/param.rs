//! The terms of the PSI-MS vocabulary that this reader acts on.

/// How the numbers of an array are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Number {
    Float32,
    Float64,
    Int32,
    Int64,
}

impl Number {
    /// Bytes of one number.
    pub(super) fn width(self) -> usize {
        match self {
            Self::Float32 | Self::Int32 => 4,
            Self::Float64 | Self::Int64 => 8,
        }
    }
}

/// A `cvParam` with a meaning for this reader.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Param {
    MsLevel(u32),
    Centroid,
    Profile,
    /// Seconds since the run began.
    ScanStart(f64),
    MzArray,
    IntensityArray,
    Number(Number),
    Plain,
    Zlib,
    /// A compression that is not read, by its name.
    OtherCompression(String),
}

impl Param {
    /// The meaning of a term, none when it has none here.
    ///
    /// # Errors
    ///
    /// A sentence when the value is not what the term needs.
    pub(super) fn new(accession: &str, name: &str, value: &str, unit: &str) -> Result<Option<Self>, String> {
        Ok(Some(match accession {
            "MS:1000511" => {
                Self::MsLevel(value.trim().parse().map_err(|_| format!("the ms level is {value:?}, not a whole number"))?)
            }
            "MS:1000579" => Self::MsLevel(1),
            "MS:1000127" => Self::Centroid,
            "MS:1000128" => Self::Profile,
            "MS:1000016" => Self::ScanStart(seconds(value, unit)?),
            "MS:1000514" => Self::MzArray,
            "MS:1000515" => Self::IntensityArray,
            "MS:1000519" => Self::Number(Number::Int32),
            "MS:1000521" => Self::Number(Number::Float32),
            "MS:1000522" => Self::Number(Number::Int64),
            "MS:1000523" => Self::Number(Number::Float64),
            "MS:1000574" => Self::Zlib,
            "MS:1000576" => Self::Plain,
            // MS-Numpress, delta and dictionary encodings, each also with zlib or zstd.
            "MS:1002312" | "MS:1002313" | "MS:1002314" | "MS:1002746" | "MS:1002747" | "MS:1002748" | "MS:1003088"
            | "MS:1003089" | "MS:1003090" | "MS:1003780" | "MS:1003781" | "MS:1003782" | "MS:1003783" => {
                Self::OtherCompression(name.to_owned())
            }
            _ => return Ok(None),
        }))
    }
}

fn seconds(value: &str, unit: &str) -> Result<f64, String> {
    let time: f64 = value.trim().parse().map_err(|_| format!("the scan start time is {value:?}, not a number"))?;
    let seconds = match unit {
        "UO:0000031" => time * 60.0,
        "UO:0000028" => time / 1000.0,
        // Seconds; files without a unit mean them.
        "UO:0000010" | "" => time,
        _ => return Err(format!("the scan start time has the unknown unit {unit:?}")),
    };
    if seconds.is_finite() { Ok(seconds) } else { Err(format!("the scan start time {value:?} is not finite")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_become_seconds() {
        let start = |value, unit| Param::new("MS:1000016", "scan start time", value, unit);
        assert_eq!(start("2.5", "UO:0000031"), Ok(Some(Param::ScanStart(150.0))));
        assert_eq!(start("1501.414", "UO:0000010"), Ok(Some(Param::ScanStart(1501.414))));
        assert!(start("soon", "UO:0000010").is_err());
        assert!(start("inf", "").is_err());
        assert!(start("1", "UO:0000036").is_err());
    }

    #[test]
    fn other_terms_mean_nothing() {
        assert_eq!(Param::new("MS:1000130", "positive scan", "", ""), Ok(None));
    }
}
