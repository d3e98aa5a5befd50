//! A part of a name in any case, found alike on both databases.
//!
//! SQLite knows upper and lower case of ASCII only, and PostgreSQL does in some locales, so every letter is looked for in
//! both of its forms: by `GLOB` here, by a regular expression there.

use crate::Tx;

/// No name is longer, in characters.
const NAME_CHARS_MAX: usize = 1_000;

/// Puts a condition that finds a [`pattern`] between two texts of SQL: `column` and the number of the bind.
macro_rules! search {
    ($tx:expr, $before:expr, $column:literal, $bind:literal, $after:literal) => {
        match $tx {
            $crate::db::Tx::Sqlite(_) => concat!($before, $column, " glob ", $bind, $after),
            $crate::db::Tx::Postgres(_) => concat!($before, $column, " ~ ", $bind, $after),
        }
    };
}

/// The pattern that finds `text` anywhere, for the database of `tx`.
pub(crate) fn pattern(tx: &Tx, text: &str) -> String {
    // The databases refuse very long patterns, and PostgreSQL a NUL; nothing is called like that.
    let is_no_name = text.contains('\0') || text.chars().nth(NAME_CHARS_MAX).is_some();
    match tx {
        // Nor has anything an empty name.
        Tx::Sqlite(_) if is_no_name => String::new(),
        Tx::Sqlite(_) => glob(text),
        // A character after the end: never found.
        Tx::Postgres(_) if is_no_name => "\\Z.".to_owned(),
        Tx::Postgres(_) => regex(text),
    }
}

fn glob(text: &str) -> String {
    let mut pattern = String::from("*");
    for c in text.chars() {
        match (forms(c), c) {
            ((lower, Some(upper)), _) => pattern.extend(['[', lower, upper, ']']),
            (_, '*' | '?' | '[') => pattern.extend(['[', c, ']']),
            ((only, None), _) => pattern.push(only),
        }
    }
    pattern.push('*');
    pattern
}

fn regex(text: &str) -> String {
    // All that follows these signs is a plain expression, whatever the text begins with.
    let mut pattern = String::from("***:");
    for c in text.chars() {
        match forms(c) {
            (lower, Some(upper)) => pattern.extend(['[', lower, upper, ']']),
            // A sign of ASCII after a backslash is itself.
            (only, None) if only.is_ascii_punctuation() => pattern.extend(['\\', only]),
            (only, None) => pattern.push(only),
        }
    }
    pattern
}

/// The lower case of a letter, and its upper case if it has one.
fn forms(c: char) -> (char, Option<char>) {
    let lower = single(c.to_lowercase()).unwrap_or(c);
    // Its usual upper case is two letters, and the single one, which has it as its lower case, is not found from here.
    if lower == 'ß' {
        return (lower, Some('ẞ'));
    }
    // Some letters share an upper case, and it is the lower case of one of them only.
    let upper = single(lower.to_uppercase()).filter(|upper| *upper != lower && single(upper.to_lowercase()) == Some(lower));
    (lower, upper)
}

/// A mapping to one letter; others, such as that of `ŉ`, change how long a text is, and no database follows them.
fn single(mut mapped: impl Iterator<Item = char>) -> Option<char> {
    mapped.next().filter(|_| mapped.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (text, expected) in [
            ("aB1", "*[aA][bB]1*"),
            ("Äß", "*[äÄ][ßẞ]*"),
            ("ŉ", "*ŉ*"),
            ("50% [x]*?", "*50% [[][xX]][*][?]*"),
            ("ς", "*ς*"),
            ("Σ", "*[σΣ]*"),
            ("", "**"),
        ] {
            assert_eq!(glob(text), expected, "{text}");
        }
        assert_eq!(regex(r"5% (x)\d Äς"), r"***:5\% \([xX]\)\\[dD] [äÄ]ς");
    }
}
