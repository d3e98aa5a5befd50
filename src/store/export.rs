//! All rows of a laboratory that are its own, as lines of JSON: the same form from either database, read at one moment, one row at a
//! time.
//!
//! What is listed here goes out of the house: no hash of a password or of a token is among it.

use futures_util::TryStreamExt as _;
use mint_domain::TenantId;
use serde_json::Value;
use sqlx::AssertSqlSafe;

use crate::{Error, Result, Tx};

/// How a column is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum As {
    /// As it is.
    Plain,
    /// A JSON value, not a text with one.
    Json,
    /// `true` or `false`.
    Bool,
    /// RFC 3339, in UTC.
    Time,
}

use As::{Bool, Json, Plain, Time};

/// What is exported of one table.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Its name in the export.
    pub name: &'static str,
    /// Where rows come from, and the condition that names the tenant, `$1`.
    from: &'static str,
    order: &'static str,
    columns: &'static [(&'static str, &'static str, As)],
}

const CREATED: (&str, &str, As) = ("created_at", "t.created_at", Time);
const UPDATED: (&str, &str, As) = ("updated_at", "t.updated_at", Time);

/// What is exported.
pub const TABLES: &[Table] = &[
    Table {
        name: "laboratory",
        from: "tenants t where t.id = $1",
        order: "t.id",
        columns: &[
            ("slug", "t.slug", Plain),
            ("name", "t.name", Plain),
            ("limits", "t.limits", Json),
            ("share", "t.share", Json),
            CREATED,
        ],
    },
    Table {
        name: "users",
        from: "users t where t.tenant_id = $1",
        order: "t.id",
        columns: &[
            ("id", "t.id", Plain),
            ("username", "t.username", Plain),
            ("role", "t.role", Plain),
            ("is_active", "t.is_active", Bool),
            ("email", "t.email", Plain),
            ("shortname", "t.shortname", Plain),
            ("first_name", "t.first_name", Plain),
            ("last_name", "t.last_name", Plain),
            CREATED,
            UPDATED,
        ],
    },
    Table {
        name: "roles",
        from: "custom_roles t where t.tenant_id = $1",
        order: "t.id",
        columns: &[
            ("slug", "t.slug", Plain),
            ("name", "t.name", Plain),
            ("description", "t.description", Plain),
            ("permissions", "t.permissions", Json),
            ("plugins", "t.plugins", Json),
            ("is_assigned", "t.is_assigned", Bool),
            CREATED,
            UPDATED,
        ],
    },
    Table {
        name: "tokens",
        from: "access_tokens t where t.tenant_id = $1",
        order: "t.id",
        columns: &[
            ("id", "t.id", Plain),
            ("user_id", "t.user_id", Plain),
            ("name", "t.name", Plain),
            ("is_read_only", "t.is_read_only", Bool),
            ("permissions", "t.permissions", Json),
            ("expires_at", "t.expires_at", Time),
            ("last_used_at", "t.last_used_at", Time),
            CREATED,
        ],
    },
    Table {
        name: "passkeys",
        from: "passkeys t where t.tenant_id = $1",
        order: "t.id",
        columns: &[
            ("id", "t.id", Plain),
            ("user_id", "t.user_id", Plain),
            ("name", "t.name", Plain),
            ("last_used_at", "t.last_used_at", Time),
            CREATED,
        ],
    },
    Table {
        name: "external-identities",
        from: "external_identities t where t.tenant_id = $1",
        order: "t.id",
        columns: &[
            ("id", "t.id", Plain),
            ("user_id", "t.user_id", Plain),
            ("provider", "t.provider", Plain),
            ("issuer", "t.issuer", Plain),
            ("subject", "t.subject", Plain),
            ("last_used_at", "t.last_used_at", Time),
            CREATED,
        ],
    },
    Table {
        name: "plugin-roles",
        from: "plugin_roles t where t.tenant_id = $1",
        order: "t.id",
        columns: &[
            ("user_id", "t.user_id", Plain),
            ("plugin", "t.plugin", Plain),
            ("role", "t.role", Plain),
            ("fields", "t.fields", Json),
            CREATED,
            UPDATED,
        ],
    },
    Table {
        name: "projects",
        from: "projects t where t.tenant_id = $1",
        order: "t.id",
        columns: &[
            ("id", "t.id", Plain),
            ("name", "t.name", Plain),
            ("description", "t.description", Plain),
            ("status", "t.status", Plain),
            ("created_by", "t.created_by", Plain),
            CREATED,
            UPDATED,
        ],
    },
    Table {
        name: "project-members",
        from: "project_members t where t.tenant_id = $1",
        order: "t.project_id, t.user_id",
        columns: &[
            ("project_id", "t.project_id", Plain),
            ("user_id", "t.user_id", Plain),
            ("role", "t.role", Plain),
            CREATED,
            UPDATED,
        ],
    },
    Table {
        name: "experiments",
        from: "experiments t where t.tenant_id = $1",
        order: "t.id",
        columns: &[
            ("id", "t.id", Plain),
            ("project_id", "t.project_id", Plain),
            ("parent_experiment_id", "t.parent_experiment_id", Plain),
            ("name", "t.name", Plain),
            ("experiment_type", "t.experiment_type", Plain),
            ("status", "t.status", Plain),
            ("notes", "t.notes", Plain),
            ("tags", "t.tags", Json),
            ("custom_metadata", "t.custom_metadata", Json),
            ("start_date", "t.start_date", Plain),
            ("end_date", "t.end_date", Plain),
            ("created_by", "t.created_by", Plain),
            CREATED,
            UPDATED,
        ],
    },
    Table {
        name: "experiment-collaborators",
        from: "experiment_collaborators t where t.tenant_id = $1",
        order: "t.experiment_id, t.user_id",
        columns: &[
            ("experiment_id", "t.experiment_id", Plain),
            ("user_id", "t.user_id", Plain),
            ("role", "t.role", Plain),
            CREATED,
            UPDATED,
        ],
    },
    Table {
        name: "designs",
        from: "designs t where t.tenant_id = $1",
        order: "t.id",
        columns: &[
            ("id", "t.id", Plain),
            ("experiment_id", "t.experiment_id", Plain),
            ("plugin_id", "t.plugin", Plain),
            ("data", "t.data", Json),
            ("schema_version", "t.schema_version", Plain),
            CREATED,
            UPDATED,
        ],
    },
    Table {
        name: "results",
        from: "artifacts t where t.tenant_id = $1",
        order: "t.id",
        columns: &[
            ("id", "t.id", Plain),
            ("experiment_id", "t.experiment_id", Plain),
            ("plugin_id", "t.plugin", Plain),
            ("artifact_key", "t.key", Plain),
            ("display_name", "t.display_name", Plain),
            ("status", "t.status", Plain),
            ("result", "t.result", Json),
            ("note", "t.note", Plain),
            ("archived_at", "t.archived_at", Time),
            ("archived_by", "t.archived_by", Plain),
            CREATED,
            UPDATED,
        ],
    },
    Table {
        name: OBJECTS,
        from: "objects t where t.tenant_id = $1",
        order: "t.id",
        columns: &[
            ("experiment_id", "t.experiment_id", Plain),
            ("plugin_id", "t.plugin", Plain),
            ("key", "t.key", Plain),
            ("filename", "t.filename", Plain),
            ("content_type", "t.content_type", Plain),
            ("metadata", "t.metadata", Json),
            ("size", "t.size", Plain),
            ("sha256", "t.sha256", Plain),
            (BLOB, "t.blob", Plain),
            ("created_by", "t.created_by", Plain),
            CREATED,
        ],
    },
    Table {
        name: PLUGINS,
        from: "installations t join releases r on r.id = t.release_id where t.tenant_id = $1",
        order: "t.id",
        columns: &[
            ("name", "t.slug", Plain),
            ("version", "r.version", Plain),
            ("digest", "r.digest", Plain),
            ("prefix", "t.prefix", Plain),
            ("mode", "t.mode", Plain),
            ("mode_reason", "t.mode_reason", Plain),
            ("grants", "t.grants", Json),
            ("limits", "t.limits", Json),
            ("settings", "t.settings", Json),
            ("manifest", "r.manifest", Json),
            CREATED,
            UPDATED,
        ],
    },
    Table {
        name: "archives",
        from: "archives t where t.tenant_id = $1",
        order: "t.name",
        columns: &[
            ("name", "t.name", Plain),
            ("plugin", "t.plugin", Plain),
            ("version", "t.version", Plain),
            ("settings", "t.settings", Json),
            ("has_tables", "t.has_tables", Bool),
            ("has_files", "t.has_files", Bool),
            ("archived_by", "t.archived_by", Plain),
            ("archived_at", "t.archived_at", Time),
        ],
    },
    Table {
        name: "instruments",
        from: "instruments t where t.tenant_id = $1",
        order: "t.id",
        columns: &[
            ("id", "t.id", Plain),
            ("name", "t.name", Plain),
            ("details", "t.details", Json),
            ("is_active", "t.is_active", Bool),
            ("status", "t.status", Json),
            ("status_since", "t.status_since", Time),
            ("last_seen", "t.last_seen", Time),
            ("reported_by", "t.reported_by", Plain),
            CREATED,
            UPDATED,
        ],
    },
    Table {
        name: "jobs",
        from: "jobs t join installations i on i.id = t.installation_id where t.tenant_id = $1",
        order: "t.id",
        columns: &[
            ("id", "t.id", Plain),
            ("plugin", "i.slug", Plain),
            ("kind", "t.kind", Plain),
            ("payload", "t.payload", Plain),
            ("key", "t.key", Plain),
            ("user_id", "t.user_id", Plain),
            ("status", "t.status", Plain),
            ("attempt", "t.attempt", Plain),
            ("percent", "t.percent", Plain),
            ("message", "t.message", Plain),
            ("outcome", "t.outcome", Plain),
            ("error", "t.error", Plain),
            CREATED,
            ("run_at", "t.run_at", Time),
            ("started_at", "t.started_at", Time),
            ("ended_at", "t.ended_at", Time),
        ],
    },
    Table {
        name: "notifications",
        from: "notifications t where t.tenant_id = $1",
        order: "t.id",
        columns: &[
            ("plugin", "t.plugin", Plain),
            ("kind", "t.kind", Plain),
            ("event_key", "t.event_key", Plain),
            ("severity", "t.severity", Plain),
            ("title", "t.title", Plain),
            ("message", "t.message", Plain),
            ("source", "t.source", Plain),
            ("channels", "t.channels", Json),
            ("recipient_id", "t.recipient_id", Plain),
            ("occurred_at", "t.occurred_at", Time),
            CREATED,
        ],
    },
    Table {
        name: "calendar",
        from: "calendar_events t where t.tenant_id = $1",
        order: "t.id",
        columns: &[
            ("plugin", "t.plugin", Plain),
            ("event_key", "t.event_key", Plain),
            ("status", "t.status", Plain),
            ("title", "t.title", Plain),
            ("starts", "t.starts", Plain),
            ("ends", "t.ends", Plain),
            ("participants", "t.participants", Json),
            ("description", "t.description", Plain),
            ("location", "t.location", Plain),
            ("mint_path", "t.mint_path", Plain),
            CREATED,
            UPDATED,
        ],
    },
    Table {
        name: "audit",
        from: "audit t where t.tenant_id = $1",
        order: "t.id",
        columns: &[
            ("position", "t.position", Plain),
            ("at", "t.at", Time),
            ("actor", "t.actor", Plain),
            ("action", "t.action", Plain),
            ("entity", "t.entity", Plain),
            ("request_id", "t.request_id", Plain),
            ("details", "t.details", Json),
            ("hash", "t.hash", Plain),
        ],
    },
];

/// The table of files; the name of the bytes is in [`BLOB`].
pub const OBJECTS: &str = "files";
/// The column with the name under which the bytes of a file stand.
pub const BLOB: &str = "entry";
/// The table of plugins, whose settings and manifest are to be made fit for people.
pub const PLUGINS: &str = "plugins";

impl Table {
    /// One column: a JSON object for each row.
    fn sql(&self, is_postgres: bool) -> String {
        let columns = self.columns.iter().map(|(name, column, written)| {
            let value = match (written, is_postgres) {
                (Plain, _) | (Time, false) | (Bool, true) => (*column).to_owned(),
                (Json, true) => format!("{column}::jsonb"),
                (Json, false) => format!("json({column})"),
                (Bool, false) => format!("json(iif({column}, 'true', 'false'))"),
                (Time, true) => format!("to_char({column} at time zone 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"),
            };
            format!("'{name}', {value}")
        });
        let columns: Vec<String> = columns.collect();
        let object = if is_postgres { "jsonb_build_object" } else { "json_object" };
        let cast = if is_postgres { "::text" } else { "" };
        format!("select {object}({}){cast} from {} order by {}", columns.join(", "), self.from, self.order)
    }
}

/// Every row of a table, one after the other, to whoever takes them. Ends where nobody does any more.
///
/// # Errors
/// The database's.
pub async fn rows(tx: &mut Tx, tenant: TenantId, table: &Table, taken: &tokio::sync::mpsc::Sender<Value>) -> Result<()> {
    let read = |text: String| serde_json::from_str(&text).map_err(|error| Error::from(sqlx::Error::Decode(error.into())));
    match tx {
        Tx::Sqlite(tx) => {
            let sql = AssertSqlSafe(table.sql(false));
            let mut rows = sqlx::query_scalar::<_, String>(sql).bind(tenant.0).fetch(&mut **tx);
            while let Some(text) = rows.try_next().await? {
                if taken.send(read(text)?).await.is_err() {
                    break;
                }
            }
        }
        Tx::Postgres(tx) => {
            let names = tx.names;
            let sql = AssertSqlSafe(table.sql(true));
            let mut rows = sqlx::query_scalar::<_, String>(sql).bind(tenant.0).persistent(names).fetch(&mut **tx);
            while let Some(text) = rows.try_next().await? {
                if taken.send(read(text)?).await.is_err() {
                    break;
                }
            }
        }
    }
    Ok(())
}
