//! `mint:platform/migration-ops`.

use mint_context::migration_ops::{self, Change, MigrationOps};
use wasmtime::component::Resource;

use super::{
    convert::{Answer, answer},
    database::given,
};
use crate::{
    bindings::mint::platform::{
        database::{Rows, Value},
        migration_ops::{Column, ColumnType, DefaultValue, Dialect, Host, HostOps, OnDelete, Reference},
    },
    store::State,
};

/// The resource `ops`. A guest has it only while one of its migrations runs.
#[derive(Debug)]
#[expect(unreachable_pub, reason = "the generated bindings export it under the name of the resource")]
pub struct Ops(pub(crate) MigrationOps);

impl From<ColumnType> for migration_ops::ColumnType {
    fn from(kind: ColumnType) -> Self {
        match kind {
            ColumnType::Integer => Self::Integer,
            ColumnType::Bigint => Self::Bigint,
            ColumnType::Real => Self::Real,
            ColumnType::Decimal => Self::Decimal,
            ColumnType::Text => Self::Text,
            ColumnType::Boolean => Self::Boolean,
            ColumnType::Timestamp => Self::Timestamp,
            ColumnType::Date => Self::Date,
            ColumnType::Json => Self::Json,
            ColumnType::Uuid => Self::Uuid,
            ColumnType::Blob => Self::Blob,
        }
    }
}

impl From<DefaultValue> for migration_ops::DefaultValue {
    fn from(default: DefaultValue) -> Self {
        match default {
            DefaultValue::Literal(value) => Self::Value(value.into()),
            DefaultValue::Now => Self::Now,
        }
    }
}

impl From<Reference> for migration_ops::Reference {
    fn from(reference: Reference) -> Self {
        let on_delete = match reference.on_delete {
            OnDelete::Refuse => migration_ops::OnDelete::Refuse,
            OnDelete::Cascade => migration_ops::OnDelete::Cascade,
            OnDelete::SetNull => migration_ops::OnDelete::SetNull,
        };
        Self { table: reference.table, column: reference.column, on_delete }
    }
}

impl From<Column> for migration_ops::Column {
    fn from(column: Column) -> Self {
        Self {
            name: column.name,
            kind: column.kind.into(),
            nullable: column.nullable,
            default: column.default.map(Into::into),
            unique: column.unique,
            primary_key: column.primary_key,
            counted: column.counted,
            references: column.references.map(Into::into),
        }
    }
}

impl State {
    async fn change(&mut self, ops: &Resource<Ops>, change: Change) -> Answer<bool> {
        let ops = self.table.get(ops)?.0.clone();
        answer(&self.call, ops.change(change).await)
    }
}

impl Host for State {}

impl HostOps for State {
    async fn dialect(&mut self, ops: Resource<Ops>) -> wasmtime::Result<Dialect> {
        Ok(match self.table.get(&ops)?.0.dialect() {
            migration_ops::Dialect::Sqlite => Dialect::Sqlite,
            migration_ops::Dialect::Postgresql => Dialect::Postgresql,
        })
    }

    async fn create_table(&mut self, ops: Resource<Ops>, table: String, columns: Vec<Column>) -> Answer<bool> {
        let columns = columns.into_iter().map(Into::into).collect();
        self.change(&ops, Change::CreateTable { table, columns }).await
    }

    async fn add_column(&mut self, ops: Resource<Ops>, table: String, column: Column) -> Answer<bool> {
        self.change(&ops, Change::AddColumn { table, column: column.into() }).await
    }

    async fn create_index(
        &mut self,
        ops: Resource<Ops>,
        index: String,
        table: String,
        columns: Vec<String>,
        unique: bool,
    ) -> Answer<bool> {
        self.change(&ops, Change::CreateIndex { index, table, columns, unique }).await
    }

    async fn backfill(&mut self, ops: Resource<Ops>, table: String, column: String, value: Value) -> Answer<bool> {
        self.change(&ops, Change::Backfill { table, column, value: value.into() }).await
    }

    async fn rename_column(&mut self, ops: Resource<Ops>, table: String, column: String, to: String) -> Answer<bool> {
        self.change(&ops, Change::RenameColumn { table, from: column, to }).await
    }

    async fn alter_column(
        &mut self,
        ops: Resource<Ops>,
        table: String,
        column: String,
        kind: Option<ColumnType>,
        nullable: Option<bool>,
    ) -> Answer<bool> {
        self.change(&ops, Change::AlterColumn { table, column, kind: kind.map(Into::into), nullable }).await
    }

    async fn drop_column(&mut self, ops: Resource<Ops>, table: String, column: String) -> Answer<bool> {
        self.change(&ops, Change::DropColumn { table, column }).await
    }

    async fn drop_table(&mut self, ops: Resource<Ops>, table: String) -> Answer<bool> {
        self.change(&ops, Change::DropTable { table }).await
    }

    async fn drop_index(&mut self, ops: Resource<Ops>, index: String) -> Answer<bool> {
        self.change(&ops, Change::DropIndex { index }).await
    }

    async fn query(&mut self, ops: Resource<Ops>, sql: String, parameters: Vec<Value>) -> Answer<Rows> {
        let ops = self.table.get(&ops)?.0.clone();
        answer(&self.call, ops.query(sql, given(parameters)).await.map(Into::into))
    }

    async fn execute(&mut self, ops: Resource<Ops>, sql: String, parameters: Vec<Value>) -> Answer<u64> {
        let ops = self.table.get(&ops)?.0.clone();
        answer(&self.call, ops.execute(sql, given(parameters)).await)
    }

    async fn drop(&mut self, ops: Resource<Ops>) -> wasmtime::Result<()> {
        self.table.delete(ops)?;
        Ok(())
    }
}
