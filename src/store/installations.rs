//! Installations: what is installed for a tenant, and how it stands.

use mint_domain::{Grants, InstallationId, Mode, Plan, ReleaseId, State, TenantId, limit::LimitChanges, plan::Findings};
use serde_json::Value;
use sqlx::types::Json;
use time::OffsetDateTime;

use crate::{Result, Tx};

/// A plugin installed for a tenant.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Installation {
    /// Identifier.
    #[sqlx(try_from = "i64")]
    pub id: InstallationId,
    /// Its tenant.
    #[sqlx(try_from = "i64")]
    pub tenant_id: TenantId,
    /// Slug of the plugin.
    pub slug: String,
    /// The active release.
    #[sqlx(try_from = "i64")]
    pub release_id: ReleaseId,
    /// Where its routes stand, without `/api`.
    pub prefix: String,
    mode: String,
    /// Why it runs where it runs.
    pub mode_reason: String,
    /// What that was decided on.
    #[sqlx(json)]
    pub findings: Findings,
    /// How it stands.
    #[sqlx(json)]
    pub state: State,
    /// Since when.
    pub state_since: OffsetDateTime,
    /// What was granted.
    #[sqlx(json)]
    pub grants: Grants,
    /// What an administrator set.
    #[sqlx(json)]
    pub limits: LimitChanges,
    /// Stored settings: a JSON object.
    #[sqlx(json)]
    pub settings: Value,
    /// Counts every change of what should run.
    pub generation: i64,
    /// Counts every change of the row.
    pub revision: i64,
    /// When it was installed.
    pub created_at: OffsetDateTime,
    /// When its row last changed.
    pub updated_at: OffsetDateTime,
}

impl Installation {
    /// Where it runs. The database holds no third word.
    pub fn mode(&self) -> Mode {
        Mode::parse(&self.mode).unwrap_or(Mode::Isolated)
    }

    /// Takes a plan that was written.
    pub fn adopt(&mut self, plan: Plan) {
        self.mode = plan.mode.as_str().to_owned();
        self.mode_reason = plan.reason;
        self.findings = plan.findings;
    }

    /// Where it runs, why, and what that was decided on.
    pub fn plan(&self) -> Plan {
        Plan { mode: self.mode(), reason: self.mode_reason.clone(), findings: self.findings.clone() }
    }
}

/// What to install.
#[derive(Clone, Debug)]
pub struct NewInstallation<'a> {
    /// Slug of the plugin.
    pub slug: &'a str,
    /// The release.
    pub release: ReleaseId,
    /// Where its routes stand, without `/api`.
    pub prefix: &'a str,
    /// Where it runs.
    pub plan: &'a Plan,
    /// How it stands at first.
    pub state: &'a State,
    /// What was granted.
    pub grants: &'a Grants,
    /// What was set.
    pub limits: &'a LimitChanges,
}

/// What takes the place of a release.
#[derive(Clone, Debug)]
pub struct Replacement<'a> {
    /// The release.
    pub release: ReleaseId,
    /// Where its routes stand, without `/api`.
    pub prefix: &'a str,
    /// Where it runs.
    pub plan: &'a Plan,
    /// What is granted.
    pub grants: &'a Grants,
    /// What is set.
    pub limits: &'a LimitChanges,
    /// How it stands.
    pub state: &'a State,
    /// Other settings, where they change too.
    pub settings: Option<&'a Value>,
}

/// Installs.
///
/// # Errors
/// [`crate::Error::Duplicate`] when the slug or the prefix is taken in this tenant.
pub async fn insert(tx: &mut Tx, tenant: TenantId, new: &NewInstallation<'_>, now: OffsetDateTime) -> Result<Installation> {
    rows!(
        tx, one Installation,
        "insert into installations (tenant_id, slug, release_id, prefix, mode, mode_reason, findings, state, state_since, grants, limits,
            settings, generation, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $12, $7, $8, $9, $10, $11, 1, $8, $8) returning *",
        tenant.0, new.slug, new.release.0, new.prefix, new.plan.mode.as_str(), &new.plan.reason, Json(new.state), now, Json(new.grants),
        Json(new.limits), Json(Value::Object(serde_json::Map::new())), Json(&new.plan.findings),
    )
    .map_err(|e| e.naming("installation or route prefix"))
}

/// An installation by slug.
///
/// # Errors
/// The database's.
pub async fn find(tx: &mut Tx, tenant: TenantId, slug: &str) -> Result<Option<Installation>> {
    rows!(tx, optional Installation, "select * from installations where tenant_id = $1 and slug = $2", tenant.0, slug)
}

/// An installation by id.
///
/// # Errors
/// The database's.
pub async fn get(tx: &mut Tx, tenant: TenantId, id: InstallationId) -> Result<Option<Installation>> {
    rows!(tx, optional Installation, "select * from installations where tenant_id = $1 and id = $2", tenant.0, id.0)
}

/// A tenant's installations by slug.
///
/// # Errors
/// The database's.
pub async fn list(tx: &mut Tx, tenant: TenantId) -> Result<Vec<Installation>> {
    rows!(tx, all Installation, "select * from installations where tenant_id = $1 order by slug", tenant.0)
}

/// Every tenant's installations, for the reconciler.
///
/// # Errors
/// The database's.
pub async fn list_all(tx: &mut Tx) -> Result<Vec<Installation>> {
    rows!(tx, all Installation, "select * from installations order by id")
}

/// What every change of any installation changes. Two that are equal were taken with nothing in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Changes {
    count: i64,
    last_id: i64,
    revisions: i64,
}

/// How far the installations of all tenants have changed.
///
/// # Errors
/// The database's.
pub async fn changes(tx: &mut Tx) -> Result<Changes> {
    rows!(
        tx, one Changes,
        "select count(*) as count, cast(coalesce(max(id), 0) as bigint) as last_id,
            cast(coalesce(sum(revision), 0) as bigint) as revisions from installations",
    )
}

/// An installation whose row nobody else changes until the transaction ends.
///
/// # Errors
/// The database's.
pub async fn lock(tx: &mut Tx, tenant: TenantId, id: InstallationId) -> Result<Option<Installation>> {
    // An update that changes nothing locks the row on either database.
    rows!(
        tx, optional Installation,
        "update installations set updated_at = updated_at where tenant_id = $1 and id = $2 returning *",
        tenant.0, id.0,
    )
}

/// Puts another release in the place of the active one. None when the generation is no longer `expected`; else the new one.
///
/// # Errors
/// [`crate::Error::Duplicate`] when the prefix is taken in this tenant.
pub async fn replace(
    tx: &mut Tx,
    tenant: TenantId,
    id: InstallationId,
    expected: i64,
    new: &Replacement<'_>,
    now: OffsetDateTime,
) -> Result<Option<i64>> {
    let row = rows!(
        tx, optional (i64,),
        "update installations set release_id = $4, prefix = $5, mode = $6, mode_reason = $7, findings = $8, grants = $9, limits = $10,
            state = $11, state_since = $12, updated_at = $12, generation = generation + 1, revision = revision + 1,
            settings = coalesce($13, settings)
         where tenant_id = $1 and id = $2 and generation = $3 returning generation",
        tenant.0, id.0, expected, new.release.0, new.prefix, new.plan.mode.as_str(), &new.plan.reason, Json(&new.plan.findings),
        Json(new.grants), Json(new.limits), Json(new.state), now, new.settings.map(Json),
    )
    .map_err(|e| e.naming("route prefix"))?;
    Ok(row.map(|(generation,)| generation))
}

/// Writes how an installation stands. False when it is gone.
///
/// # Errors
/// The database's.
pub async fn set_state(tx: &mut Tx, tenant: TenantId, id: InstallationId, state: &State, now: OffsetDateTime) -> Result<bool> {
    execute!(
        tx,
        "update installations set state = $3, state_since = $4, updated_at = $4, revision = revision + 1 where tenant_id = $1 and id = $2",
        tenant.0,
        id.0,
        Json(state),
        now,
    )
    .map(|rows| rows > 0)
}

/// Asks for another start: the reconciler of every replica follows the number. Gives the new one.
///
/// # Errors
/// The database's.
pub async fn bump_generation(tx: &mut Tx, tenant: TenantId, id: InstallationId, now: OffsetDateTime) -> Result<Option<i64>> {
    let row = rows!(
        tx,
        optional(i64,),
        "update installations set generation = generation + 1, updated_at = $3, revision = revision + 1
         where tenant_id = $1 and id = $2 returning generation",
        tenant.0,
        id.0,
        now,
    )?;
    Ok(row.map(|(generation,)| generation))
}

/// Stores settings in the place of those that are there. False when these are no longer `expected`.
///
/// # Errors
/// The database's.
pub async fn swap_settings(
    tx: &mut Tx,
    tenant: TenantId,
    id: InstallationId,
    expected: &Value,
    settings: &Value,
    now: OffsetDateTime,
) -> Result<bool> {
    execute!(
        tx,
        "update installations set settings = $4, updated_at = $5, revision = revision + 1
         where tenant_id = $1 and id = $2 and settings = $3",
        tenant.0,
        id.0,
        Json(expected),
        Json(settings),
        now,
    )
    .map(|rows| rows > 0)
}

/// Sets the limits. False when it is gone.
///
/// # Errors
/// The database's.
pub async fn set_limits(
    tx: &mut Tx,
    tenant: TenantId,
    id: InstallationId,
    limits: &LimitChanges,
    now: OffsetDateTime,
) -> Result<bool> {
    execute!(
        tx,
        "update installations set limits = $3, updated_at = $4, revision = revision + 1 where tenant_id = $1 and id = $2",
        tenant.0,
        id.0,
        Json(limits),
        now,
    )
    .map(|rows| rows > 0)
}

/// Sets the grants. False when it is gone.
///
/// # Errors
/// The database's.
pub async fn set_grants(tx: &mut Tx, tenant: TenantId, id: InstallationId, grants: &Grants, now: OffsetDateTime) -> Result<bool> {
    execute!(
        tx,
        "update installations set grants = $3, updated_at = $4, revision = revision + 1 where tenant_id = $1 and id = $2",
        tenant.0,
        id.0,
        Json(grants),
        now,
    )
    .map(|rows| rows > 0)
}

/// Writes where an installation runs from its next start on. False when it is gone.
///
/// # Errors
/// The database's.
pub async fn set_plan(tx: &mut Tx, tenant: TenantId, id: InstallationId, plan: &Plan, now: OffsetDateTime) -> Result<bool> {
    execute!(
        tx,
        "update installations set mode = $3, mode_reason = $4, findings = $5, updated_at = $6, revision = revision + 1
         where tenant_id = $1 and id = $2",
        tenant.0,
        id.0,
        plan.mode.as_str(),
        &plan.reason,
        Json(&plan.findings),
        now,
    )
    .map(|rows| rows > 0)
}

/// Removes an installation. False when it was gone.
///
/// # Errors
/// The database's.
pub async fn delete(tx: &mut Tx, tenant: TenantId, id: InstallationId) -> Result<bool> {
    execute!(tx, "delete from installations where tenant_id = $1 and id = $2", tenant.0, id.0).map(|rows| rows > 0)
}
