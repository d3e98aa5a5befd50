//! What commands print: text for people, JSON for programs.

use std::io::{self, Write as _};

use serde::Serialize;
use serde_json::Value;

/// How to print.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    pub(crate) json: bool,
}

impl Output {
    /// Prints a value as JSON, or what `text` makes of it.
    pub(crate) fn print<T: Serialize>(self, value: &T, text: impl FnOnce(&T) -> String) -> anyhow::Result<()> {
        let line = if self.json { serde_json::to_string_pretty(value)? } else { text(value) };
        writeln!(io::stdout(), "{line}")?;
        Ok(())
    }

    /// Prints progress to the side, for people only.
    pub(crate) fn note(self, line: &str) {
        if !self.json {
            // A closed pipe is no reason to stop the work.
            let _ = writeln!(io::stderr(), "{line}");
        }
    }
}

/// A field of a JSON object as a cell; nothing for null, or what is not there.
pub(crate) fn cell(object: &Value, key: &str) -> String {
    match object.get(key) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// Columns, as wide as their widest cell.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0))
        .collect();
    let lines: Vec<String> = rows
        .iter()
        .map(|row| {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        })
        .collect();
    lines.join("\n")
}
