//! What all plugins of a laboratory together may take of a server, so that each laboratory leaves room for the others.
//! The operator of the platform decides: neither a laboratory's administrator nor a bundle says anything of it.

use serde::{Deserialize, Serialize};

macro_rules! share {
    ($(#[doc = $doc:literal] $name:ident, default $default:expr, at most $max:expr;)*) => {
        /// The share of one laboratory.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
        pub struct Share { $(#[doc = $doc] pub $name: u64,)* }

        /// Some of it: what the operator says, for one laboratory or for all.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct ShareChanges {
            $(#[doc = $doc] #[serde(default, skip_serializing_if = "Option::is_none")] pub $name: Option<u64>,)*
        }

        /// Every part of it.
        pub const PARTS: &[Part] = &[$(Part { name: stringify!($name), about: $doc, default: $default, max: $max },)*];

        impl Default for Share {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        impl Share {
            /// This share with `changes` on top.
            ///
            /// # Errors
            /// A value that is zero or too great, by name.
            pub fn merged(mut self, changes: &ShareChanges) -> Result<Self, ShareOutOfRange> {
                $(if let Some(value) = changes.$name {
                    if value == 0 || value > $max {
                        return Err(ShareOutOfRange { name: stringify!($name), value, max: $max });
                    }
                    self.$name = value;
                })*
                Ok(self)
            }

            /// One part, by name.
            pub fn get(&self, name: &str) -> Option<u64> {
                match name { $(stringify!($name) => Some(self.$name),)* _ => None }
            }
        }

        impl ShareChanges {
            /// What is said of one part, by name.
            pub fn get(&self, name: &str) -> Option<u64> {
                match name { $(stringify!($name) => self.$name,)* _ => None }
            }

            /// Says `value` of one part, or nothing any more. False where there is none of that name.
            pub fn set(&mut self, name: &str, value: Option<u64>) -> bool {
                match name { $(stringify!($name) => self.$name = value,)* _ => return false }
                true
            }
        }
    };
}

/// A part of a share as it is declared.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// Its name.
    pub name: &'static str,
    /// What it bounds, in a sentence.
    pub about: &'static str,
    /// Its value where nobody says another.
    pub default: u64,
    /// Its greatest value.
    pub max: u64,
}

share! {
    /// Requests to all plugins of the laboratory in progress.
    laboratory_concurrency_max, default 128, at most 65_536;
    /// Requests to all plugins of the laboratory waiting for their turn.
    laboratory_queue_max, default 1_024, at most 1_000_000;
    /// Requests to all plugins of the laboratory that begin in a second, counted over a second.
    laboratory_requests_per_second_max, default 2_000, at most 1_000_000;
    /// Jobs of all plugins of the laboratory in progress.
    laboratory_jobs_max, default 16, at most 4_096;
}

/// A part of a share that cannot be set so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` cannot be {value}: choose 1 to {max}")]
pub struct ShareOutOfRange {
    name: &'static str,
    value: u64,
    max: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operator_says_some_of_it() {
        let mut changes = ShareChanges::default();
        assert!(changes.set("laboratory_queue_max", Some(7)) && !changes.set("queue_max", Some(7)));
        let share = Share::default().merged(&changes).unwrap();
        assert_eq!((share.laboratory_queue_max, share.laboratory_concurrency_max), (7, 128));
        for part in PARTS {
            assert_eq!(Share::default().get(part.name), Some(part.default));
            for bad in [0, part.max + 1] {
                let mut changes = ShareChanges::default();
                assert!(changes.set(part.name, Some(bad)));
                let error = Share::default().merged(&changes).unwrap_err();
                assert!(error.to_string().contains(part.name), "{error}");
            }
        }
    }
}
