//! What a statement is, by its first words. What is not known is refused.

use super::{Error, Result};

/// Longest statement, in bytes.
pub(super) const STATEMENT_BYTES_MAX: usize = 256 << 10;

/// What a statement does to the size of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing.
    Reads,
    /// They may grow.
    Grows,
    /// They may shrink: allowed when they are full.
    Shrinks,
}

/// Objects that a plugin may make.
const OBJECTS: &[&str] = &["table", "index", "unique", "view", "materialized", "sequence"];

/// Looks at a statement.
///
/// # Errors
/// It is too long, or not one that plugins may use.
pub(super) fn look(sql: &str) -> Result<Effect> {
    if sql.len() > STATEMENT_BYTES_MAX {
        let message = format!("The statement is longer than {} KiB. Give values as parameters.", STATEMENT_BYTES_MAX >> 10);
        return Err(Error::Statement(message));
    }
    if sql.contains('\0') {
        return Err(Error::Statement("A statement holds no NUL characters.".to_owned()));
    }
    let mut words = Words(sql);
    let first = words.next()?;
    match first.as_str() {
        "select" | "values" | "table" => Ok(Effect::Reads),
        "with" | "insert" | "update" | "merge" | "explain" | "analyze" | "reindex" | "comment" => Ok(Effect::Grows),
        "delete" | "truncate" => Ok(Effect::Shrinks),
        "create" | "alter" | "drop" => {
            let mut object = words.next()?;
            if first == "create" && object == "or" {
                let _replace = words.next()?;
                object = words.next()?;
            }
            if first != "drop" && object == "table" && inherits(words.0) {
                return Err(Error::Denied(
                    "Tables that are partitioned, or inherit, cannot be kept in snapshots, without which nothing of a plugin is \
                     changed. Use an index, or several tables."
                        .to_owned(),
                ));
            }
            match (first.as_str(), OBJECTS.contains(&object.as_str())) {
                ("drop", true) => Ok(Effect::Shrinks),
                (_, true) => Ok(Effect::Grows),
                (_, false) => Err(refused(&format!("{first} {object}"))),
            }
        }
        "begin" | "start" | "commit" | "end" | "rollback" | "abort" | "savepoint" | "release" => {
            Err(Error::Denied(format!("`{first}` is not for a statement. Use a transaction of this interface.")))
        }
        other => Err(refused(other)),
    }
}

/// Whether a statement takes away, or changes, what code of before may use.
///
/// # Errors
/// Its beginning cannot be read.
pub fn destroys(sql: &str) -> Result<bool> {
    let first = Words(sql).next()?;
    Ok(match first.as_str() {
        "drop" | "truncate" => true,
        "alter" => !only_adds(sql)?,
        _ => false,
    })
}

/// Whether a change of a table does nothing but add a column. What cannot be told apart does not.
fn only_adds(sql: &str) -> Result<bool> {
    const OF_CONSTRAINTS: &[&str] = &["check", "constraint", "exclude", "foreign", "primary", "unique"];
    let mut words = Words(sql);
    if words.next()? != "alter" || words.next()? != "table" {
        return Ok(false);
    }
    let mut word = words.next()?;
    while ["exists", "if", "only"].contains(&word.as_str()) {
        word = words.next()?;
    }
    loop {
        if word.is_empty() && !words.skip_quoted() {
            return Ok(false);
        }
        match words.0.strip_prefix('.') {
            Some(rest) => words.0 = rest,
            None => break,
        }
        word = words.next()?;
    }
    let adds = words.next()? == "add" && !OF_CONSTRAINTS.contains(&words.next()?.as_str());
    Ok(adds && !words.goes_on())
}

/// Whether the rest of a statement makes a table a part of another one, or one of parts. Looked for outside of parentheses and
/// quotes only. What is overlooked here is refused by whoever takes a snapshot.
fn inherits(rest: &str) -> bool {
    /// Words before one that is the name of a column or a table.
    const BEFORE_NAMES: &[&str] = &["add", "alter", "as", "column", "drop", "exists", "no", "only", "rename", "table", "to"];
    let words = outer_words(rest);
    let is = |at: usize, word: &str| words.get(at).is_some_and(|other| other == word);
    words.iter().enumerate().any(|(at, word)| {
        let before = at.checked_sub(1).and_then(|at| words.get(at)).map_or("table", String::as_str);
        match word.as_str() {
            "partition" => is(at + 1, "by") || is(at + 1, "of") || (before == "attach" && at + 1 < words.len()),
            "inherits" => at > 0 && is(at + 1, "("),
            "inherit" => at + 1 < words.len() && !BEFORE_NAMES.contains(&before),
            _ => false,
        }
    })
}

/// Words of a statement in lower case, without what is in quotes (`\"`), in parentheses (`(`), and in comments.
fn outer_words(sql: &str) -> Vec<String> {
    let (mut words, mut depth, mut rest) = (Vec::new(), 0_u32, sql);
    while let Some(first) = rest.chars().next() {
        let after = rest.get(first.len_utf8()..).unwrap_or_default();
        let past = |end: &str| after.split_once(end).map_or("", |(_, rest)| rest);
        match first {
            '\'' => rest = past("'"),
            '"' => {
                rest = past("\"");
                words.extend((depth == 0).then(|| "\"".to_owned()));
            }
            '-' if after.starts_with('-') => rest = past("\n"),
            '/' if after.starts_with('*') => rest = past("*/"),
            '(' => {
                words.extend((depth == 0).then(|| "(".to_owned()));
                depth += 1;
                rest = after;
            }
            ')' => {
                depth = depth.saturating_sub(1);
                rest = after;
            }
            letter if letter.is_ascii_alphabetic() || letter == '_' => {
                let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
                let (word, after) = rest.split_at(end);
                words.extend((depth == 0).then(|| word.to_ascii_lowercase()));
                rest = after;
            }
            _ => rest = after,
        }
    }
    words
}

fn refused(words: &str) -> Error {
    let words: String = words.chars().take(60).collect();
    Error::Denied(format!(
        "Plugins may not use statements that begin with `{words}`. They may query, insert, update, delete and merge, and \
         create, alter and drop tables, indexes, views and sequences."
    ))
}

/// The words of a statement from its beginning, in lower case, without comments and space between them.
struct Words<'a>(&'a str);

impl Words<'_> {
    /// The next word; empty at the end and before anything that is none.
    fn next(&mut self) -> Result<String> {
        self.skip()?;
        let end = self.0.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at(end);
        self.0 = rest;
        Ok(word.to_ascii_lowercase())
    }

    /// Passes a name in quotes, if that is what comes next.
    fn skip_quoted(&mut self) -> bool {
        let Some((name, rest)) = self.0.strip_prefix('"').and_then(|rest| rest.split_once('"')) else { return false };
        self.0 = rest;
        !name.is_empty() && !rest.starts_with('"')
    }

    /// Whether another part follows after a comma.
    fn goes_on(&self) -> bool {
        let (mut depth, mut is_quoted) = (0_i64, false);
        self.0.chars().any(|c| {
            match c {
                '\'' => is_quoted = !is_quoted,
                '(' if !is_quoted => depth += 1,
                ')' if !is_quoted => depth -= 1,
                _ => {}
            }
            c == ',' && depth <= 0 && !is_quoted
        })
    }

    fn skip(&mut self) -> Result<()> {
        loop {
            // Of space only what both databases take for it.
            let rest = self.0.trim_start_matches([' ', '\t', '\n', '\r', '(']);
            self.0 = if let Some(comment) = rest.strip_prefix("--") {
                let (comment, rest) = comment.split_once('\n').unwrap_or((comment, ""));
                if comment.contains('\r') {
                    // It ends the comment for one database, and for the other it does not.
                    return Err(Error::Statement("A comment before a statement ends with a line feed.".to_owned()));
                }
                rest
            } else if let Some(comment) = rest.strip_prefix("/*") {
                let (comment, rest) = comment.split_once("*/").unwrap_or((comment, ""));
                if comment.contains("/*") {
                    // One database nests them, the other does not.
                    return Err(Error::Statement("A comment before a statement cannot hold `/*`.".to_owned()));
                }
                rest
            } else {
                self.0 = rest;
                return Ok(());
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_by_their_first_words() {
        for (sql, effect) in [
            ("select 1", Effect::Reads),
            (" -- a\n/* b */ SeLeCt 1", Effect::Reads),
            ("(values (1))", Effect::Reads),
            ("with x as (select 1) insert into t select * from x", Effect::Grows),
            ("create/* */table t (a int)", Effect::Grows),
            ("create or replace view v as select 1", Effect::Grows),
            ("create unique index i on t (a)", Effect::Grows),
            ("drop table t", Effect::Shrinks),
            ("delete from t", Effect::Shrinks),
        ] {
            assert_eq!(look(sql).unwrap(), effect, "{sql}");
        }
    }

    #[test]
    fn what_destroys() {
        for (sql, expected) in
            [("drop table t", true), ("/* */ ALTER table t rename to u", true), ("create table t (a int)", false)]
        {
            assert_eq!(destroys(sql).unwrap(), expected, "{sql}");
        }
    }

    #[test]
    fn a_new_column_takes_nothing_away() {
        for (sql, takes_away) in [
            ("alter table t add column owner text default 'a, b'", false),
            ("ALTER TABLE \"my t\" ADD COLUMN \"type\" NUMERIC(10, 2) NOT NULL", false),
            ("alter table if exists only \"s\".\"t\" add price decimal(9, 2)", false),
            ("alter table t add column a int, drop column b", true),
            ("alter table t add constraint c check (a > 0)", true),
            ("alter table t alter column a type text", true),
            ("alter table \"add\" rename to \"add column\"", true),
            ("alter table t rename column a to b", true),
            ("drop index i", true),
            ("truncate t", true),
            ("delete from t", false),
        ] {
            assert_eq!(destroys(sql).unwrap(), takes_away, "{sql}");
        }
    }

    #[test]
    fn what_no_snapshot_holds_is_refused() {
        for (sql, inherits) in [
            ("create table t (a int) partition by range (a)", true),
            ("CREATE TABLE IF NOT EXISTS s.t (a int default (1)) /* x */ PARTITION -- y\n BY LIST (a)", true),
            ("create table p partition of t for values from (1) to (2)", true),
            ("alter table t attach partition p default", true),
            ("create table c (b int) inherits (t)", true),
            ("alter table c inherit t", true),
            ("alter table \"c\" inherit t", true),
            ("create table partition (a int)", false),
            ("create table inherits (a int)", false),
            ("create table t (partition int, inherits text)", false),
            ("create table t (a text default 'x) partition by range (a)')", false),
            ("create table t as select sum(a) over (partition by b) from u", false),
            ("create table \"t) partition by range (a\" (a int)", false),
            ("alter table t add column inherit int", false),
            ("alter table t add check (a > 0) no inherit", false),
            ("alter table t rename to partition", false),
            ("insert into t values ('partition by range (a)')", false),
        ] {
            assert_eq!(matches!(look(sql), Err(Error::Denied(_))), inherits, "{sql}");
        }
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for sql in [
            "",
            ";",
            "set role x",
            "RESET ROLE",
            "attach 'x' as y",
            "pragma journal_mode",
            "vacuum into 'x'",
            "do $$ begin end $$",
            "call x()",
            "copy t to '/x'",
            "create temp table t (a int)",
            "create/**/temporary table t (a int)",
            "create role x",
            "create function f() returns int language sql as 'select 1'",
            "create schema x",
            "create extension x",
            "alter role x set search_path = y",
            "alter system set x = y",
            "drop owned by x",
            "listen x",
            "notify x",
            "lock table t",
            "declare c cursor for select 1",
            "begin",
            "savepoint x",
            "\u{a0}select 1",
            "select_1",
        ] {
            assert!(matches!(look(sql), Err(Error::Denied(_))), "{sql}");
        }
        assert!(matches!(look("--\rreset role /*\nselect 1*/"), Err(Error::Statement(_))));
        assert!(matches!(look("/* /* */ set role x -- */ select 1"), Err(Error::Statement(_))));
        assert!(matches!(look("select '\0'"), Err(Error::Statement(_))));
        assert!(look(&format!("select '{}'", "x".repeat(STATEMENT_BYTES_MAX))).is_err());
    }
}
