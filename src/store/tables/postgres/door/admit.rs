//! Which statements come in: those that plugins may use in both modes, and what drivers say besides.

use crate::tables::{
    Error,
    gate::{self, Effect},
};

/// A statement that does not come in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    /// As in PostgreSQL's table of errors.
    pub(super) code: &'static str,
    pub(super) words: String,
}

/// First words of statements that begin and end transactions, or read settings.
const OF_SESSIONS: &[&str] = &["", "abort", "begin", "commit", "end", "release", "rollback", "savepoint", "show", "start"];
/// What of a transaction may be set, by the second word.
const SETTABLE: &[&str] = &["constraints", "local", "transaction"];

/// Looks at a statement. `many` may come in one message, whose number only the server could count.
pub(super) fn look(text: &str, many: bool) -> Result<Effect, Refused> {
    let text = text.trim_end_matches([' ', '\t', '\n', '\r', ';']);
    if many && text.contains(';') {
        let words = "One statement at a time. Give texts with `;` in them as parameters.".to_owned();
        return Err(Refused { code: "42601", words });
    }
    let mut words = text.split_ascii_whitespace().map(str::to_ascii_lowercase);
    let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if OF_SESSIONS.contains(&first.as_str()) || (first == "set" && SETTABLE.contains(&second.as_str())) {
        return Ok(Effect::Reads);
    }
    gate::look(text).map_err(|error| match error {
        Error::Denied(words) => Refused { code: "42501", words },
        other => Refused { code: "42601", words: other.to_string() },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drivers_get_their_sessions_and_plugins_their_statements() {
        for (text, effect) in [
            ("BEGIN;", Effect::Reads),
            ("begin isolation level serializable", Effect::Reads),
            ("ROLLBACK TO SAVEPOINT \"sa_savepoint_1\";", Effect::Reads),
            ("", Effect::Reads),
            (";", Effect::Reads),
            ("show transaction isolation level", Effect::Reads),
            ("SET LOCAL lock_timeout = '30s'", Effect::Reads),
            ("\nSELECT 1;\n", Effect::Reads),
            ("INSERT INTO t VALUES ($1)", Effect::Grows),
            ("DROP TABLE t", Effect::Shrinks),
        ] {
            assert_eq!(look(text, true), Ok(effect), "{text}");
        }
    }

    #[test]
    fn what_reaches_further_stays_outside() {
        for (text, many, code) in [
            ("begin; set role postgres", true, "42601"),
            ("select 1; do $$ begin end $$", true, "42601"),
            ("/* */ begin", true, "42501"),
            ("set statement_timeout = 0", false, "42501"),
            ("set session authorization postgres", false, "42501"),
            ("begin_x", false, "42501"),
            ("do $$ begin perform 1; end $$", false, "42501"),
            ("copy t from stdin", false, "42501"),
            ("listen x", false, "42501"),
            ("lock table t", false, "42501"),
            ("create function f() returns int language sql as 'select 1'", false, "42501"),
        ] {
            assert_eq!(look(text, many).unwrap_err().code, code, "{text}");
        }
    }
}
