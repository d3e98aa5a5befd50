//! Everything that stands in a schema in the place of what stands there, in one transaction of the role's own.

use std::{io, path::Path};

use bytes::Bytes;
use futures_util::SinkExt as _;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio_postgres::{Client, types::ToSql};

use super::{
    catalog::{self, quoted},
    connection::explain,
    copy_text,
    save::bounds,
    schema::PostgresSchema,
};
use crate::tables::{
    Error, Result, gate,
    saved::{Column, ConstraintKind, ROW_BYTES_MAX, SavedSchema, Sequence, Table, View, read_row},
};

/// Bytes that are sent together.
const BATCH_BYTES: usize = 256 << 10;

impl PostgresSchema {
    /// Puts `schema` with the rows in `directory` in the place of everything that stands here.
    pub(crate) async fn restore(&self, schema: &SavedSchema, directory: &Path) -> Result<()> {
        let is_empty = schema.tables.is_empty() && schema.views.is_empty() && schema.sequences.is_empty();
        if is_empty && schema.ledger.is_empty() && !self.exists().await? {
            return Ok(());
        }
        let mut connection = self.connect(&bounds()).await?;
        let client = connection.client();
        let begin = "begin; set local timezone = 'UTC'; set local datestyle = 'ISO, YMD'; set local check_function_bodies = off";
        run(client, begin).await?;
        let mut relations = catalog::relations(client, self.name()).await?;
        // Those of identity columns go with their tables, and not by themselves.
        relations.sort_by_key(|relation| relation.kind == "S");
        for relation in relations {
            let kind = match relation.kind.as_str() {
                "v" => "view",
                "m" => "materialized view",
                "S" => "sequence",
                _ => "table",
            };
            run(client, &format!("drop {kind} if exists {} cascade", quoted(&relation.name))).await?;
        }
        fill(client, schema, directory).await?;
        run(client, "commit").await?;
        connection.settled();
        // Of the platform's own table, by the platform. Who dies between the two puts all of it back once more.
        self.server().rewrite(self.name(), &schema.ledger).await
    }
}

async fn fill(client: &Client, schema: &SavedSchema, directory: &Path) -> Result<()> {
    for sequence in &schema.sequences {
        let name = quoted(&sequence.name);
        run(client, &format!("create sequence {name} as {} {}", sequence.kind, counting(sequence))).await?;
    }
    for table in &schema.tables {
        let columns: Vec<String> = table.columns.iter().map(column).collect();
        statement(client, &format!("create table {} ({})", quoted(&table.name), columns.join(", "))).await?;
        copy(client, table, directory).await?;
    }
    for sql in keys(schema) {
        statement(client, &sql).await?;
    }
    count_on(client, schema).await?;
    views(client, schema.views.clone()).await
}

/// Keys, checks and indexes. What refers to another table comes when all keys are there.
fn keys(schema: &SavedSchema) -> Vec<String> {
    let mut statements = Vec::new();
    for last in [false, true] {
        for table in &schema.tables {
            let due = |kind| (kind == ConstraintKind::ForeignKey) == last;
            for constraint in table.constraints.iter().filter(|constraint| due(constraint.kind)) {
                let (table, name) = (quoted(&table.name), quoted(&constraint.name));
                statements.push(format!("alter table {table} add constraint {name} {}", constraint.definition));
            }
        }
    }
    statements.extend(schema.tables.iter().flat_map(|table| &table.indexes).map(|index| index.statement.clone()));
    statements
}

async fn copy(client: &Client, table: &Table, directory: &Path) -> Result<()> {
    let kept: Vec<String> = table.columns.iter().filter(|column| !column.computed).map(|column| quoted(&column.name)).collect();
    if kept.is_empty() && table.rows > 0 {
        return Err(Error::Unsaveable(format!("The table `{}` has rows without columns.", table.name)));
    }
    if kept.is_empty() {
        return Ok(());
    }
    let failed = |error: tokio_postgres::Error| match explain(&error) {
        Error::Outage(reason) => Error::Outage(reason),
        other => Error::Unsaveable(format!("The rows of the table `{}` cannot be put back: {other}", table.name)),
    };
    let read = |error: io::Error| Error::Outage(format!("{}: {error}", table.entry));
    let sql = format!("copy {} ({}) from stdin", quoted(&table.name), kept.join(", "));
    let mut sink = std::pin::pin!(client.copy_in::<_, Bytes>(&sql).await.map_err(failed)?);
    let mut file = BufReader::new(tokio::fs::File::open(directory.join(&table.entry)).await.map_err(read)?);
    let (mut line, mut batch) = (Vec::new(), Vec::with_capacity(BATCH_BYTES));
    loop {
        line.clear();
        let count = (&mut file).take(ROW_BYTES_MAX as u64).read_until(b'\n', &mut line).await.map_err(read)?;
        if count > 0 {
            copy_text::append(&read_row(&line, kept.len())?, &mut batch);
        }
        if batch.len() >= BATCH_BYTES || (count == 0 && !batch.is_empty()) {
            sink.send(std::mem::take(&mut batch).into()).await.map_err(failed)?;
        }
        if count == 0 {
            break;
        }
    }
    let rows = sink.as_mut().finish().await.map_err(failed)?;
    if rows == table.rows {
        return Ok(());
    }
    Err(Error::Unsaveable(format!("The table `{}` should have {} rows, and {rows} were found.", table.name, table.rows)))
}

/// Counters go on where they were.
async fn count_on(client: &Client, schema: &SavedSchema) -> Result<()> {
    for sequence in &schema.sequences {
        let name = quoted(&sequence.name);
        if let Some((table, column)) = &sequence.owned_by {
            run(client, &format!("alter sequence {name} owned by {}.{}", quoted(table), quoted(column))).await?;
        }
        set(client, "$1::text::regclass", &[&name], sequence).await?;
    }
    for table in &schema.tables {
        for column in &table.columns {
            if let Some((_, sequence)) = &column.identity {
                let place = "pg_get_serial_sequence($1::text, $2::text)::regclass";
                set(client, place, &[&quoted(&table.name), &column.name], sequence).await?;
            }
        }
    }
    Ok(())
}

async fn set(client: &Client, place: &str, names: &[&(dyn ToSql + Sync)], sequence: &Sequence) -> Result<()> {
    let sql = format!("select setval({place}, {}, {})", sequence.last, sequence.called);
    client.query_one(&sql, names).await.map(drop).map_err(|error| explain(&error))
}

/// One may need another that comes after it.
async fn views(client: &Client, mut views: Vec<View>) -> Result<()> {
    while !views.is_empty() {
        let (before, mut left, mut failure) = (views.len(), Vec::new(), None);
        for view in views {
            let kind = if view.materialized { "materialized view" } else { "view" };
            let create = format!("create {kind} {} as {}", quoted(&view.name), view.query.trim_end_matches(';'));
            run(client, "savepoint view").await?;
            match statement(client, &create).await {
                Ok(()) => {
                    for index in &view.indexes {
                        statement(client, index).await?;
                    }
                }
                Err(error) => {
                    run(client, "rollback to savepoint view").await?;
                    failure = Some((view.name.clone(), error));
                    left.push(view);
                }
            }
            run(client, "release savepoint view").await?;
        }
        if left.len() == before
            && let Some((name, error)) = failure
        {
            return Err(Error::Unsaveable(format!("The view `{name}` cannot be put back: {error}")));
        }
        views = left;
    }
    Ok(())
}

fn column(column: &Column) -> String {
    let mut text = format!("{} {}", quoted(&column.name), column.kind);
    if let Some(collation) = &column.collation {
        text.push_str(&format!(" collate {collation}"));
    }
    match (&column.identity, &column.default) {
        (Some((when, sequence)), _) => text.push_str(&format!(" generated {when} as identity ({})", counting(sequence))),
        (None, Some(value)) if column.computed => text.push_str(&format!(" generated always as ({value}) stored")),
        (None, Some(value)) => text.push_str(&format!(" default {value}")),
        (None, None) => {}
    }
    if column.not_null {
        text.push_str(" not null");
    }
    text
}

fn counting(sequence: &Sequence) -> String {
    let Sequence { start, increment, min, max, .. } = sequence;
    let cycle = if sequence.cycles { "cycle" } else { "no cycle" };
    format!("start with {start} increment by {increment} minvalue {min} maxvalue {max} {cycle}")
}

/// A statement of the platform's.
async fn run(client: &Client, sql: &str) -> Result<()> {
    client.batch_execute(sql).await.map_err(|error| explain(&error))
}

/// A statement that came with the snapshot: one, and one that the plugin might have used itself.
async fn statement(client: &Client, sql: &str) -> Result<()> {
    let _effect = gate::look(sql)?;
    client.execute(sql, &[]).await.map(drop).map_err(|error| explain(&error))
}
