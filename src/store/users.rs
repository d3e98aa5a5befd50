//! People.

use mint_domain::{TenantId, UserId};
use time::OffsetDateTime;

use crate::{Page, Result, Tx};

/// A person. The password hash is apart, so that it cannot be shown by mistake.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct User {
    /// Identifier.
    #[sqlx(try_from = "i64")]
    pub id: UserId,
    /// Name to sign in with.
    pub username: String,
    /// Slug of the system role.
    pub role: String,
    /// Whether the person may sign in.
    pub is_active: bool,
    /// Address.
    pub email: Option<String>,
    /// Initials.
    pub shortname: Option<String>,
    /// Given name.
    pub first_name: Option<String>,
    /// Family name.
    pub last_name: Option<String>,
    /// When the record was made.
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    pub updated_at: OffsetDateTime,
}

/// Makes a user.
///
/// # Errors
/// [`crate::Error::Duplicate`] when the name is taken.
pub async fn insert(
    tx: &mut Tx,
    tenant: TenantId,
    username: &str,
    password_hash: Option<&str>,
    role: &str,
    now: OffsetDateTime,
) -> Result<User> {
    rows!(
        tx, one User,
        "insert into users (tenant_id, username, password_hash, role, created_at, updated_at) values ($1, $2, $3, $4, $5, $5)
         returning id, username, role, is_active, email, shortname, first_name, last_name, created_at, updated_at",
        tenant.0, username, password_hash, role, now,
    )
    .map_err(|e| e.naming("user"))
}

/// A user by id.
///
/// # Errors
/// The database's.
pub async fn get(tx: &mut Tx, tenant: TenantId, id: UserId) -> Result<Option<User>> {
    rows!(
        tx, optional User,
        "select id, username, role, is_active, email, shortname, first_name, last_name, created_at, updated_at
         from users where tenant_id = $1 and id = $2",
        tenant.0, id.0,
    )
}

/// A user by name.
///
/// # Errors
/// The database's.
pub async fn find(tx: &mut Tx, tenant: TenantId, username: &str) -> Result<Option<User>> {
    rows!(
        tx, optional User,
        "select id, username, role, is_active, email, shortname, first_name, last_name, created_at, updated_at
         from users where tenant_id = $1 and username = $2",
        tenant.0, username,
    )
}

/// Users by id.
///
/// # Errors
/// The database's.
pub async fn list(tx: &mut Tx, tenant: TenantId, page: Page) -> Result<Vec<User>> {
    rows!(
        tx, all User,
        "select id, username, role, is_active, email, shortname, first_name, last_name, created_at, updated_at
         from users where tenant_id = $1 order by id limit $2 offset $3",
        tenant.0, page.limit, page.skip,
    )
}

/// How many users there are on the whole installation.
///
/// # Errors
/// The database's.
pub async fn count_all(tx: &mut Tx) -> Result<i64> {
    rows!(tx, one(i64,), "select count(*) from users").map(|(count,)| count)
}

/// The password hash of a user who may sign in.
///
/// # Errors
/// The database's.
pub async fn password_hash(tx: &mut Tx, tenant: TenantId, username: &str) -> Result<Option<(UserId, String)>> {
    let row = rows!(
        tx,
        optional(i64, String),
        "select id, password_hash from users where tenant_id = $1 and username = $2 and is_active and password_hash is not null",
        tenant.0,
        username,
    )?;
    Ok(row.map(|(id, hash)| (UserId(id), hash)))
}
