//! What the platform prepares, as itself: roles, schemas, and a database that is closed to them.

use mint_domain::Slug;
use postgres_protocol::password::scram_sha_256;
use rand::{Rng as _, distr::Alphanumeric};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, PgPool};
use tokio::sync::OnceCell;
use tokio_postgres::Config;

use super::{
    connection::{Address, SIZE},
    ledger,
};
use crate::tables::{Error, Owner, Result, pool::CONNECTIONS_MAX};

/// What `client_connection_check_interval` needs.
const VERSION_MIN: i32 = 140_000;
/// Characters of a password.
const PASSWORD_CHARS: usize = 40;

/// What is written on a schema, which says whose it is under whatever name it has.
const BEFORE_PLUGIN: &str = "Tables of the plugin ";
const BEFORE_TENANT: &str = " of ";
const AFTER_TENANT: &str = ", which nobody else uses.";

/// Functions by which any role could hold what belongs to all: locks by number, and storage that is in no table.
const SHARED_FUNCTIONS: &str = "select p.oid::regprocedure::text from pg_catalog.pg_proc p \
    where p.pronamespace = 'pg_catalog'::regnamespace and p.proname ~ \
    '^(pg_(try_)?advisory_(xact_)?lock(_shared)?|pg_notify|lo_.*|loread|lowrite|query_to_xml.*|cursor_to_xml.*|pg_logical_emit_message)$' \
    and p.prokind = 'f' and pg_catalog.has_function_privilege('public', p.oid, 'execute')";

/// A server, by the connections of the platform.
#[derive(Debug)]
pub(crate) struct Server {
    pool: PgPool,
    database: String,
    address: Address,
    closed: OnceCell<()>,
}

/// Ends every session of a role.
pub(super) const ENDED: &str =
    "select pg_catalog.pg_terminate_backend(pid, 5000) from pg_catalog.pg_stat_activity where usename = $1";

pub(super) fn outage(error: sqlx::Error) -> Error {
    Error::Outage(error.to_string())
}

impl Server {
    /// The server of the platform's own database.
    pub(crate) fn new(pool: PgPool) -> Self {
        let options = pool.connect_options();
        let database = options.get_database().unwrap_or_else(|| options.get_username()).to_owned();
        let address = match options.get_socket() {
            Some(directory) => Address::Unix(directory.join(format!(".s.PGSQL.{}", options.get_port()))),
            None if options.get_host().starts_with('/') => {
                Address::Unix(format!("{}/.s.PGSQL.{}", options.get_host(), options.get_port()).into())
            }
            None => Address::Tcp(options.get_host().to_owned(), options.get_port()),
        };
        Self { pool, database, address, closed: OnceCell::new() }
    }

    pub(super) fn pool(&self) -> &PgPool {
        &self.pool
    }

    pub(crate) fn database(&self) -> &str {
        &self.database
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// How a role connects.
    pub(super) fn config(&self, role: &str, password: &str) -> Config {
        let mut config = Config::new();
        config.user(role).password(password).dbname(&self.database).application_name("mint plugin");
        config
    }

    /// Makes what is missing of a role and its schema, and gives it a new password.
    ///
    /// # Errors
    /// [`Error::Unprepared`] tells the operator what the platform's own role is not allowed to do.
    pub(super) async fn prepare(&self, role: &str, owner: &Owner) -> Result<String> {
        let mut connection = self.pool.acquire().await.map_err(outage)?;
        self.closed.get_or_try_init(|| close(&mut connection, &self.database)).await?;
        let password: String = rand::rng().sample_iter(Alphanumeric).take(PASSWORD_CHARS).map(char::from).collect();
        // The server is told what checks the password, not the password: it writes statements into its log.
        let verifier = scram_sha_256(password.as_bytes());
        let made = make(&mut connection, role, owner, &self.database, &verifier).await;
        made.map_err(|error| unprepared(&error, "CREATE ON DATABASE and CREATEROLE", &self.database))?;
        for setting in ["temp_file_limit = '256MB'", "log_statement = 'none'"] {
            let set = AssertSqlSafe(format!("alter role {role} set {setting}"));
            if let Err(error) = connection.execute(set).await {
                tracing::debug!(role, setting, error = %error, "a role of a plugin goes without a setting that needs a superuser");
            }
        }
        check(&mut connection, role, &self.database).await?;
        Ok(password)
    }

    /// Whether there is such a role.
    pub(super) async fn knows(&self, role: &str) -> Result<bool> {
        let known: Option<i32> = sqlx::query_scalar("select 1 from pg_catalog.pg_roles where rolname = $1")
            .bind(role)
            .fetch_optional(&self.pool)
            .await
            .map_err(outage)?;
        Ok(known.is_some())
    }

    /// Bytes of everything in a schema.
    pub(super) async fn size(&self, schema: &str) -> Result<u64> {
        let bytes: i64 = sqlx::query_scalar(SIZE).bind(schema).fetch_one(&self.pool).await.map_err(outage)?;
        Ok(bytes.unsigned_abs())
    }

    /// Schemas of all plugins of a tenant, archived ones too.
    pub(crate) async fn of_tenant(&self, tenant: &Slug) -> Result<Vec<String>> {
        // A slug has no `%` and no `_`.
        let said = format!("{BEFORE_PLUGIN}%{BEFORE_TENANT}{tenant}{AFTER_TENANT}");
        let known = "select nspname::text from pg_catalog.pg_namespace \
            where pg_catalog.obj_description(oid, 'pg_namespace') like $1 order by 1";
        sqlx::query_scalar(known).bind(said).fetch_all(&self.pool).await.map_err(outage)
    }

    /// Deletes a role with everything that it owns.
    pub(crate) async fn remove(&self, role: &str) -> Result<()> {
        if !self.knows(role).await? {
            return Ok(());
        }
        let mut connection = self.pool.acquire().await.map_err(outage)?;
        let mut tx = connection.begin().await.map_err(outage)?;
        change_alone(&mut tx, role).await.map_err(outage)?;
        let grant = AssertSqlSafe(format!(
            "alter role {role} nologin; grant {role} to current_user; drop schema if exists {role} cascade"
        ));
        sqlx::raw_sql(grant).execute(&mut *tx).await.map_err(outage)?;
        sqlx::query(ENDED).bind(role).execute(&mut *tx).await.map_err(outage)?;
        let dropped = AssertSqlSafe(format!("drop owned by {role} cascade; drop role {role}"));
        sqlx::raw_sql(dropped).execute(&mut *tx).await.map_err(outage)?;
        tx.commit().await.map_err(outage)
    }
}

/// Waits for whoever else makes, renames or deletes a role, until the transaction ends: processes that start together, and
/// statements of a start that was given up, which the server may not have ended yet.
pub(super) async fn change_alone(tx: &mut PgConnection, role: &str) -> sqlx::Result<()> {
    let lock = "select pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended($1, 0))";
    sqlx::query(lock).bind(role).execute(tx).await.map(|_| ())
}

async fn make(connection: &mut PgConnection, role: &str, owner: &Owner, database: &str, verifier: &str) -> sqlx::Result<()> {
    let mut tx = connection.begin().await?;
    change_alone(&mut tx, role).await?;
    let known: Option<i32> =
        sqlx::query_scalar("select 1 from pg_catalog.pg_roles where rolname = $1").bind(role).fetch_optional(&mut *tx).await?;
    let verb = if known.is_some() { "alter" } else { "create" };
    let (tenant, plugin) = (&owner.tenant, &owner.plugin);
    // Names are letters, digits and `_`; slugs are letters, digits and `-`; the verifier has no quotes.
    let database = database.replace('"', "\"\"");
    let statements = format!(
        "{verb} role {role} login noinherit nocreatedb nocreaterole connection limit {connections} password '{verifier}';
         grant connect on database \"{database}\" to {role};
         create schema if not exists {role};
         comment on schema {role} is '{BEFORE_PLUGIN}{plugin}{BEFORE_TENANT}{tenant}{AFTER_TENANT}';
         revoke all on schema {role} from public;
         grant usage, create on schema {role} to {role};
         alter role {role} reset all;
         alter role {role} set search_path = {role};
         alter role {role} set idle_in_transaction_session_timeout = '60s';
         alter role {role} set statement_timeout = '60s';
         {ledger}",
        ledger = ledger::create(role),
        // A few more than the platform uses: a replica that takes over, and connections that are on their way out.
        connections = CONNECTIONS_MAX * 4,
    );
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut *tx).await?;
    tx.commit().await
}

/// Takes from everybody what a role of a plugin must not have, as far as the platform's role may do that.
async fn close(connection: &mut PgConnection, database: &str) -> Result<()> {
    let (version, superuser): (i32, bool) = sqlx::query_as(
        "select current_setting('server_version_num')::int, rolsuper from pg_catalog.pg_roles where rolname = current_user",
    )
    .fetch_one(&mut *connection)
    .await
    .map_err(outage)?;
    if version < VERSION_MIN {
        let reason = format!("Tables of plugins need PostgreSQL 14, and this is {}.", version / 10_000);
        return Err(Error::Unprepared { reason, hint: "Update the server, or use SQLite.".to_owned() });
    }
    let quoted = database.replace('"', "\"\"");
    let mut statements = vec![
        format!("revoke temporary on database \"{quoted}\" from public"),
        "revoke create on schema public from public".to_owned(),
    ];
    if superuser {
        let functions: Vec<String> = sqlx::query_scalar(SHARED_FUNCTIONS).fetch_all(&mut *connection).await.map_err(outage)?;
        statements.extend(functions.into_iter().map(|function| format!("revoke execute on function {function} from public")));
    } else {
        tracing::warn!(
            "the platform's role is no superuser: plugins with the capability `database` can call functions that take advisory \
             locks and make large objects, unless an administrator of the server revokes them from PUBLIC"
        );
    }
    for statement in statements {
        if let Err(error) = connection.execute(AssertSqlSafe(statement.clone())).await {
            tracing::debug!(statement, error = %error, "the platform's role may not do this");
        }
    }
    Ok(())
}

/// What a role can do although it should not is a reason to make none.
async fn check(connection: &mut PgConnection, role: &str, database: &str) -> Result<()> {
    let (temporary, public): (bool, bool) = sqlx::query_as(
        "select pg_catalog.has_database_privilege($1, current_database(), 'temporary'), \
                pg_catalog.has_schema_privilege($1, 'public', 'create')",
    )
    .bind(role)
    .fetch_one(connection)
    .await
    .map_err(outage)?;
    let missing = match (temporary, public) {
        (true, _) => format!("REVOKE TEMPORARY ON DATABASE \"{database}\" FROM PUBLIC"),
        (_, true) => "REVOKE CREATE ON SCHEMA public FROM PUBLIC".to_owned(),
        (false, false) => return Ok(()),
    };
    Err(Error::Unprepared {
        reason: "A plugin's role could make tables outside of its schema.".to_owned(),
        hint: format!("As the owner of the database, run `{missing}`."),
    })
}

fn unprepared(error: &sqlx::Error, rights: &str, database: &str) -> Error {
    match error.as_database_error().and_then(sqlx::error::DatabaseError::code).as_deref() {
        Some("42501") => Error::Unprepared {
            reason: format!("The platform's role may not make roles and schemas for plugins ({error})."),
            hint: format!(
                "It needs {rights}. As an administrator of the server, run `ALTER ROLE <role> CREATEROLE` and \
                 `GRANT CREATE ON DATABASE \"{database}\" TO <role>`, with the role of the platform's database address."
            ),
        },
        _ => Error::Outage(error.to_string()),
    }
}
