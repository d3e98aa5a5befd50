//! Identifiers of instruments: UUIDs, so that a plugin can bring one that it already refers to.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A UUID in its usual form: 32 lower-case hexadecimal digits in groups of 8, 4, 4, 4 and 12.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InstrumentId(String);

/// Not a UUID.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a UUID")]
pub struct InvalidInstrumentId(String);

impl InstrumentId {
    /// A UUID of version 4 from random bits.
    pub fn from_bits(bits: u128) -> Self {
        let versioned = bits & !(0xf_u128 << 76) & !(0x3_u128 << 62) | (0x4_u128 << 76) | (0x2_u128 << 62);
        let digits = format!("{versioned:032x}");
        let mut text = String::with_capacity(36);
        for (position, digit) in digits.chars().enumerate() {
            if matches!(position, 8 | 12 | 16 | 20) {
                text.push('-');
            }
            text.push(digit);
        }
        Self(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for InstrumentId {
    type Err = InvalidInstrumentId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = |(position, byte): (usize, u8)| match position {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        };
        if text.len() == 36 && text.bytes().enumerate().all(fits) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(InvalidInstrumentId(text.chars().take(80).collect()))
        }
    }
}

impl TryFrom<String> for InstrumentId {
    type Error = InvalidInstrumentId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<InstrumentId> for String {
    fn from(id: InstrumentId) -> Self {
        id.0
    }
}

impl fmt::Display for InstrumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids() {
        assert_eq!(InstrumentId::from_bits(0).as_str(), "00000000-0000-4000-8000-000000000000");
        assert_eq!(InstrumentId::from_bits(u128::MAX).as_str(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        let upper: InstrumentId = "6F9619FF-8B86-4D01-B42D-00CF4FC964FF".parse().unwrap();
        assert_eq!(upper.as_str(), "6f9619ff-8b86-4d01-b42d-00cf4fc964ff");
        for bad in [
            "",
            "1",
            "6f9619ff8b864d01b42d00cf4fc964ff",
            "6f9619ff-8b86-4d01-b42d-00cf4fc964fg",
            "../../../../../../../../../../../../",
        ] {
            assert!(bad.parse::<InstrumentId>().is_err(), "{bad}");
        }
    }
}
