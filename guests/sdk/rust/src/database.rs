//! Tables of this plugin's own. Needs the capability `database`.
//!
//! ```no_run
//! use mint_sdk::database::{self, Transaction};
//!
//! # fn main() -> mint_sdk::Result<()> {
//! database::execute("create table if not exists peaks (id bigint primary key, mass double precision)", &[])?;
//! let transaction = Transaction::begin()?;
//! transaction.execute("insert into peaks values ($1, $2)", &[1.into(), 445.12.into()])?;
//! transaction.commit()?;
//! let found = database::query("select mass from peaks where id = $1", &[1.into()])?;
//! # let _ = found;
//! # Ok(())
//! # }
//! ```

use std::vec;

use crate::Result;
use crate::platform::database as host;
pub use crate::platform::database::{Row, Rows, Value};

/// Rows that a [`Cursor`] asks for at once.
const BATCH_ROWS: u32 = 256;

/// Runs one statement and gives its rows.
///
/// # Errors
///
/// 400 for a statement that is wrong, 403 for one that plugins may not use, 409 where a constraint or another
/// transaction is in the way, 507 at a limit.
pub fn query(sql: &str, parameters: &[Value]) -> Result<Rows> {
    Ok(host::query(sql, parameters)?)
}

/// Runs one statement and gives the number of rows that it changed.
///
/// # Errors
///
/// As for [`query`].
pub fn execute(sql: &str, parameters: &[Value]) -> Result<u64> {
    Ok(host::execute(sql, parameters)?)
}

/// Reads what a query finds, bit by bit: for more rows than fit into memory.
///
/// # Errors
///
/// As for [`query`].
pub fn read(sql: &str, parameters: &[Value]) -> Result<Cursor> {
    let cursor = host::open(sql, parameters)?;
    Ok(Cursor { columns: cursor.columns(), cursor: Some(cursor), batch: Vec::new().into_iter() })
}

/// Statements that take effect together. Dropped without [`commit`](Self::commit), they never do; after one that failed,
/// nothing else can be done.
#[derive(Debug)]
pub struct Transaction(host::Transaction);

impl Transaction {
    /// Begins one.
    ///
    /// # Errors
    ///
    /// 409 when another transaction of this plugin takes too long.
    pub fn begin() -> Result<Self> {
        Ok(Self(host::begin()?))
    }

    /// As the function [`query`], inside the transaction.
    ///
    /// # Errors
    ///
    /// As for [`query`].
    pub fn query(&self, sql: &str, parameters: &[Value]) -> Result<Rows> {
        Ok(self.0.query(sql, parameters)?)
    }

    /// As the function [`execute`], inside the transaction.
    ///
    /// # Errors
    ///
    /// As for [`query`].
    pub fn execute(&self, sql: &str, parameters: &[Value]) -> Result<u64> {
        Ok(self.0.execute(sql, parameters)?)
    }

    /// Makes the changes last.
    ///
    /// # Errors
    ///
    /// As for [`query`]; nothing was changed then.
    pub fn commit(self) -> Result<()> {
        Ok(host::Transaction::commit(self.0)?)
    }
}

/// The rows of a query, one after the other.
#[derive(Debug)]
pub struct Cursor {
    columns: Vec<String>,
    cursor: Option<host::Cursor>,
    batch: vec::IntoIter<Row>,
}

impl Cursor {
    /// Names of the columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }
}

impl Iterator for Cursor {
    type Item = Result<Row>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(row) = self.batch.next() {
            return Some(Ok(row));
        }
        let more = self.cursor.as_ref()?.next(BATCH_ROWS);
        match more {
            Ok(rows) if rows.is_empty() => {
                self.cursor = None;
                None
            }
            Ok(rows) => {
                self.batch = rows.into_iter();
                self.batch.next().map(Ok)
            }
            Err(error) => {
                self.cursor = None;
                Some(Err(error.into()))
            }
        }
    }
}

macro_rules! values {
    ($($from:ty => $case:ident),* $(,)?) => {
        $(impl From<$from> for Value {
            fn from(value: $from) -> Self {
                Self::$case(value.into())
            }
        })*
    };
}

values! {
    bool => Boolean,
    i32 => Integer,
    u32 => Integer,
    i64 => Integer,
    f64 => Real,
    &str => Text,
    String => Text,
    &[u8] => Blob,
    Vec<u8> => Blob,
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
