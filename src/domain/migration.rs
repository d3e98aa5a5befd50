//! Changes of a plugin's own tables: what a release brings, what was applied, and what is to be done now.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// Most migrations of a release.
const MIGRATIONS_MAX: usize = 1_000;
/// Longest name, in characters.
const NAME_CHARS_MAX: usize = 255;
/// Longest checksum, in characters.
const CHECKSUM_CHARS_MAX: usize = 64;

/// One step in the history of a plugin's tables, as a release declares it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Migration {
    /// Place in the order, from 1.
    pub version: u32,
    /// What it does, in a word or two.
    pub name: String,
    /// Whether code of before cannot work with the tables after it.
    pub destructive: bool,
    /// Another one when the migration is another one.
    pub checksum: String,
    /// Whether it is known by its name: its number says only which of its release's it is. See [`numbered`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub named: bool,
}

/// A migration that was tried on an installation's tables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedMigration {
    /// The migration, as it was then.
    #[serde(flatten)]
    pub migration: Migration,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub applied_at: OffsetDateTime,
    /// Why it failed; none for one that is in force.
    pub error: Option<String>,
}

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Applies it.
    Up,
    /// Takes it back.
    Down,
}

/// Why the tables cannot be brought to what a release wants.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// What the release declares is no history.
    #[error("{0}")]
    Malformed(String),
    /// A migration is not what it was when it was applied.
    #[error("Migration {version} (`{name}`) is not the one that was applied: its checksum differs.")]
    Edited {
        /// Its number.
        version: u32,
        /// Its name, as applied.
        name: String,
    },
    /// A migration came in before one that was applied.
    #[error("Migration {version} (`{name}`) comes before {latest}, which was applied already.")]
    TooLate {
        /// Its number.
        version: u32,
        /// Its name.
        name: String,
        /// The greatest number that was applied.
        latest: u32,
    },
    /// What was applied goes beyond the release, which cannot work with it.
    #[error("The tables are at revision {applied}, and the release knows them up to {known}.")]
    Ahead {
        /// The greatest number that was applied.
        applied: u32,
        /// The greatest number that the release knows.
        known: u32,
    },
    /// What the old release could work with comes after what it could not.
    #[error("Migration {version} (`{name}`) comes after the destructive migration {after}, and would have to wait for it.")]
    Mixed {
        /// Its number.
        version: u32,
        /// Its name.
        name: String,
        /// Number of the destructive one.
        after: u32,
    },
}

impl Mismatch {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Malformed(_) => "Tell its author.".to_owned(),
            Self::Edited { version, .. } => format!(
                "Install a release whose migration {version} is the one that was applied, or set the tables back by \
                 `mint plugin reset <plugin> --revision {}` before the upgrade. What changes tables again needs a new number.",
                version.saturating_sub(1)
            ),
            Self::TooLate { .. } => "Its author has to give it a number of its own, after all earlier ones.".to_owned(),
            Self::Ahead { known, .. } => format!(
                "Install a release that knows them, or set the tables back by `mint plugin reset <plugin> --revision {known}` \
                 while a release that knows them is installed."
            ),
            Self::Mixed { after, .. } => {
                format!("Upgrade first to a release that ends with migration {after} or before, then to this one.")
            }
        }
    }
}

/// What is to be done to tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    /// What earlier code can go on with.
    pub expand: Vec<Migration>,
    /// What has to wait until no earlier code runs any more.
    pub contract: Vec<Migration>,
}

impl Pending {
    /// All of it, in order: for tables that no earlier code uses.
    #[must_use]
    pub fn at_once(self) -> Self {
        Self { expand: self.expand.into_iter().chain(self.contract).collect(), contract: Vec::new() }
    }
}

/// Passes if `declared` is a history: from one number to the next greater one.
///
/// # Errors
/// [`Mismatch::Malformed`] says what is wrong.
pub fn check(declared: &[Migration]) -> Result<(), Mismatch> {
    let malformed = |words: String| Err(Mismatch::Malformed(words));
    if declared.len() > MIGRATIONS_MAX {
        return malformed(format!("The release has more than {MIGRATIONS_MAX} migrations."));
    }
    let mut latest = 0;
    for Migration { version, name, checksum, .. } in declared {
        if *version <= latest || i32::try_from(*version).is_err() {
            return malformed(format!("The release's migration {version} does not come after {latest}."));
        }
        let named = !name.is_empty() && name.chars().count() <= NAME_CHARS_MAX && !name.chars().any(char::is_control);
        if !named {
            return malformed(format!("Migration {version} needs a name of 1 to {NAME_CHARS_MAX} characters."));
        }
        let fits = (1..=CHECKSUM_CHARS_MAX).contains(&checksum.len()) && checksum.bytes().all(|byte| byte.is_ascii_graphic());
        if !fits {
            return malformed(format!(
                "Migration {version} needs a checksum of 1 to {CHECKSUM_CHARS_MAX} letters, digits and signs, such as a SHA-256."
            ));
        }
        latest = *version;
    }
    Ok(())
}

/// Numbers migrations that are known by their names as they were when they were applied; where none was, they follow a history of
/// another kind, which ends with them.
pub fn numbered(mut declared: Vec<Migration>, applied: &[AppliedMigration]) -> Vec<Migration> {
    let in_force = || applied.iter().filter(|one| one.error.is_none()).map(|one| &one.migration);
    let known = declared.iter().filter(|one| one.named).find_map(|one| {
        let then = in_force().find(|then| then.name == one.name)?;
        then.version.checked_sub(one.version)
    });
    let before = known.or_else(|| in_force().map(|one| one.version).max()).unwrap_or(0);
    for one in declared.iter_mut().filter(|one| one.named) {
        one.version = one.version.saturating_add(before);
    }
    declared
}

/// What is missing of `declared`, where `applied` was done before.
///
/// # Errors
/// [`Mismatch`].
pub fn pending(declared: &[Migration], applied: &[AppliedMigration]) -> Result<Pending, Mismatch> {
    check(declared)?;
    let in_force: Vec<&Migration> = applied.iter().filter(|one| one.error.is_none()).map(|one| &one.migration).collect();
    for known in declared {
        if let Some(then) = in_force.iter().find(|then| then.version == known.version && then.checksum != known.checksum) {
            return Err(Mismatch::Edited { version: then.version, name: then.name.clone() });
        }
    }
    let latest = in_force.iter().map(|one| one.version).max().unwrap_or(0);
    let known = declared.last().map_or(0, |last| last.version);
    if in_force.iter().any(|one| one.version > known && one.destructive) {
        return Err(Mismatch::Ahead { applied: latest, known });
    }
    let mut pending = Pending::default();
    for one in declared.iter().filter(|one| in_force.iter().all(|then| then.version != one.version)) {
        if one.version < latest {
            return Err(Mismatch::TooLate { version: one.version, name: one.name.clone(), latest });
        }
        match pending.contract.first() {
            None if !one.destructive => pending.expand.push(one.clone()),
            _ => pending.contract.push(one.clone()),
        }
    }
    Ok(pending)
}

/// Passes if what `pending` leaves for later can be done then: it is destructive throughout.
///
/// # Errors
/// [`Mismatch::Mixed`].
pub fn can_wait(pending: &Pending) -> Result<(), Mismatch> {
    match (pending.contract.first(), pending.contract.iter().find(|one| !one.destructive)) {
        (Some(first), Some(late)) => {
            Err(Mismatch::Mixed { version: late.version, name: late.name.clone(), after: first.version })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn migration(version: u32, destructive: bool) -> Migration {
        Migration { version, name: format!("m{version}"), destructive, checksum: format!("sum{version}"), named: false }
    }

    fn applied(version: u32, destructive: bool, error: Option<&str>) -> AppliedMigration {
        let error = error.map(str::to_owned);
        AppliedMigration { migration: migration(version, destructive), applied_at: OffsetDateTime::UNIX_EPOCH, error }
    }

    fn versions(pending: &Pending) -> (Vec<u32>, Vec<u32>) {
        let of = |migrations: &[Migration]| migrations.iter().map(|one| one.version).collect();
        (of(&pending.expand), of(&pending.contract))
    }

    #[test]
    fn what_is_missing_is_done_in_order_and_what_destroys_waits() {
        let release = [migration(1, false), migration(2, false), migration(5, true), migration(6, true)];
        for (done, expand, contract) in [
            (vec![], vec![1, 2], vec![5, 6]),
            (vec![applied(1, false, None)], vec![2], vec![5, 6]),
            (vec![applied(1, false, None), applied(2, false, Some("no"))], vec![2], vec![5, 6]),
            (vec![applied(1, false, None), applied(2, false, None), applied(5, true, None)], vec![], vec![6]),
        ] {
            let pending = pending(&release, &done).unwrap();
            assert_eq!(versions(&pending), (expand.clone(), contract.clone()), "{done:?}");
            assert!(can_wait(&pending).is_ok());
            assert_eq!(versions(&pending.at_once()), ([expand, contract].concat(), vec![]));
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_with_a_way_out() {
        let one = [migration(1, false)];
        let mut edited = applied(1, false, None);
        edited.migration.checksum = "other".to_owned();
        for (release, done, words) in [
            (one.to_vec(), vec![edited], "its checksum differs"),
            (one.to_vec(), vec![applied(1, false, None), applied(2, true, None)], "at revision 2, and the release knows"),
            (vec![], vec![applied(1, true, None)], "up to 0"),
            (vec![migration(1, false), migration(2, false)], vec![applied(2, false, None)], "comes before 2"),
            (vec![migration(2, false), migration(2, false)], vec![], "does not come after 2"),
            (vec![migration(0, false)], vec![], "does not come after 0"),
            (vec![migration(u32::MAX, false)], vec![], "does not come after"),
            (vec![Migration { name: String::new(), ..migration(1, false) }], vec![], "needs a name"),
            (vec![Migration { checksum: "a b".to_owned(), ..migration(1, false) }], vec![], "needs a checksum"),
        ] {
            let mismatch = pending(&release, &done).unwrap_err();
            assert!(mismatch.to_string().contains(words), "{mismatch}");
            assert!(!mismatch.hint().is_empty());
        }
        let mixed = pending(&[migration(1, true), migration(2, false)], &[]).unwrap();
        assert_eq!(can_wait(&mixed).unwrap_err(), Mismatch::Mixed { version: 2, name: "m2".to_owned(), after: 1 });
    }

    #[test]
    fn what_has_names_follows_the_numbers_before_it() {
        let named = |version: u32, name: &str| Migration { name: name.to_owned(), named: true, ..migration(version, false) };
        let release = || vec![named(1, "a"), named(2, "b")];
        let then = |version: u32, name: &str, error| {
            let one = applied(version, false, error);
            AppliedMigration { migration: Migration { name: name.to_owned(), ..one.migration.clone() }, ..one }
        };
        for (done, versions) in [
            (vec![], [1, 2]),
            (vec![then(1, "x", None), then(7, "y", None)], [8, 9]),
            (vec![then(7, "y", None), then(8, "a", Some("no"))], [8, 9]),
            (vec![then(7, "y", None), then(8, "a", None)], [8, 9]),
            (vec![then(7, "y", None), then(8, "a", None), then(9, "b", None), then(10, "c", None)], [8, 9]),
            (vec![then(1, "a", None), then(2, "b", None), then(3, "c", None)], [1, 2]),
        ] {
            let found: Vec<u32> = numbered(release(), &done).iter().map(|one| one.version).collect();
            assert_eq!(found, versions, "{done:?}");
        }
        assert_eq!(numbered(vec![migration(1, false)], &[then(7, "y", None)])[0].version, 1, "numbers say what they are");
    }

    #[test]
    fn earlier_code_goes_on_with_what_only_added() {
        let done = [applied(1, false, None), applied(2, false, None)];
        assert_eq!(pending(&[migration(1, false)], &done).unwrap(), Pending::default());
        assert_eq!(pending(&[], &done).unwrap(), Pending::default());
    }
}
