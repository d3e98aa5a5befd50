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
    /// Slug of the role.
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

/// What a person's record says, and may be changed.
#[derive(Clone, Debug)]
pub struct Fields {
    /// Name to sign in with.
    pub username: String,
    /// Slug of the role.
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
}

impl From<User> for Fields {
    fn from(user: User) -> Self {
        Self {
            username: user.username,
            role: user.role,
            is_active: user.is_active,
            email: user.email,
            shortname: user.shortname,
            first_name: user.first_name,
            last_name: user.last_name,
        }
    }
}

/// Changes a record; none when there is no such user.
///
/// # Errors
/// [`crate::Error::Duplicate`] when the name is taken.
pub async fn update(tx: &mut Tx, tenant: TenantId, id: UserId, fields: &Fields, now: OffsetDateTime) -> Result<Option<User>> {
    rows!(
        tx, optional User,
        "update users set username = $3, role = $4, is_active = $5, email = $6, shortname = $7, first_name = $8, last_name = $9,
            updated_at = $10
         where tenant_id = $1 and id = $2
         returning id, username, role, is_active, email, shortname, first_name, last_name, created_at, updated_at",
        tenant.0, id.0, &fields.username, &fields.role, fields.is_active, &fields.email, &fields.shortname, &fields.first_name,
        &fields.last_name, now,
    )
    .map_err(|e| e.naming("user"))
}

/// Gives a user another password.
///
/// # Errors
/// The database's.
pub async fn set_password(tx: &mut Tx, tenant: TenantId, id: UserId, hash: &str, now: OffsetDateTime) -> Result<()> {
    execute!(
        tx,
        "update users set password_hash = $3, updated_at = $4 where tenant_id = $1 and id = $2",
        tenant.0,
        id.0,
        hash,
        now
    )
    .map(|_| ())
}

/// Removes a user, with their sessions. False when there was none.
///
/// # Errors
/// The database's.
pub async fn delete(tx: &mut Tx, tenant: TenantId, id: UserId) -> Result<bool> {
    execute!(tx, "delete from users where tenant_id = $1 and id = $2", tenant.0, id.0).map(|rows| rows > 0)
}

/// Makes other changes of the tenant's people wait for the end of this transaction.
///
/// # Errors
/// The database's.
pub async fn lock(tx: &mut Tx, tenant: TenantId) -> Result<()> {
    execute!(tx, "update tenants set name = name where id = $1", tenant.0).map(|_| ())
}

/// How many others than `id` have the role and can sign in.
///
/// # Errors
/// The database's.
pub async fn count_others(tx: &mut Tx, tenant: TenantId, role: &str, id: UserId) -> Result<i64> {
    rows!(
        tx,
        one(i64,),
        "select count(*) from users
         where tenant_id = $1 and role = $2 and id <> $3 and is_active and (password_hash is not null
            or exists (select 1 from passkeys p where p.user_id = users.id)
            or exists (select 1 from external_identities e where e.user_id = users.id))",
        tenant.0,
        role,
        id.0,
    )
    .map(|(count,)| count)
}

/// How many people have the role.
///
/// # Errors
/// The database's.
pub async fn count_with_role(tx: &mut Tx, tenant: TenantId, role: &str) -> Result<i64> {
    rows!(tx, one(i64,), "select count(*) from users where tenant_id = $1 and role = $2", tenant.0, role).map(|(count,)| count)
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

/// The password hash of a user, by id.
///
/// # Errors
/// The database's.
pub async fn password_hash_of(tx: &mut Tx, tenant: TenantId, id: UserId) -> Result<Option<String>> {
    let row = rows!(
        tx,
        optional(i64, Option<String>),
        "select id, password_hash from users where tenant_id = $1 and id = $2",
        tenant.0,
        id.0,
    )?;
    Ok(row.and_then(|(_, hash)| hash))
}

/// Whether somebody may make, suspend and delete tenants.
///
/// # Errors
/// The database's.
pub async fn is_platform_admin(tx: &mut Tx, tenant: TenantId, id: UserId) -> Result<bool> {
    let row = rows!(tx, optional(bool,), "select is_platform_admin from users where tenant_id = $1 and id = $2", tenant.0, id.0)?;
    Ok(row.is_some_and(|(is,)| is))
}

/// Says whether somebody may make, suspend and delete tenants. False when there is no such user.
///
/// # Errors
/// The database's.
pub async fn set_platform_admin(tx: &mut Tx, tenant: TenantId, username: &str, is: bool) -> Result<bool> {
    let changed =
        execute!(tx, "update users set is_platform_admin = $3 where tenant_id = $1 and username = $2", tenant.0, username, is)?;
    Ok(changed > 0)
}

/// In how many ways a person can sign in: a password, passkeys, and servers that know them.
///
/// # Errors
/// The database's.
pub async fn count_ways_in(tx: &mut Tx, tenant: TenantId, id: UserId) -> Result<i64> {
    rows!(
        tx,
        one(i64,),
        "select (select count(*) from users u where u.tenant_id = $1 and u.id = $2 and u.password_hash is not null)
            + (select count(*) from passkeys p where p.tenant_id = $1 and p.user_id = $2)
            + (select count(*) from external_identities e where e.tenant_id = $1 and e.user_id = $2)",
        tenant.0,
        id.0,
    )
    .map(|(count,)| count)
}
