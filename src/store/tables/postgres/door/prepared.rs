//! Which prepared statements may make tables grow: a driver prepares once and runs often.

use std::{collections::HashSet, io};

use super::frame;
use crate::tables::gate::Effect;

/// Statements of one session. Drivers keep some hundreds.
const GROWING_MAX: usize = 10_000;
/// A statement that no session has.
pub(super) const NONE: &[u8] = b"refused";
/// The message that binds it, which ends in an error.
pub(super) const BIND_NONE: &[u8] = b"\0refused\0\0\0\0\0\0\0";

/// The names of those that may.
#[derive(Debug, Default)]
pub(super) struct Growing(HashSet<Vec<u8>>);

impl Growing {
    /// A statement was prepared under a name.
    pub(super) fn prepared(&mut self, name: &[u8], effect: Effect) -> io::Result<()> {
        if self.0.len() >= GROWING_MAX || name == NONE {
            return Err(frame::broken("a statement has a name that it cannot have, or there are too many"));
        }
        if effect == Effect::Grows {
            self.0.insert(name.to_vec())
        } else {
            self.0.remove(name)
        };
        Ok(())
    }

    /// A statement was given up.
    pub(super) fn closed(&mut self, name: &[u8]) {
        self.0.remove(name);
    }

    /// Whether a statement may make tables grow.
    pub(super) fn has(&self, name: &[u8]) -> bool {
        self.0.contains(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_means_what_was_last_prepared_under_it() {
        let mut growing = Growing::default();
        growing.prepared(b"a", Effect::Grows).unwrap();
        growing.prepared(b"", Effect::Grows).unwrap();
        growing.prepared(b"", Effect::Reads).unwrap();
        assert!(growing.has(b"a") && !growing.has(b""));
        growing.closed(b"a");
        assert!(!growing.has(b"a"));
        assert!(growing.prepared(NONE, Effect::Grows).is_err());
    }
}
