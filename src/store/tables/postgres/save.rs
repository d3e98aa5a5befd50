//! All tables of a schema at one instant, while others go on writing.

use std::time::Duration;

use futures_util::TryStreamExt as _;
use mint_domain::migration::AppliedMigration;
use tokio::time::Instant;
use tokio_postgres::Client;

use super::{
    catalog::{self, quoted},
    connection::explain,
    schema::PostgresSchema,
};
use crate::tables::{
    Bounds, Error, Result, Row, Value,
    migration::ledger,
    saved::{Part, Parts, ROW_BYTES_MAX, SavedTables, Table, write_row},
};

/// Longest time for all tables of one installation.
pub(super) const TIME_MAX: Duration = Duration::from_secs(60 * 60);
/// Bytes of rows that are handed on together.
const BATCH_BYTES: usize = 256 << 10;
/// Types whose values have a form of their own; those of all others are texts, as the server writes them.
const PLAIN: [&str; 9] =
    ["boolean", "smallint", "integer", "bigint", "real", "double precision", "bytea", "text", "character varying"];

/// One view of everything, and one way to write moments.
const BEGIN: &str = "begin isolation level repeatable read read only; \
    set local timezone = 'UTC'; set local datestyle = 'ISO, YMD'; set local intervalstyle = 'postgres'; \
    set local extra_float_digits = 1; set local bytea_output = 'hex'";

/// What a connection of a snapshot may use up.
pub(super) fn bounds() -> Bounds {
    Bounds {
        bytes_max: u64::MAX,
        statement: TIME_MAX,
        rows_max: u64::MAX,
        memory_bytes_max: ROW_BYTES_MAX as u64,
        deadline: Instant::now() + TIME_MAX,
    }
}

impl PostgresSchema {
    /// Hands every row to `parts`, and gives what the rows stand in.
    pub(crate) async fn save(&self, parts: &Parts) -> Result<SavedTables> {
        if !self.exists().await? {
            return Ok(SavedTables::None);
        }
        let mut connection = self.connect(&bounds()).await?;
        let client = connection.client();
        client.batch_execute(BEGIN).await.map_err(|error| explain(&error))?;
        let relations = catalog::relations(client, self.name()).await?;
        let tables: Vec<String> =
            relations.iter().filter(|relation| relation.kind == "r").map(|relation| quoted(&relation.name)).collect();
        if !tables.is_empty() {
            let lock = format!("lock table {} in access share mode", tables.join(", "));
            client.batch_execute(&lock).await.map_err(|error| explain(&error))?;
        }
        let mut schema = catalog::describe(client, &relations).await?;
        for table in &mut schema.tables {
            table.rows = rows(client, table, parts).await?;
        }
        schema.ledger = written(client).await?;
        client.batch_execute("commit").await.map_err(|error| explain(&error))?;
        connection.settled();
        Ok(if relations.is_empty() && schema.ledger.is_empty() { SavedTables::None } else { SavedTables::Rows(schema) })
    }
}

/// What is written of migrations, which the role can read.
async fn written(client: &Client) -> Result<Vec<AppliedMigration>> {
    let there = client.query_one("select to_regclass($1::text) is not null", &[&ledger::TABLE]).await;
    if !there.and_then(|row| row.try_get(0)).map_err(|error| explain(&error))? {
        return Ok(Vec::new());
    }
    let sql = format!("select {} from {} order by version", ledger::SELECTED, ledger::TABLE);
    let rows = client.query(&sql, &[]).await.map_err(|error| explain(&error))?;
    let values = |row: &tokio_postgres::Row| (0..row.len()).map(|at| row.try_get(at)).collect::<Result<Row, _>>();
    rows.iter().map(|row| ledger::read(values(row).map_err(|error| explain(&error))?)).collect()
}

async fn rows(client: &Client, table: &Table, parts: &Parts) -> Result<u64> {
    send(parts, Part::Entry(table.entry.clone())).await?;
    let kept: Vec<_> = table.columns.iter().filter(|column| !column.computed).collect();
    let columns: Vec<String> = kept
        .iter()
        .map(|column| {
            let kind = column.kind.split('(').next().unwrap_or_default();
            let cast = if PLAIN.contains(&kind) { "" } else { "::text" };
            format!("{}{cast}", quoted(&column.name))
        })
        .collect();
    let sql = format!("select {} from only {}", columns.join(", "), quoted(&table.name));
    let no_parameters: [Value; 0] = [];
    let stream = client.query_raw(&sql, no_parameters).await.map_err(|error| explain(&error))?;
    let mut stream = std::pin::pin!(stream);
    let (mut count, mut batch) = (0, Vec::with_capacity(BATCH_BYTES));
    while let Some(row) = stream.try_next().await.map_err(|error| explain(&error))? {
        let fields = (0..kept.len()).map(|at| row.try_get(at)).collect::<Result<Vec<Value>, _>>();
        write_row(fields.map_err(|error| explain(&error))?, &mut batch)?;
        count += 1;
        if batch.len() >= BATCH_BYTES {
            send(parts, Part::Bytes(std::mem::take(&mut batch))).await?;
        }
    }
    send(parts, Part::Bytes(batch)).await?;
    Ok(count)
}

async fn send(parts: &Parts, part: Part) -> Result<()> {
    // Whoever writes them has failed, and tells why.
    parts.send(part).await.map_err(|_| Error::Outage("the snapshot was not written any more".to_owned()))
}
