//! Typed identifiers. All are positive 64-bit integers given by the database, but for the request id, which is text.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize, Serializer};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl From<i64> for $name {
            fn from(id: i64) -> Self {
                Self(id)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

ids! {
    /// A laboratory.
    TenantId
    /// A person.
    UserId
    /// A project.
    ProjectId
    /// An experiment.
    ExperimentId
    /// A release of a plugin: the same for every tenant.
    ReleaseId
    /// A plugin installed for a tenant.
    InstallationId
    /// A long change that a person can watch.
    OperationId
    /// What an installation held at one instant.
    SnapshotId
    /// Work of a plugin that nobody waits for.
    JobId
}

/// Names one request from the client to the last log line. Safe to write into headers and logs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// Longest id taken from a client, in bytes.
    pub const LENGTH_MAX: usize = 128;

    /// Takes an id that a client sent, if it is short and of harmless characters.
    pub fn parse(text: &str) -> Option<Self> {
        let harmless = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':');
        (!text.is_empty() && text.len() <= Self::LENGTH_MAX && text.bytes().all(harmless)).then(|| Self(text.into()))
    }

    /// An id from random bits: 16 hexadecimal digits, as MINT makes them.
    pub fn from_bits(bits: u64) -> Self {
        Self(hex::encode(bits.to_be_bytes()).into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Serialize for RequestId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_cannot_carry_control_characters() {
        assert!(RequestId::parse("abc-1.2:3_x").is_some());
        for bad in ["", "a b", "a\nb", "ä", "a\"b", &"x".repeat(129)] {
            assert!(RequestId::parse(bad).is_none(), "{bad:?}");
        }
    }
}
