//! Projects.

use mint_domain::{ProjectId, TenantId, UserId, experiment::ProjectStatus};
use time::OffsetDateTime;

use crate::{Page, Result, Tx};

/// A project.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Project {
    /// Identifier.
    #[sqlx(try_from = "i64")]
    pub id: ProjectId,
    /// Unique in its tenant.
    pub name: String,
    /// What it is about.
    pub description: Option<String>,
    /// Where it stands.
    #[sqlx(try_from = "String")]
    pub status: ProjectStatus,
    /// Who made it.
    pub created_by: Option<i64>,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    pub updated_at: OffsetDateTime,
}

/// Makes a project.
///
/// # Errors
/// [`crate::Error::Duplicate`] when the name is taken.
pub async fn insert(
    tx: &mut Tx,
    tenant: TenantId,
    name: &str,
    description: Option<&str>,
    created_by: Option<i64>,
    now: OffsetDateTime,
) -> Result<Project> {
    rows!(
        tx, one Project,
        "insert into projects (tenant_id, name, description, status, created_by, created_at, updated_at)
         values ($1, $2, $3, 'active', $4, $5, $5)
         returning id, name, description, status, created_by, created_at, updated_at",
        tenant.0, name, description, created_by, now,
    )
    .map_err(|e| e.naming("project"))
}

/// A project by id.
///
/// # Errors
/// The database's.
pub async fn get(tx: &mut Tx, tenant: TenantId, id: ProjectId) -> Result<Option<Project>> {
    rows!(
        tx, optional Project,
        "select id, name, description, status, created_by, created_at, updated_at from projects where tenant_id = $1 and id = $2",
        tenant.0, id.0,
    )
}

/// The id of a project by name.
///
/// # Errors
/// The database's.
pub async fn find_id(tx: &mut Tx, tenant: TenantId, name: &str) -> Result<Option<ProjectId>> {
    let row = rows!(tx, optional(i64,), "select id from projects where tenant_id = $1 and name = $2", tenant.0, name)?;
    Ok(row.map(|(id,)| ProjectId(id)))
}

/// Changes a project; none when there is no such.
///
/// # Errors
/// [`crate::Error::Duplicate`] when the name is taken.
pub async fn update(
    tx: &mut Tx,
    tenant: TenantId,
    id: ProjectId,
    (name, description, status): (&str, Option<&str>, ProjectStatus),
    now: OffsetDateTime,
) -> Result<Option<Project>> {
    rows!(
        tx, optional Project,
        "update projects set name = $3, description = $4, status = $5, updated_at = $6 where tenant_id = $1 and id = $2
         returning id, name, description, status, created_by, created_at, updated_at",
        tenant.0, id.0, name, description, status.as_str(), now,
    )
    .map_err(|e| e.naming("project"))
}

/// How many experiments lie in a project.
///
/// # Errors
/// The database's.
pub async fn experiments(tx: &mut Tx, tenant: TenantId, id: ProjectId) -> Result<i64> {
    let sql = "select count(*) from experiments where tenant_id = $1 and project_id = $2";
    rows!(tx, one(i64,), sql, tenant.0, id.0).map(|(count,)| count)
}

/// Deletes a project with its members. False when there was none.
///
/// # Errors
/// The database's.
pub async fn delete(tx: &mut Tx, tenant: TenantId, id: ProjectId) -> Result<bool> {
    execute!(tx, "delete from projects where tenant_id = $1 and id = $2", tenant.0, id.0).map(|rows| rows > 0)
}

/// Projects, oldest first, and how many there are in all: of everybody, or those in which `seen_by` has a part.
///
/// # Errors
/// The database's.
pub async fn list(tx: &mut Tx, tenant: TenantId, seen_by: Option<UserId>, page: Page) -> Result<(Vec<Project>, u64)> {
    let seen_by = seen_by.map(|user| user.0);
    let projects = rows!(
        tx, all Project,
        "select id, name, description, status, created_by, created_at, updated_at from projects where tenant_id = $1
            and (cast($2 as bigint) is null or id in (select project_id from project_members where user_id = $2))
         order by id limit $3 offset $4",
        tenant.0, seen_by, page.limit, page.skip,
    )?;
    let (total,) = rows!(
        tx,
        one(i64,),
        "select count(*) from projects where tenant_id = $1
            and (cast($2 as bigint) is null or id in (select project_id from project_members where user_id = $2))",
        tenant.0,
        seen_by,
    )?;
    Ok((projects, total.unsigned_abs()))
}
