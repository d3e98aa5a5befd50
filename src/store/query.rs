//! One SQL text on either database.

/// Runs a query and gives rows: `rows!(tx, all Row, "select …", bind, …)`, with `all`, `optional` or `one`.
macro_rules! rows {
    ($tx:expr, all $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => { rows!(@ $tx, fetch_all, $row, $sql $(, $bind)*) };
    ($tx:expr, optional $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => { rows!(@ $tx, fetch_optional, $row, $sql $(, $bind)*) };
    ($tx:expr, one $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => { rows!(@ $tx, fetch_one, $row, $sql $(, $bind)*) };
    (@ $tx:expr, $fetch:ident, $row:ty, $sql:expr $(, $bind:expr)*) => {
        match $tx {
            $crate::db::Tx::Sqlite(tx) => sqlx::query_as::<_, $row>($sql)$(.bind($bind))*.$fetch(&mut **tx).await,
            $crate::db::Tx::Postgres(tx) => {
                let names = tx.names;
                sqlx::query_as::<_, $row>($sql)$(.bind($bind))*.persistent(names).$fetch(&mut **tx).await
            }
        }
        .map_err($crate::Error::from)
    };
}

/// Runs a statement and gives the number of rows that it touched.
macro_rules! execute {
    ($tx:expr, $sql:expr $(, $bind:expr)* $(,)?) => {
        match $tx {
            $crate::db::Tx::Sqlite(tx) => sqlx::query($sql)$(.bind($bind))*.execute(&mut **tx).await.map(|done| done.rows_affected()),
            $crate::db::Tx::Postgres(tx) => {
                let names = tx.names;
                sqlx::query($sql)$(.bind($bind))*.persistent(names).execute(&mut **tx).await.map(|done| done.rows_affected())
            }
        }
        .map_err($crate::Error::from)
    };
}
