//! The history of this plugin's own tables. Needs the capability `database`.
//!
//! Each migration is a file, named in [`migrations!`](crate::migrations!). What was released must not change, apart from comments
//! and space; what comes next gets the next number.
//!
//! ```
//! use mint_sdk::Result;
//! use mint_sdk::migrations::{Column, Migration, Ops};
//!
//! pub(crate) const MIGRATION: Migration = Migration::new(1, "samples", upgrade).downgrade(downgrade);
//!
//! fn upgrade(ops: &Ops) -> Result<()> {
//!     ops.create_table("samples", &[
//!         Column::id("id"),
//!         Column::text("name").not_null().unique(),
//!         Column::timestamp("taken_at").default_now(),
//!     ])?;
//!     ops.create_index("samples_by_time", "samples", &["taken_at"])?;
//!     Ok(())
//! }
//!
//! fn downgrade(ops: &Ops) -> Result<()> {
//!     ops.drop_table("samples")?;
//!     Ok(())
//! }
//! # fn main() {}
//! ```
//!
//! While a release comes in, the one before still answers: a migration adds, and what takes away is
//! [`destructive`](Migration::destructive), and done when nothing of before runs any more.

mod column;
mod source;

use sha2::{Digest as _, Sha256};

pub use crate::platform::migration_ops::{Column, ColumnType, DefaultValue, Dialect, OnDelete};

use crate::database::{Rows, Value};
use crate::export::migrations as exported;
use crate::platform::migration_ops as host;
use crate::{Error, Result};

/// What a migration does, or what takes it back.
type Work = fn(&Ops<'_>) -> Result<()>;

/// One step of the history.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    version: u32,
    name: &'static str,
    destructive: bool,
    upgrade: Work,
    downgrade: Option<Work>,
}

impl Migration {
    /// The migration with this number, from 1.
    pub const fn new(version: u32, name: &'static str, upgrade: Work) -> Self {
        Self { version, name, destructive: false, upgrade, downgrade: None }
    }

    /// For one after which code of before cannot work: it waits until none of that runs any more.
    #[must_use]
    pub const fn destructive(self) -> Self {
        Self { destructive: true, ..self }
    }

    /// With what takes it back.
    #[must_use]
    pub const fn downgrade(self, downgrade: Work) -> Self {
        Self { downgrade: Some(downgrade), ..self }
    }
}

/// A migration, and the file that it stands in.
#[doc(hidden)]
#[derive(Debug)]
pub struct Declared {
    /// The migration.
    pub migration: Migration,
    /// Text of its file.
    pub source: &'static str,
}

#[doc(hidden)]
pub fn list(history: &[Declared]) -> Vec<exported::Migration> {
    let one = |Declared { migration, source }: &Declared| exported::Migration {
        version: migration.version,
        name: migration.name.to_owned(),
        destructive: migration.destructive,
        checksum: Sha256::digest(source::essence(source)).iter().map(|byte| format!("{byte:02x}")).collect(),
    };
    history.iter().map(one).collect()
}

#[doc(hidden)]
pub fn upgrade(history: &[Declared], version: u32, ops: &host::Ops) -> Result<(), String> {
    (find(history, version)?.upgrade)(&Ops(ops)).map_err(|error| error.to_string())
}

#[doc(hidden)]
pub fn downgrade(history: &[Declared], version: u32, ops: &host::Ops) -> Result<(), String> {
    let downgrade = find(history, version)?.downgrade.ok_or("its author wrote nothing that takes it back.")?;
    downgrade(&Ops(ops)).map_err(|error| error.to_string())
}

fn find(history: &[Declared], version: u32) -> Result<&Migration, String> {
    let found = history.iter().find(|one| one.migration.version == version);
    found.map(|one| &one.migration).ok_or_else(|| Error::not_found(format!("no migration {version}")).to_string())
}

/// The tables, in the hands of one migration. What is there already is left alone: such calls give `false`.
#[derive(Clone, Copy, Debug)]
pub struct Ops<'a>(&'a host::Ops);

/// Every function ends with 400 for what is wrong, 403 for what only a destructive migration may do, 409 where a constraint or a
/// transaction is in the way, 507 at a limit. After an error of the database nothing else can be done.
#[expect(clippy::missing_errors_doc, reason = "said above, once for all")]
impl Ops<'_> {
    /// Which SQL [`query`](Self::query) and [`execute`](Self::execute) take.
    pub fn dialect(&self) -> Dialect {
        self.0.dialect()
    }

    /// Makes a table.
    pub fn create_table(&self, table: &str, columns: &[Column]) -> Result<bool> {
        Ok(self.0.create_table(table, columns)?)
    }

    /// Adds a column.
    pub fn add_column(&self, table: &str, column: &Column) -> Result<bool> {
        Ok(self.0.add_column(table, column)?)
    }

    /// Makes an index.
    pub fn create_index(&self, index: &str, table: &str, columns: &[&str]) -> Result<bool> {
        Ok(self.0.create_index(index, table, &owned(columns), false)?)
    }

    /// Makes an index over values of which no two rows have the same.
    pub fn create_unique_index(&self, index: &str, table: &str, columns: &[&str]) -> Result<bool> {
        Ok(self.0.create_index(index, table, &owned(columns), true)?)
    }

    /// Writes a value where there is none.
    pub fn backfill(&self, table: &str, column: &str, value: impl Into<Value>) -> Result<bool> {
        Ok(self.0.backfill(table, column, &value.into())?)
    }

    /// Gives a column another name. Destructive.
    pub fn rename_column(&self, table: &str, column: &str, to: &str) -> Result<bool> {
        Ok(self.0.rename_column(table, column, to)?)
    }

    /// Changes what a column holds, or whether it can hold nothing; `None` leaves it. Destructive.
    pub fn alter_column(&self, table: &str, column: &str, kind: Option<ColumnType>, nullable: Option<bool>) -> Result<bool> {
        Ok(self.0.alter_column(table, column, kind, nullable)?)
    }

    /// Drops a column, with the indexes on it. Destructive.
    pub fn drop_column(&self, table: &str, column: &str) -> Result<bool> {
        Ok(self.0.drop_column(table, column)?)
    }

    /// Drops a table. Destructive.
    pub fn drop_table(&self, table: &str) -> Result<bool> {
        Ok(self.0.drop_table(table)?)
    }

    /// Drops an index. Destructive.
    pub fn drop_index(&self, index: &str) -> Result<bool> {
        Ok(self.0.drop_index(index)?)
    }

    /// Runs one statement and gives its rows.
    pub fn query(&self, sql: &str, parameters: &[Value]) -> Result<Rows> {
        Ok(self.0.query(sql, parameters)?)
    }

    /// Runs one statement and gives the number of rows that it changed.
    pub fn execute(&self, sql: &str, parameters: &[Value]) -> Result<u64> {
        Ok(self.0.execute(sql, parameters)?)
    }
}

fn owned(columns: &[&str]) -> Vec<String> {
    columns.iter().map(|column| (*column).to_owned()).collect()
}
