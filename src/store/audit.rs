//! Who changed what: a chain of entries for each tenant, each with a hash over itself and the hash before it.

use mint_domain::TenantId;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

use crate::{Page, Result, Tx};

/// Entries that are read at once.
const ROWS_MAX: i64 = 500;

/// A change, and who made it.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// Who.
    pub actor: &'a str,
    /// What, such as `plugin.install`.
    pub action: &'a str,
    /// On what, such as `plugin:hello`.
    pub entity: &'a str,
    /// In which request.
    pub request_id: &'a str,
    /// Before and after.
    pub details: &'a Value,
}

/// An entry that was written.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Row {
    /// Identifier, ascending in the order of writing.
    pub id: i64,
    /// Its place in the chain; none before the chain began.
    pub position: Option<i64>,
    /// When.
    pub at: OffsetDateTime,
    /// Who.
    pub actor: String,
    /// What.
    pub action: String,
    /// On what.
    pub entity: String,
    /// In which request.
    pub request_id: String,
    /// Before and after: the JSON text that the hash is over.
    pub details: String,
    /// Over the entry and the hash before it.
    pub hash: Option<String>,
}

/// Which entries to give.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Only this action.
    pub action: Option<String>,
    /// Only entities that begin so, such as `user:` or `user:1`; whole ones, unless the text ends with a colon.
    pub entity: Option<String>,
    /// Only by this actor.
    pub actor: Option<String>,
    /// From this time on.
    pub since: OffsetDateTime,
    /// Before this time.
    pub until: OffsetDateTime,
}

/// The end of a chain.
#[derive(Clone, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Head {
    /// Entries in the chain.
    pub position: i64,
    /// Hash of the last of them; empty without any.
    pub hash: String,
}

/// How a chain was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Whole, with this end.
    Whole(Head),
    /// Not what was written, from this position on.
    Broken {
        /// Where.
        position: i64,
        /// In which way.
        problem: &'static str,
    },
}

/// Records a change, in the transaction that makes it. Others of the tenant wait for its end.
///
/// # Errors
/// The database's.
pub async fn record(tx: &mut Tx, tenant: TenantId, entry: &Entry<'_>, now: OffsetDateTime) -> Result<()> {
    execute!(
        tx,
        "insert into audit_chains (tenant_id, position, hash) values ($1, 0, '') on conflict (tenant_id) do nothing",
        tenant.0,
    )?;
    let mut head = rows!(
        tx, one Head, "update audit_chains set position = position where tenant_id = $1 returning position, hash", tenant.0,
    )?;
    if head.position == 0 {
        head = take_in(tx, tenant, head).await?;
    }
    let details = entry.details.to_string();
    let row = rows!(
        tx, one Row,
        "insert into audit (tenant_id, at, actor, action, entity, request_id, details) values ($1, $2, $3, $4, $5, $6, $7)
         returning id, position, at, actor, action, entity, request_id, details, hash",
        tenant.0, now, entry.actor, entry.action, entry.entity, entry.request_id, &details,
    )?;
    let head = link(tx, tenant, &head, &row).await?;
    set_head(tx, tenant, &head).await
}

/// Takes entries from before the chain into it.
async fn take_in(tx: &mut Tx, tenant: TenantId, mut head: Head) -> Result<Head> {
    loop {
        let rows = rows!(
            tx, all Row,
            "select id, position, at, actor, action, entity, request_id, details, hash from audit
             where tenant_id = $1 and hash is null order by id limit $2",
            tenant.0, ROWS_MAX,
        )?;
        if rows.is_empty() {
            return Ok(head);
        }
        for row in &rows {
            head = link(tx, tenant, &head, row).await?;
        }
    }
}

async fn link(tx: &mut Tx, tenant: TenantId, head: &Head, row: &Row) -> Result<Head> {
    let next = Head { position: head.position + 1, hash: hash(tenant, head, row) };
    execute!(
        tx,
        "update audit set position = $3, hash = $4 where tenant_id = $1 and id = $2",
        tenant.0,
        row.id,
        next.position,
        &next.hash,
    )?;
    Ok(next)
}

async fn set_head(tx: &mut Tx, tenant: TenantId, head: &Head) -> Result<()> {
    execute!(tx, "update audit_chains set position = $2, hash = $3 where tenant_id = $1", tenant.0, head.position, &head.hash)
        .map(|_| ())
}

/// SHA-256 over the JSON list of the hash before, tenant, position, time in microseconds, and what the entry says.
fn hash(tenant: TenantId, before: &Head, row: &Row) -> String {
    let micros = row.at.unix_timestamp_nanos().div_euclid(1_000).to_string();
    let said = [&row.actor, &row.action, &row.entity, &row.request_id, &row.details];
    let text = serde_json::json!([before.hash, tenant, before.position + 1, micros, said]).to_string();
    hex::encode(Sha256::digest(text))
}

/// Looks at a whole chain.
///
/// # Errors
/// The database's.
pub async fn verify(tx: &mut Tx, tenant: TenantId) -> Result<Verdict> {
    let end = rows!(tx, optional Head, "select position, hash from audit_chains where tenant_id = $1", tenant.0)?;
    // What is written meanwhile comes after that.
    let end = end.unwrap_or_default();
    let mut head = Head::default();
    loop {
        let rows = rows!(
            tx, all Row,
            "select id, position, at, actor, action, entity, request_id, details, hash from audit
             where tenant_id = $1 and position > $2 and position <= $3 order by position limit $4",
            tenant.0, head.position, end.position, ROWS_MAX,
        )?;
        if rows.is_empty() {
            break;
        }
        for row in rows {
            let position = head.position + 1;
            let broken = |problem| Ok(Verdict::Broken { position, problem });
            if row.position != Some(position) {
                return broken("an entry is missing");
            }
            let next = hash(tenant, &head, &row);
            if row.hash.as_ref() != Some(&next) {
                return broken("an entry is not what was written, or the one before it is not");
            }
            head = Head { position, hash: next };
        }
    }
    let beside = rows!(tx, one(i64,), "select count(*) from audit where tenant_id = $1 and position is null", tenant.0)?;
    let position = head.position + 1;
    if head != end {
        return Ok(Verdict::Broken { position, problem: "the last entries are missing" });
    }
    if end.position > 0 && beside.0 > 0 {
        return Ok(Verdict::Broken { position, problem: "there are entries beside the chain" });
    }
    Ok(Verdict::Whole(end))
}

/// Entries, the newest first.
///
/// # Errors
/// The database's.
pub async fn list(tx: &mut Tx, tenant: TenantId, filter: &Filter, page: Page) -> Result<Vec<Row>> {
    rows!(
        tx, all Row,
        "select id, position, at, actor, action, entity, request_id, details, hash from audit
         where tenant_id = $1 and (cast($2 as text) is null or action = $2) and (cast($3 as text) is null or actor = $3)
            and (cast($4 as text) is null or entity = $4 or (substr($4, length($4)) = ':' and substr(entity, 1, length($4)) = $4))
            and at >= $5 and at < $6
         order by id desc limit $7 offset $8",
        tenant.0, &filter.action, &filter.actor, &filter.entity, filter.since, filter.until, page.limit, page.skip,
    )
}

/// Entries after the one with this id, the oldest first: as many as are read at once.
///
/// # Errors
/// The database's.
pub async fn list_after(tx: &mut Tx, tenant: TenantId, filter: &Filter, after: i64) -> Result<Vec<Row>> {
    rows!(
        tx, all Row,
        "select id, position, at, actor, action, entity, request_id, details, hash from audit
         where tenant_id = $1 and (cast($2 as text) is null or action = $2) and (cast($3 as text) is null or actor = $3)
            and (cast($4 as text) is null or entity = $4 or (substr($4, length($4)) = ':' and substr(entity, 1, length($4)) = $4))
            and at >= $5 and at < $6 and id > $7
         order by id limit $8",
        tenant.0, &filter.action, &filter.actor, &filter.entity, filter.since, filter.until, after, ROWS_MAX,
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::macros::datetime;

    use super::*;
    use crate::{Db, tenants, testing::databases};

    const NOW: OffsetDateTime = datetime!(2026-11-22 02:00:00.123456789 UTC);

    async fn written(db: &Db, tenant: TenantId, action: &str) {
        let details = json!({ "number": 1e16, "text": "ä\u{0}\"", "list": [1.0, -0.0] });
        let entry = Entry { actor: "system", action, entity: "plugin:p", request_id: "r", details: &details };
        let mut tx = db.begin().await.unwrap();
        record(&mut tx, tenant, &entry, NOW).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn looked_at(db: &Db, tenant: TenantId) -> Verdict {
        verify(&mut db.read().await.unwrap(), tenant).await.unwrap()
    }

    async fn broken_by(db: &Db, tenant: TenantId, statement: &'static str) -> (i64, &'static str) {
        let mut tx = db.begin().await.unwrap();
        for trigger in ["audit_is_not_changed", "audit_is_not_deleted"] {
            let drop = match &tx {
                Tx::Sqlite(_) => format!("drop trigger {trigger}"),
                Tx::Postgres(_) => format!("drop trigger {trigger} on audit"),
            };
            execute!(&mut tx, sqlx::AssertSqlSafe(drop.as_str())).unwrap();
        }
        execute!(&mut tx, statement).unwrap();
        match verify(&mut tx, tenant).await.unwrap() {
            Verdict::Broken { position, problem } => (position, problem),
            whole => panic!("{statement}: {whole:?}"),
        }
    }

    #[tokio::test]
    async fn a_change_of_the_record_is_refused_and_found() {
        for test in databases().await {
            let db = &test.db;
            let mut tx = db.begin().await.unwrap();
            let tenant = tenants::insert(&mut tx, &"a".parse().unwrap(), "a", NOW).await.unwrap().id;
            // As before the chain was there.
            for _ in 0..2 {
                execute!(
                    &mut tx,
                    "insert into audit (tenant_id, at, actor, action, entity, request_id, details)
                     values ($1, $2, 'system', 'old', 'plugin:p', 'r', '{}')",
                    tenant.0,
                    NOW,
                )
                .unwrap();
            }
            tx.commit().await.unwrap();
            assert_eq!(looked_at(db, tenant).await, Verdict::Whole(Head::default()));
            tokio::join!(written(db, tenant, "one"), written(db, tenant, "two"));
            written(db, tenant, "three").await;
            let Verdict::Whole(head) = looked_at(db, tenant).await else { panic!("broken") };
            assert_eq!((head.position, head.hash.len()), (5, 64));
            for statement in ["update audit set actor = 'nobody' where position = 2", "delete from audit where position = 5"] {
                let refused = execute!(&mut db.begin().await.unwrap(), statement).unwrap_err();
                assert!(refused.to_string().contains("append-only"), "{refused}");
            }
            let edited = (2, "an entry is not what was written, or the one before it is not");
            assert_eq!(broken_by(db, tenant, "update audit set details = '{\"a\":1}' where position = 2").await, edited);
            assert_eq!(broken_by(db, tenant, "delete from audit where position = 3").await, (3, "an entry is missing"));
            assert_eq!(broken_by(db, tenant, "delete from audit where position = 5").await, (5, "the last entries are missing"));
            let beside = "update audit set position = null, hash = null where position = 5";
            assert_eq!(broken_by(db, tenant, beside).await.0, 5);
            assert!(
                matches!(looked_at(db, tenant).await, Verdict::Whole(whole) if whole == head),
                "what was tried was not taken back"
            );
            // It goes with its tenant.
            let mut tx = db.begin().await.unwrap();
            execute!(&mut tx, "delete from tenants").unwrap();
            tx.commit().await.unwrap();
        }
    }
}
