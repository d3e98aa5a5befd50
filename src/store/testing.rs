//! Databases for tests: SQLite in a directory that goes with the test, and PostgreSQL where one is given.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use time::{Duration, OffsetDateTime};

use crate::Db;

/// Names the variable with the address of a PostgreSQL server on which tests may create databases.
pub const POSTGRES_URL: &str = "MINT_TEST_POSTGRES_URL";

/// A database of the test's own.
#[derive(Debug)]
pub struct TestDb {
    /// The database.
    pub db: Db,
    /// Its address, to open it a second time.
    pub url: String,
    _directory: Option<tempfile::TempDir>,
}

/// A new SQLite database, and a new PostgreSQL one where [`POSTGRES_URL`] names a server.
///
/// # Panics
/// When a database cannot be made: the test cannot run.
#[expect(clippy::disallowed_methods, clippy::expect_used, clippy::print_stderr, reason = "test support")]
pub async fn databases() -> Vec<TestDb> {
    let directory = tempfile::tempdir().expect("temporary directory");
    let url = format!("sqlite:{}", directory.path().join("mint.sqlite").display());
    let mut databases = vec![TestDb { db: Db::open(&url).await.expect("SQLite database"), url, _directory: Some(directory) }];
    match std::env::var(POSTGRES_URL) {
        Ok(server) => databases.push(postgres(&server).await),
        Err(_) => eprintln!("{POSTGRES_URL} is not set: this test runs on SQLite only"),
    }
    databases
}

/// Runs statements on a PostgreSQL server as whoever its address says, as an administrator of the server might.
///
/// # Panics
/// When they fail.
#[expect(clippy::expect_used, reason = "test support")]
pub async fn administer(url: &str, statements: &str) {
    let mut connection = PgConnection::connect(url).await.expect("PostgreSQL server");
    connection.execute(AssertSqlSafe(statements.to_owned())).await.expect("statements");
}

/// Lets time pass for the codes that lead to front-ends, and for nothing else.
///
/// # Panics
/// When the database does not answer.
#[expect(clippy::expect_used, reason = "test support")]
pub async fn age_frontend_codes(db: &Db, by: Duration) {
    let mut tx = db.begin().await.expect("a transaction");
    let codes = rows!(&mut tx, all(String, OffsetDateTime), "select code_sha256, expires_at from frontend_codes");
    for (code, expires_at) in codes.expect("codes") {
        let aged = execute!(&mut tx, "update frontend_codes set expires_at = $2 where code_sha256 = $1", code, expires_at - by);
        aged.expect("an update");
    }
    tx.commit().await.expect("a commit");
}

/// Whether the rows stand at a server, and not in a file.
pub fn is_server(db: &Db) -> bool {
    matches!(db, Db::Postgres(_))
}

/// All rows of all tables as a server has them; nothing where they stand in a file.
///
/// # Panics
/// When the database does not answer.
#[expect(clippy::expect_used, reason = "test support")]
pub async fn rows_of_server(db: &Db) -> String {
    if !is_server(db) {
        return String::new();
    }
    let mut tx = db.read().await.expect("a transaction");
    let (text,) = rows!(&mut tx, one(String,), "select schema_to_xml('public', true, true, '')::text").expect("rows");
    text
}

/// Lets time pass for credentials that end, and for nothing else.
///
/// # Panics
/// When the database does not answer.
#[expect(clippy::expect_used, reason = "test support")]
pub async fn age_credentials(db: &Db, by: Duration) {
    let mut tx = db.begin().await.expect("a transaction");
    let keyed_by_token = ["access_tokens", "service_tokens", "sessions", "setup_tokens"].map(|table| (table, "token_sha256"));
    for (table, key) in keyed_by_token.into_iter().chain([("device_codes", "device_sha256")]) {
        let rows = rows!(
            &mut tx,
            all(String, OffsetDateTime),
            AssertSqlSafe(format!("select {key}, expires_at from {table} where expires_at is not null")),
        );
        for (hash, ends) in rows.expect("credentials") {
            let update = AssertSqlSafe(format!("update {table} set expires_at = $2 where {key} = $1"));
            execute!(&mut tx, update, hash, ends - by).expect("an update");
        }
    }
    tx.commit().await.expect("a commit");
}

#[expect(clippy::expect_used, reason = "test support")]
async fn postgres(server: &str) -> TestDb {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let name = format!("mint_test_{}_{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
    let mut connection = PgConnection::connect(server).await.expect("PostgreSQL server");
    remove_left_behind(&mut connection).await.expect("PostgreSQL server");
    connection.execute(AssertSqlSafe(format!("create database {name}"))).await.expect("create database");
    let (base, query) = server.split_once('?').unwrap_or((server, ""));
    let base = base.rsplit_once('/').map_or(base, |(base, _)| base);
    let url = format!("{base}/{name}?{query}");
    TestDb { db: Db::open(&url).await.expect("PostgreSQL database"), url, _directory: None }
}

/// Removes what an earlier process of the same number left behind on a server that is kept: names would come again.
async fn remove_left_behind(connection: &mut PgConnection) -> sqlx::Result<()> {
    static FIRST: AtomicBool = AtomicBool::new(true);
    if !FIRST.swap(false, Ordering::Relaxed) {
        return Ok(());
    }
    let names: Vec<String> = sqlx::query_scalar("select datname::text from pg_database where datname like $1")
        .bind(format!("mint\\_test\\_{}\\_%", std::process::id()))
        .fetch_all(&mut *connection)
        .await?;
    for name in names {
        connection.execute(AssertSqlSafe(format!("drop database if exists {name} with (force)"))).await?;
    }
    Ok(())
}
