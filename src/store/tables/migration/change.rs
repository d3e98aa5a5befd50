//! What can be changed about tables, the same on both databases.

use super::{Column, ColumnType, DefaultValue, Dialect, MigrationTransaction, ddl, ddl::quoted, rebuild};
use crate::tables::{Bounds, Error, Result, Value};

/// One change.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A new table.
    CreateTable {
        /// Its name.
        table: String,
        /// Its columns.
        columns: Vec<Column>,
    },
    /// A new column.
    AddColumn {
        /// Of this table.
        table: String,
        /// The column.
        column: Column,
    },
    /// A new index.
    CreateIndex {
        /// Its name.
        index: String,
        /// On this table.
        table: String,
        /// On these columns.
        columns: Vec<String>,
        /// Whether no two rows have the same.
        unique: bool,
    },
    /// A value for rows that have none.
    Backfill {
        /// In this table.
        table: String,
        /// In this column.
        column: String,
        /// The value.
        value: Value,
    },
    /// Another name for a column.
    RenameColumn {
        /// In this table.
        table: String,
        /// As it is called.
        from: String,
        /// As it is to be called.
        to: String,
    },
    /// A column that holds something else.
    AlterColumn {
        /// In this table.
        table: String,
        /// The column.
        column: String,
        /// What it is to hold, if not what it holds.
        kind: Option<ColumnType>,
        /// Whether it can hold nothing, if that is to change.
        nullable: Option<bool>,
    },
    /// A column less.
    DropColumn {
        /// In this table.
        table: String,
        /// The column.
        column: String,
    },
    /// A table less.
    DropTable {
        /// The table.
        table: String,
    },
    /// An index less.
    DropIndex {
        /// The index.
        index: String,
    },
}

impl Change {
    /// Whether code of before cannot go on after it.
    pub fn is_destructive(&self) -> bool {
        match self {
            Self::CreateTable { .. } | Self::AddColumn { .. } | Self::CreateIndex { .. } | Self::Backfill { .. } => false,
            Self::RenameColumn { .. }
            | Self::AlterColumn { .. }
            | Self::DropColumn { .. }
            | Self::DropTable { .. }
            | Self::DropIndex { .. } => true,
        }
    }
}

/// A question about what is there, answered by a row or none.
struct Question {
    sqlite: &'static str,
    postgresql: &'static str,
}

const TABLE: Question = Question {
    sqlite: "select 1 from sqlite_master where type = 'table' and name = $1",
    postgresql: "select 1 from pg_catalog.pg_class where relname = $1 and relkind in ('r', 'p') \
                 and relnamespace = (select oid from pg_catalog.pg_namespace where nspname = current_schema())",
};
const INDEX: Question = Question {
    sqlite: "select 1 from sqlite_master where type = 'index' and name = $1",
    postgresql: "select 1 from pg_catalog.pg_class where relname = $1 and relkind in ('i', 'I') \
                 and relnamespace = (select oid from pg_catalog.pg_namespace where nspname = current_schema())",
};
const COLUMN: Question = Question {
    sqlite: "select 1 from pragma_table_xinfo($1) where name = $2",
    postgresql: "select 1 from pg_catalog.pg_attribute where attname = $2 and attnum > 0 and not attisdropped \
                 and attrelid = pg_catalog.to_regclass(pg_catalog.quote_ident($1))",
};
const KEY_COLUMN: Question = Question {
    sqlite: "select 1 from pragma_table_xinfo($1) where name = $2 and pk > 0",
    postgresql: "select 1 from pg_catalog.pg_attribute a join pg_catalog.pg_index i \
                 on i.indrelid = a.attrelid and i.indisprimary and a.attnum = any(i.indkey) \
                 where a.attname = $2 and a.attrelid = pg_catalog.to_regclass(pg_catalog.quote_ident($1))",
};

impl MigrationTransaction {
    /// Makes a change, if it is not made already. Gives whether it was.
    ///
    /// # Errors
    /// See [`Error`]; nothing else can be done after one of a statement.
    pub async fn change(&mut self, change: &Change, bounds: Bounds) -> Result<bool> {
        match change {
            Change::CreateTable { table, columns } => {
                let sql = ddl::create_table(self.dialect(), table, columns)?;
                self.unless(&TABLE, &[table], sql, bounds).await
            }
            Change::AddColumn { table, column } => self.add_column(table, column, bounds).await,
            Change::CreateIndex { index, table, columns, unique } => {
                let sql = ddl::create_index(index, table, columns, *unique)?;
                self.unless(&INDEX, &[index], sql, bounds).await
            }
            Change::Backfill { table, column, value } => {
                let (table, column) = (ddl::name(table)?, ddl::name(column)?);
                let sql = format!("update {table} set {column} = $1 where {column} is null");
                let (_, changed) = self.run(sql, vec![value.clone()], bounds).await?;
                Ok(changed > 0)
            }
            Change::RenameColumn { table, from, to } => self.rename_column(table, from, to, bounds).await,
            Change::AlterColumn { table, column, kind, nullable } => {
                self.alter_column(table, column, *kind, *nullable, bounds).await
            }
            Change::DropColumn { table, column } => self.drop_column(table, column, bounds).await,
            Change::DropTable { table } => {
                let sql = format!("drop table {}", ddl::name(table)?);
                self.only_if(&TABLE, &[table], sql, bounds).await
            }
            Change::DropIndex { index } => {
                let sql = format!("drop index {}", ddl::name(index)?);
                self.only_if(&INDEX, &[index], sql, bounds).await
            }
        }
    }

    async fn is(&mut self, question: &Question, names: &[&String], bounds: Bounds) -> Result<bool> {
        let sql = match self.dialect() {
            Dialect::Sqlite => question.sqlite,
            Dialect::Postgresql => question.postgresql,
        };
        let names = names.iter().map(|name| Value::Text((*name).clone())).collect();
        let (found, _) = self.run(sql.to_owned(), names, bounds).await?;
        Ok(!found.rows.is_empty())
    }

    async fn unless(&mut self, question: &Question, names: &[&String], sql: String, bounds: Bounds) -> Result<bool> {
        if self.is(question, names, bounds).await? {
            return Ok(false);
        }
        self.run(sql, Vec::new(), bounds).await.map(|_| true)
    }

    async fn only_if(&mut self, question: &Question, names: &[&String], sql: String, bounds: Bounds) -> Result<bool> {
        if !self.is(question, names, bounds).await? {
            return Ok(false);
        }
        self.run(sql, Vec::new(), bounds).await.map(|_| true)
    }

    async fn expect_column(&mut self, table: &String, column: &String, bounds: Bounds) -> Result<()> {
        if self.is(&COLUMN, &[table, column], bounds).await? {
            return Ok(());
        }
        Err(Error::Statement(format!("There is no column `{column}` in a table `{table}`.")))
    }

    async fn add_column(&mut self, table: &String, column: &Column, bounds: Bounds) -> Result<bool> {
        if column.primary_key || column.counted {
            return Err(Error::Statement("A primary key is made with its table.".to_owned()));
        }
        let (quoted, definition) = (ddl::name(table)?, ddl::column(self.dialect(), column)?);
        if self.is(&COLUMN, &[table, &column.name], bounds).await? {
            return Ok(false);
        }
        // What SQLite adds only to a table that it makes.
        let hard = column.unique
            || column.default == Some(DefaultValue::Now)
            || (!column.nullable && column.default.is_none())
            || (column.references.is_some() && column.default.is_some());
        if hard && self.dialect() == Dialect::Sqlite {
            rebuild::with(self, table, bounds, |shape| shape.add(definition)).await?;
        } else {
            self.run(format!("alter table {quoted} add column {definition}"), Vec::new(), bounds).await?;
        }
        Ok(true)
    }

    async fn rename_column(&mut self, table: &String, from: &String, to: &String, bounds: Bounds) -> Result<bool> {
        let sql = format!("alter table {} rename column {} to {}", ddl::name(table)?, quoted(from), ddl::name(to)?);
        if !self.is(&COLUMN, &[table, from], bounds).await? && self.is(&COLUMN, &[table, to], bounds).await? {
            return Ok(false);
        }
        self.run(sql, Vec::new(), bounds).await.map(|_| true)
    }

    async fn alter_column(
        &mut self,
        table: &String,
        column: &String,
        kind: Option<ColumnType>,
        nullable: Option<bool>,
        bounds: Bounds,
    ) -> Result<bool> {
        let (quoted_table, quoted_column) = (ddl::name(table)?, quoted(column));
        self.expect_column(table, column, bounds).await?;
        self.refuse_key(table, column, bounds).await?;
        let dialect = self.dialect();
        if dialect == Dialect::Sqlite {
            let column = column.clone();
            rebuild::with(self, table, bounds, move |shape| shape.alter(&column, kind.map(|kind| kind.sql(dialect)), nullable))
                .await?;
            return Ok(true);
        }
        let mut actions = Vec::new();
        if let Some(kind) = kind.map(|kind| kind.sql(dialect)) {
            actions.push(format!("alter column {quoted_column} type {kind} using {quoted_column}::{kind}"));
        }
        if let Some(nullable) = nullable {
            let verb = if nullable { "drop" } else { "set" };
            actions.push(format!("alter column {quoted_column} {verb} not null"));
        }
        if !actions.is_empty() {
            self.run(format!("alter table {quoted_table} {}", actions.join(", ")), Vec::new(), bounds).await?;
        }
        Ok(true)
    }

    async fn drop_column(&mut self, table: &String, column: &String, bounds: Bounds) -> Result<bool> {
        let quoted_table = ddl::name(table)?;
        if !self.is(&COLUMN, &[table, column], bounds).await? {
            return Ok(false);
        }
        self.refuse_key(table, column, bounds).await?;
        if self.dialect() == Dialect::Sqlite {
            let column = column.clone();
            rebuild::with(self, table, bounds, move |shape| shape.remove(&column)).await?;
        } else {
            self.run(format!("alter table {quoted_table} drop column {}", quoted(column)), Vec::new(), bounds).await?;
        }
        Ok(true)
    }

    async fn refuse_key(&mut self, table: &String, column: &String, bounds: Bounds) -> Result<()> {
        if !self.is(&KEY_COLUMN, &[table, column], bounds).await? {
            return Ok(());
        }
        let message =
            format!("`{column}` is of the primary key of `{table}`. Make a new table, copy the rows, and drop the old one.");
        Err(Error::Statement(message))
    }
}
