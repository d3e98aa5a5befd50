//! Passkeys: the public halves of what authenticators keep.

use mint_domain::{Slug, TenantId, UserId};
use time::OffsetDateTime;

use crate::{Result, Tx};

/// A passkey, without its key.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Passkey {
    /// Identifier.
    pub id: i64,
    /// What its person calls it.
    pub name: String,
    /// When it was added.
    pub created_at: OffsetDateTime,
    /// When somebody last signed in with it.
    pub last_used_at: Option<OffsetDateTime>,
}

/// A new one.
#[derive(Clone, Copy, Debug)]
pub struct NewPasskey<'a> {
    /// What its person calls it.
    pub name: &'a str,
    /// What its authenticator calls it.
    pub credential_id: &'a str,
    /// What the authenticator knows the person by.
    pub user_handle: &'a str,
    /// The public key and its counter, as JSON.
    pub credential: &'a str,
}

/// Whose passkey it is.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Found {
    /// The passkey.
    pub id: i64,
    /// Tenant of the person.
    #[sqlx(try_from = "i64")]
    pub tenant_id: TenantId,
    /// Its slug.
    #[sqlx(try_from = "String")]
    pub tenant_slug: Slug,
    /// Why nobody may use the tenant now.
    pub suspended: Option<String>,
    /// The person.
    #[sqlx(try_from = "i64")]
    pub user_id: UserId,
    /// What the authenticator knows the person by.
    pub user_handle: String,
    /// The public key and its counter, as JSON.
    pub credential: String,
}

/// What is known of a person's passkeys when another one is added.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Held {
    /// What its authenticator calls it.
    pub credential_id: String,
    /// What the authenticator knows the person by.
    pub user_handle: String,
}

/// Keeps a passkey.
///
/// # Errors
/// [`crate::Error::Duplicate`] when it is somebody's already.
pub async fn insert(tx: &mut Tx, tenant: TenantId, user: UserId, new: NewPasskey<'_>, now: OffsetDateTime) -> Result<Passkey> {
    rows!(
        tx, one Passkey,
        "insert into passkeys (tenant_id, user_id, credential_id, user_handle, name, credential, created_at)
         values ($1, $2, $3, $4, $5, $6, $7) returning id, name, created_at, last_used_at",
        tenant.0, user.0, new.credential_id, new.user_handle, new.name, new.credential, now,
    )
    .map_err(|e| e.naming("passkey"))
}

/// A person's passkeys, the oldest first.
///
/// # Errors
/// The database's.
pub async fn list(tx: &mut Tx, tenant: TenantId, user: UserId) -> Result<Vec<Passkey>> {
    rows!(
        tx, all Passkey,
        "select id, name, created_at, last_used_at from passkeys where tenant_id = $1 and user_id = $2 order by id",
        tenant.0, user.0,
    )
}

/// What authenticators know of a person's passkeys.
///
/// # Errors
/// The database's.
pub async fn held(tx: &mut Tx, tenant: TenantId, user: UserId) -> Result<Vec<Held>> {
    rows!(
        tx, all Held,
        "select credential_id, user_handle from passkeys where tenant_id = $1 and user_id = $2 order by id",
        tenant.0, user.0,
    )
}

/// How many passkeys a person has.
///
/// # Errors
/// The database's.
pub async fn count(tx: &mut Tx, tenant: TenantId, user: UserId) -> Result<i64> {
    rows!(tx, one(i64,), "select count(*) from passkeys where tenant_id = $1 and user_id = $2", tenant.0, user.0)
        .map(|(count,)| count)
}

/// Whose passkey this is, if that person may sign in. The row waits for the end of this transaction.
///
/// # Errors
/// The database's.
pub async fn find(tx: &mut Tx, credential_id: &str, now: OffsetDateTime) -> Result<Option<Found>> {
    execute!(tx, "update passkeys set last_used_at = $2 where credential_id = $1", credential_id, now)?;
    rows!(
        tx, optional Found,
        "select p.id, p.tenant_id, t.slug as tenant_slug, t.suspended, p.user_id, p.user_handle, p.credential
         from passkeys p join tenants t on t.id = p.tenant_id join users u on u.id = p.user_id and u.tenant_id = p.tenant_id
         where p.credential_id = $1 and u.is_active",
        credential_id,
    )
}

/// Keeps what has changed of a passkey when it was used.
///
/// # Errors
/// The database's.
pub async fn update(tx: &mut Tx, tenant: TenantId, id: i64, credential: &str) -> Result<()> {
    execute!(tx, "update passkeys set credential = $3 where tenant_id = $1 and id = $2", tenant.0, id, credential).map(drop)
}

/// Removes a person's passkey; its name, if there was one.
///
/// # Errors
/// The database's.
pub async fn delete(tx: &mut Tx, tenant: TenantId, user: UserId, id: i64) -> Result<Option<String>> {
    let removed = rows!(
        tx,
        optional(String,),
        "delete from passkeys where tenant_id = $1 and user_id = $2 and id = $3 returning name",
        tenant.0,
        user.0,
        id,
    )?;
    Ok(removed.map(|(name,)| name))
}
