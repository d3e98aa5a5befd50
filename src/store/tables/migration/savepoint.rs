//! Points within a migration to which it can go back: after a statement that failed, it can do nothing else.

use crate::tables::{Error, Result};

/// Most points at once.
const OPEN_MAX: usize = 100;
/// Longest name, in characters.
const NAME_CHARS_MAX: usize = 63;

/// What to do about a point, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Savepoint {
    /// Sets it.
    Set(String),
    /// Forgets it, and those after it.
    Release(String),
    /// Takes back what was done since, and forgets those after it.
    GoBack(String),
}

/// The points of a migration.
#[derive(Debug, Default)]
pub(in crate::tables) struct Savepoints {
    open: Vec<String>,
    has_failed: bool,
}

impl Savepoints {
    /// Passes if another statement can follow.
    ///
    /// # Errors
    /// One failed, after the last point.
    pub(in crate::tables) fn check(&self) -> Result<()> {
        match self.has_failed {
            true => Err(Error::Statement("A statement failed. Go back to the last savepoint first.".to_owned())),
            false => Ok(()),
        }
    }

    /// Notes a statement that failed. Gives whether the migration can go back from there.
    pub(in crate::tables) fn failed(&mut self) -> bool {
        self.has_failed = !self.open.is_empty();
        self.has_failed
    }

    /// The statement that does it.
    ///
    /// # Errors
    /// There is no such point; another one has no place; as [`Savepoints::check`].
    pub(in crate::tables) fn statement(&self, wanted: &Savepoint) -> Result<String> {
        if !matches!(wanted, Savepoint::GoBack(_)) {
            self.check()?;
        }
        match wanted {
            Savepoint::Set(name) if !is_name(name) => {
                Err(Error::Statement(format!("A savepoint's name has up to {NAME_CHARS_MAX} letters, digits and `_`.")))
            }
            Savepoint::Set(_) if self.open.len() >= OPEN_MAX => {
                Err(Error::Statement(format!("A migration has up to {OPEN_MAX} savepoints at once.")))
            }
            Savepoint::Release(name) | Savepoint::GoBack(name) if !self.open.contains(name) => {
                Err(Error::Statement("There is no savepoint of this name.".to_owned()))
            }
            Savepoint::Set(name) => Ok(format!("savepoint \"{name}\"")),
            Savepoint::Release(name) => Ok(format!("release savepoint \"{name}\"")),
            Savepoint::GoBack(name) => Ok(format!("rollback to savepoint \"{name}\"")),
        }
    }

    /// Notes that it was done.
    pub(in crate::tables) fn done(&mut self, done: Savepoint) {
        let place = |open: &[String], name: &str| open.iter().rposition(|other| other == name).unwrap_or(open.len());
        match done {
            Savepoint::Set(name) => self.open.push(name),
            Savepoint::Release(name) => self.open.truncate(place(&self.open, &name)),
            Savepoint::GoBack(name) => {
                self.open.truncate(place(&self.open, &name).saturating_add(1));
                self.has_failed = false;
            }
        }
    }
}

fn is_name(name: &str) -> bool {
    let known = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (1..=NAME_CHARS_MAX).contains(&name.len()) && name.chars().all(known)
}
