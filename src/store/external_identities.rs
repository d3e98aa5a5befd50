//! Whom other servers know, and who that is here.

use mint_domain::{TenantId, UserId};
use time::OffsetDateTime;

use crate::{Result, Tx};

/// A person as another server knows them.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct ExternalIdentity {
    /// Identifier.
    pub id: i64,
    /// The server, by its configured name.
    pub provider: String,
    /// The server.
    pub issuer: String,
    /// What it calls the person.
    pub subject: String,
    /// When it was linked.
    pub created_at: OffsetDateTime,
    /// When the person last signed in by it.
    pub last_used_at: Option<OffsetDateTime>,
}

/// A person of another server.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The server, by its configured name.
    pub provider: &'a str,
    /// The server.
    pub issuer: &'a str,
    /// What it calls the person.
    pub subject: &'a str,
}

/// Links a person of another server to one here.
///
/// # Errors
/// [`crate::Error::Duplicate`] when they are somebody's already.
pub async fn insert(
    tx: &mut Tx,
    tenant: TenantId,
    user: UserId,
    subject: Subject<'_>,
    now: OffsetDateTime,
) -> Result<ExternalIdentity> {
    rows!(
        tx, one ExternalIdentity,
        "insert into external_identities (tenant_id, user_id, issuer, subject, provider, created_at) values ($1, $2, $3, $4, $5, $6)
         returning id, provider, issuer, subject, created_at, last_used_at",
        tenant.0, user.0, subject.issuer, subject.subject, subject.provider, now,
    )
    .map_err(|e| e.naming("external identity"))
}

/// Who a person of another server is here, and that they sign in now.
///
/// # Errors
/// The database's.
pub async fn sign_in(tx: &mut Tx, tenant: TenantId, subject: Subject<'_>, now: OffsetDateTime) -> Result<Option<UserId>> {
    let found = rows!(
        tx,
        optional(i64,),
        "update external_identities set last_used_at = $4 where tenant_id = $1 and issuer = $2 and subject = $3 returning user_id",
        tenant.0,
        subject.issuer,
        subject.subject,
        now,
    )?;
    Ok(found.map(|(user,)| UserId(user)))
}

/// By whom else a person is known, the oldest first.
///
/// # Errors
/// The database's.
pub async fn list(tx: &mut Tx, tenant: TenantId, user: UserId) -> Result<Vec<ExternalIdentity>> {
    rows!(
        tx, all ExternalIdentity,
        "select id, provider, issuer, subject, created_at, last_used_at from external_identities
         where tenant_id = $1 and user_id = $2 order by id",
        tenant.0, user.0,
    )
}

/// Forgets one of a person's; it, if there was one.
///
/// # Errors
/// The database's.
pub async fn delete(tx: &mut Tx, tenant: TenantId, user: UserId, id: i64) -> Result<Option<ExternalIdentity>> {
    rows!(
        tx, optional ExternalIdentity,
        "delete from external_identities where tenant_id = $1 and user_id = $2 and id = $3
         returning id, provider, issuer, subject, created_at, last_used_at",
        tenant.0, user.0, id,
    )
}
