//! The little that has to be read out of a definition's text.

/// One piece of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    /// A word outside of quotes.
    Word(&'a str),
    /// A text, a name in quotes, or any other character.
    Other(&'a str),
}

/// Splits a statement. Comments are left out.
fn tokens(sql: &str) -> Vec<(usize, Token<'_>)> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(rest) = sql.get(at..).filter(|rest| !rest.is_empty()) {
        let first = rest.chars().next().unwrap_or(' ');
        let length = if rest.starts_with("--") {
            rest.find('\n').map_or(rest.len(), |end| end + 1)
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(close) = [('\'', '\''), ('"', '"'), ('`', '`'), ('[', ']')].iter().find(|(open, _)| *open == first) {
            rest.get(1..).and_then(|inner| inner.find(close.1)).map_or(rest.len(), |end| end + 2)
        } else if first.is_alphanumeric() || first == '_' {
            rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let piece = rest.get(..length).unwrap_or(rest);
        let is_comment = rest.starts_with("--") || rest.starts_with("/*");
        if first.is_alphanumeric() || first == '_' {
            found.push((at, Token::Word(piece)));
        } else if !is_comment && !first.is_whitespace() {
            found.push((at, Token::Other(piece)));
        }
        at += piece.len();
    }
    found
}

fn is(token: Option<&(usize, Token<'_>)>, word: &str) -> bool {
    matches!(token, Some((_, Token::Word(found))) if found.eq_ignore_ascii_case(word))
}

/// The expressions of `CHECK (…)` in the statement that made a table.
pub(super) fn checks(sql: &str) -> Vec<String> {
    let tokens = tokens(sql);
    let mut found = Vec::new();
    for at in 0..tokens.len() {
        let opens = tokens.get(at + 1).filter(|(_, token)| *token == Token::Other("("));
        let (true, Some((start, _))) = (is(tokens.get(at), "check"), opens) else { continue };
        let mut depth = 0;
        for (end, token) in tokens.iter().skip(at + 1) {
            match token {
                Token::Other("(") => depth += 1,
                Token::Other(")") => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                found.extend(sql.get(start + 1..*end).map(|inner| inner.trim().to_owned()));
                break;
            }
        }
    }
    found
}

/// Whether a word stands in a statement, outside of quotes.
pub(super) fn has(sql: &str, word: &str) -> bool {
    tokens(sql).iter().any(|token| is(Some(token), word))
}

/// The query of a view; none where its columns have names of their own.
pub(super) fn query_of_view(sql: &str) -> Option<&str> {
    let tokens = tokens(sql);
    let at = tokens.iter().position(|token| is(Some(token), "as"))?;
    let named = tokens.iter().take(at).any(|(_, token)| *token == Token::Other("("));
    let (start, _) = tokens.get(at + 1).filter(|_| !named)?;
    sql.get(*start..)
}

/// An expression without PostgreSQL's casts.
pub(super) fn without_casts(expression: &str) -> String {
    const TYPE_WORDS: [&str; 6] = ["varying", "precision", "with", "without", "time", "zone"];
    let tokens = tokens(expression);
    let (mut kept, mut at, mut from) = (String::new(), 0, 0);
    while at < tokens.len() {
        let colon = |at: usize| matches!(tokens.get(at), Some((_, Token::Other(":"))));
        if !(colon(at) && colon(at + 1)) {
            at += 1;
            continue;
        }
        let start = tokens.get(at).map_or(expression.len(), |(start, _)| *start);
        kept.push_str(expression.get(from..start).unwrap_or_default());
        at += 3;
        while TYPE_WORDS.iter().any(|word| is(tokens.get(at), word)) {
            at += 1;
        }
        if matches!(tokens.get(at), Some((_, Token::Other("(")))) {
            let length = tokens.iter().skip(at).position(|(_, token)| *token == Token::Other(")"));
            at += length.map_or(0, |length| length + 1);
        }
        from = tokens.get(at).map_or(expression.len(), |(start, _)| *start);
        // A word after a cast keeps its space.
        if from < expression.len() && expression.get(..from).is_some_and(|before| before.ends_with(' ')) {
            kept.push(' ');
        }
    }
    kept.push_str(expression.get(from..).unwrap_or_default());
    kept.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_a_definition() {
        let sql =
            "create table t (a int check (a > (0)), b text default 'check (x)', -- check (c)\n constraint c check(b <> ')'))";
        assert_eq!(checks(sql), ["a > (0)", "b <> ')'"]);
        assert!(has("a text COLLATE nocase", "collate") && !has("\"collate\" text", "collate"));
        assert_eq!(query_of_view("create view \"as\" as select 1 as a"), Some("select 1 as a"));
        assert_eq!(query_of_view("create view v(a) as select 1"), None);
        for (with, without) in [
            ("'x'::text", "'x'"),
            ("'a::b'::character varying(20)", "'a::b'"),
            ("(a)::double precision > 1", "(a) > 1"),
            ("a > 0", "a > 0"),
            ("'2026'::timestamp with time zone", "'2026'"),
        ] {
            assert_eq!(without_casts(with), without);
        }
    }
}
