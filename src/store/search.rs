//! A part of a name in any case, found alike on both databases.
//!
//! SQLite knows upper and lower case of ASCII only, so there every letter is looked for in both of its forms, by `GLOB`.

use crate::Tx;

/// No name is longer, in characters.
const NAME_CHARS_MAX: usize = 1_000;

/// Puts a condition that finds a [`pattern`] between two texts of SQL: `column` and the number of the bind.
macro_rules! search {
    ($tx:expr, $before:expr, $column:literal, $bind:literal, $after:literal) => {
        match $tx {
            $crate::db::Tx::Sqlite(_) => concat!($before, $column, " glob ", $bind, $after),
            $crate::db::Tx::Postgres(_) => concat!($before, "lower(", $column, ") like ", $bind, " escape '!'", $after),
        }
    };
}

/// The pattern that finds `text` anywhere, for the database of `tx`.
pub(crate) fn pattern(tx: &Tx, text: &str) -> String {
    match tx {
        Tx::Sqlite(_) => glob(text),
        Tx::Postgres(_) => like(text),
    }
}

fn like(text: &str) -> String {
    let mut pattern = String::from("%");
    // Letter by letter, as the database does it: a final sigma is no other letter.
    for c in text.chars().flat_map(char::to_lowercase) {
        if matches!(c, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

fn glob(text: &str) -> String {
    // SQLite refuses very long patterns; nothing is called like that, nor has an empty name.
    if text.chars().nth(NAME_CHARS_MAX).is_some() {
        return String::new();
    }
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
        assert_eq!(glob(&"x".repeat(5_000)), "");
        assert_eq!(like("50%_! ÄΣ"), "%50!%!_!! äσ%");
    }
}
