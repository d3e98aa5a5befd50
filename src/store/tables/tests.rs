//! The platform's own role need not be a superuser.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tokio::time::Instant;

use super::{Bounds, Error, Owner, PluginTables, Value};
use crate::{
    Db,
    testing::{POSTGRES_URL, databases},
};

fn bounds() -> Bounds {
    Bounds {
        bytes_max: 1 << 20,
        statement: Duration::from_secs(5),
        rows_max: 10,
        memory_bytes_max: 1 << 20,
        deadline: Instant::now() + Duration::from_secs(30),
    }
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the server for tests is named by a variable")]
async fn a_role_that_may_not_make_roles_is_told_what_it_needs() {
    let Ok(server) = std::env::var(POSTGRES_URL) else { return };
    let database = databases().await.pop().unwrap();
    let name = database.url.split('?').next().unwrap().rsplit('/').next().unwrap().to_owned();
    let operator = format!("{name}_operator");
    let mut admin = PgConnection::connect(&database.url).await.unwrap();
    database.db.close().await;
    let statements = format!(
        "drop role if exists {operator}; create role {operator} login; alter database {name} owner to {operator}; \
         alter schema public owner to {operator}; grant all on all tables in schema public to {operator}"
    );
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut admin).await.unwrap();

    let user = server.split("://").nth(1).unwrap().split(['@', ':']).next().unwrap().to_owned();
    let url = database.url.replacen(&format!("://{user}"), &format!("://{operator}"), 1);
    let db = Db::open(&url).await.unwrap();
    let tables = PluginTables::beside(&db, std::path::Path::new("unused"));
    let owner = Owner { tenant: "lab".parse().unwrap(), plugin: "peaks".parse().unwrap() };
    let Err(Error::Unprepared { reason, hint }) = tables.prepare(&owner, bounds()).await else { panic!("it was allowed") };
    assert!(reason.contains("may not make roles") && hint.contains("CREATEROLE"), "{reason} {hint}");

    admin.execute(AssertSqlSafe(format!("alter role {operator} createrole"))).await.unwrap();
    tables.prepare(&owner, bounds()).await.unwrap();
    for sql in ["create table t (a bigint)", "insert into t values ($1)"] {
        let parameters = if sql.contains('$') { vec![Value::Integer(7)] } else { Vec::new() };
        tables.run(&owner, sql.to_owned(), parameters, bounds()).await.unwrap();
    }
    let (found, _) = tables.run(&owner, "select a from t".to_owned(), Vec::new(), bounds()).await.unwrap();
    assert_eq!(found.rows, [[Value::Integer(7)]]);
    let temporary = tables.run(&owner, "select 1 as a into temp x".to_owned(), Vec::new(), bounds()).await;
    assert!(matches!(temporary, Err(Error::Denied(_))), "{temporary:?}");

    // Another process takes the role over: this one's password is no longer that of the server.
    let other = PluginTables::beside(&db, std::path::Path::new("unused"));
    other.prepare(&owner, bounds()).await.unwrap();
    other.rest(&owner);
    tables.run(&owner, "select a from t".to_owned(), Vec::new(), bounds()).await.unwrap();

    tables.delete(&owner).await.unwrap();
    tables.delete(&owner).await.unwrap();
    let gone = tables.run(&owner, "select a from t".to_owned(), Vec::new(), bounds()).await;
    assert!(matches!(gone, Err(Error::Statement(_))), "{gone:?}");
    tables.delete(&owner).await.unwrap();
}
