//! What goes into a statement, and what comes out.

use std::{mem::size_of, time::Duration};

use tokio::time::Instant;

use super::{Error, Result};

/// A parameter, or a field of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// Yes or no.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A number.
    Real(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

impl Value {
    /// Bytes that it takes here.
    fn bytes(&self) -> u64 {
        let held = match self {
            Self::Null | Self::Boolean(_) | Self::Integer(_) | Self::Real(_) => 0,
            Self::Text(text) => text.len(),
            Self::Blob(bytes) => bytes.len(),
        };
        (held + size_of::<Self>()) as u64
    }
}

/// Fields in the order of the columns.
pub type Row = Vec<Value>;

/// What a query found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<Row>,
}

/// What one statement may use up.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Bytes of all tables and indexes together.
    pub bytes_max: u64,
    /// Time of a statement.
    pub statement: Duration,
    /// Rows of an answer.
    pub rows_max: u64,
    /// Bytes of an answer.
    pub memory_bytes_max: u64,
    /// When the caller stops waiting.
    pub deadline: Instant,
}

impl Bounds {
    /// When a statement that begins now has to be done.
    pub(super) fn statement_ends(&self) -> Instant {
        (Instant::now() + self.statement).min(self.deadline)
    }

    /// A statement took too long.
    pub(super) fn too_long(&self) -> Error {
        Error::Limit {
            limit: "database_statement_ms_max",
            message: format!("The statement took longer than {} ms, or than its caller waits.", self.statement.as_millis()),
        }
    }

    /// The tables are too large.
    pub(super) fn full(&self) -> Error {
        Error::Limit {
            limit: "database_bytes_max",
            message: format!("The plugin's tables would take more than their {} KiB.", self.bytes_max >> 10),
        }
    }

    /// An answer is too large.
    pub(super) fn too_large(&self) -> Error {
        Error::Limit {
            limit: "host_memory_bytes_max",
            message: format!("The rows take more than {} KiB. Ask for less, or use a cursor.", self.memory_bytes_max >> 10),
        }
    }
}

/// Rows that are being collected, counted before they are kept.
pub(super) struct Collected<'a> {
    bounds: &'a Bounds,
    bytes: u64,
    pub(super) rows: Vec<Row>,
}

impl<'a> Collected<'a> {
    pub(super) fn new(bounds: &'a Bounds) -> Self {
        Self { bounds, bytes: 0, rows: Vec::new() }
    }

    /// Keeps one more row.
    ///
    /// # Errors
    /// There are too many, or they are too large.
    pub(super) fn push(&mut self, row: Row) -> Result<()> {
        if self.rows.len() as u64 >= self.bounds.rows_max {
            return Err(Error::Limit {
                limit: "database_rows_max",
                message: format!("There are more than {} rows. Ask for less, or use a cursor.", self.bounds.rows_max),
            });
        }
        self.bytes += row.iter().map(Value::bytes).sum::<u64>() + size_of::<Row>() as u64;
        if self.bytes > self.bounds.memory_bytes_max {
            return Err(self.bounds.too_large());
        }
        self.rows.push(row);
        Ok(())
    }
}
