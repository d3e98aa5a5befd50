//! Who changed what, and whether the record of it is whole.

use mint_context::Result;
use mint_domain::Permission;
use mint_store::{
    Page,
    audit::{self, Filter, Verdict},
};
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

use crate::{Caller, Platform};

/// A change.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct AuditEntry {
    /// Identifier, ascending in the order of writing.
    pub id: i64,
    /// Its place in the chain; null before the chain began.
    pub position: Option<i64>,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Who, such as `user:ada`.
    pub actor: String,
    /// What, such as `user.update`.
    pub action: String,
    /// On what, such as `user:1`.
    pub entity: String,
    /// In which request.
    pub request_id: String,
    /// Before and after.
    pub details: Value,
    /// SHA-256 over the entry and the hash before it.
    pub hash: Option<String>,
}

/// How the chain of a tenant's entries was found.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct AuditVerdict {
    /// Whether it is what was written.
    pub whole: bool,
    /// Entries in the chain, as far as it is whole.
    pub entries: i64,
    /// Hash of the last of them; to be noted elsewhere, it proves later that nothing before it was changed.
    pub hash: Option<String>,
    /// What is wrong, and at which position.
    pub problem: Option<String>,
}

impl From<audit::Row> for AuditEntry {
    fn from(row: audit::Row) -> Self {
        Self {
            id: row.id,
            position: row.position,
            at: row.at,
            actor: row.actor,
            action: row.action,
            entity: row.entity,
            request_id: row.request_id,
            details: serde_json::from_str(&row.details).unwrap_or(Value::String(row.details)),
            hash: row.hash,
        }
    }
}

impl Platform {
    /// Changes in the caller's tenant, the newest first.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`.
    pub async fn list_audit(&self, caller: &Caller, filter: &Filter, page: Page) -> Result<Vec<AuditEntry>> {
        let _permit = caller.call(self.services()).permit_person(Permission::PlatformViewLogs)?;
        let mut tx = self.services().db.read().await?;
        Ok(audit::list(&mut tx, caller.tenant, filter, page).await?.into_iter().map(Into::into).collect())
    }

    /// The next of them after an id, the oldest first; none at the end.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`.
    pub async fn export_audit(&self, caller: &Caller, filter: &Filter, after: i64) -> Result<Vec<AuditEntry>> {
        let _permit = caller.call(self.services()).permit_person(Permission::PlatformViewLogs)?;
        let mut tx = self.services().db.read().await?;
        Ok(audit::list_after(&mut tx, caller.tenant, filter, after).await?.into_iter().map(Into::into).collect())
    }

    /// Whether the record is whole.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`.
    pub async fn verify_audit(&self, caller: &Caller) -> Result<AuditVerdict> {
        let _permit = caller.call(self.services()).permit_person(Permission::PlatformViewLogs)?;
        let mut tx = self.services().db.read().await?;
        Ok(match audit::verify(&mut tx, caller.tenant).await? {
            Verdict::Whole(end) => AuditVerdict { whole: true, entries: end.position, hash: Some(end.hash), problem: None },
            Verdict::Broken { position, problem } => AuditVerdict {
                whole: false,
                entries: position - 1,
                hash: None,
                problem: Some(format!("At position {position}: {problem}.")),
            },
        })
    }
}
