//! The parts that people have in projects and in experiments.

use mint_domain::{ExperimentId, ProjectId, Standing, TenantId, UserId, access::Ties};
use time::OffsetDateTime;

use crate::{Page, Result, Tx};

/// Somebody's part.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Part {
    /// Who.
    #[sqlx(try_from = "i64")]
    pub user_id: UserId,
    /// Name to sign in with.
    pub username: String,
    /// Which.
    #[sqlx(try_from = "String")]
    pub role: Standing,
    /// Since when they have had one.
    pub created_at: OffsetDateTime,
    /// Since when it has been this one.
    pub updated_at: OffsetDateTime,
}

/// In what somebody has a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shared {
    /// In a project.
    Project(ProjectId),
    /// In an experiment.
    Experiment(ExperimentId),
}

/// What binds somebody to a project; none when the tenant has no such project.
///
/// # Errors
/// The database's.
pub async fn in_project(tx: &mut Tx, tenant: TenantId, id: ProjectId, user: UserId) -> Result<Option<Ties>> {
    let row = rows!(
        tx,
        optional(i64, Option<String>),
        "select p.id, m.role from projects p left join project_members m on m.project_id = p.id and m.user_id = $3
         where p.tenant_id = $1 and p.id = $2",
        tenant.0,
        id.0,
        user.0,
    )?;
    Ok(row.map(|(_, role)| Ties { project: standing(role), ..Ties::default() }))
}

/// What binds somebody to an experiment, and to its project; none when the tenant has no such experiment.
///
/// # Errors
/// The database's.
pub async fn in_experiment(tx: &mut Tx, tenant: TenantId, id: ExperimentId, user: UserId) -> Result<Option<Ties>> {
    let row = rows!(
        tx,
        optional(Option<i64>, Option<String>, Option<String>),
        "select e.created_by, m.role, c.role from experiments e
         left join project_members m on m.project_id = e.project_id and m.user_id = $3
         left join experiment_collaborators c on c.experiment_id = e.id and c.user_id = $3
         where e.tenant_id = $1 and e.id = $2",
        tenant.0,
        id.0,
        user.0,
    )?;
    Ok(row.map(|(maker, project, experiment)| Ties {
        project: standing(project),
        experiment: standing(experiment),
        is_maker: maker == Some(user.0),
    }))
}

/// Whether somebody has a part in any project.
///
/// # Errors
/// The database's.
pub async fn any_project(tx: &mut Tx, tenant: TenantId, user: UserId) -> Result<bool> {
    let sql = "select project_id from project_members where tenant_id = $1 and user_id = $2 limit 1";
    rows!(tx, optional(i64,), sql, tenant.0, user.0).map(|row| row.is_some())
}

/// Whether somebody has a part in any experiment, of their own or by its project.
///
/// # Errors
/// The database's.
pub async fn any_experiment(tx: &mut Tx, tenant: TenantId, user: UserId) -> Result<bool> {
    let row = rows!(
        tx,
        optional(i64,),
        "select id from tenants where id = $1 and (
            exists (select 1 from project_members m where m.tenant_id = $1 and m.user_id = $2)
            or exists (select 1 from experiment_collaborators c where c.tenant_id = $1 and c.user_id = $2)
            or exists (select 1 from experiments e where e.tenant_id = $1 and e.created_by = $2))",
        tenant.0,
        user.0,
    )?;
    Ok(row.is_some())
}

/// Everybody who has a part, by name.
///
/// # Errors
/// The database's.
pub async fn list(tx: &mut Tx, tenant: TenantId, shared: Shared, page: Page) -> Result<Vec<Part>> {
    let (id, sql) = match shared {
        Shared::Project(id) => (
            id.0,
            "select m.user_id, u.username, m.role, m.created_at, m.updated_at
             from project_members m join users u on u.id = m.user_id
             where m.tenant_id = $1 and m.project_id = $2 order by u.username limit $3 offset $4",
        ),
        Shared::Experiment(id) => (
            id.0,
            "select c.user_id, u.username, c.role, c.created_at, c.updated_at
             from experiment_collaborators c join users u on u.id = c.user_id
             where c.tenant_id = $1 and c.experiment_id = $2 order by u.username limit $3 offset $4",
        ),
    };
    rows!(tx, all Part, sql, tenant.0, id, page.limit, page.skip)
}

/// How many have a part.
///
/// # Errors
/// The database's.
pub async fn count(tx: &mut Tx, tenant: TenantId, shared: Shared) -> Result<i64> {
    let (id, sql) = match shared {
        Shared::Project(id) => (id.0, "select count(*) from project_members where tenant_id = $1 and project_id = $2"),
        Shared::Experiment(id) => {
            (id.0, "select count(*) from experiment_collaborators where tenant_id = $1 and experiment_id = $2")
        }
    };
    rows!(tx, one(i64,), sql, tenant.0, id).map(|(count,)| count)
}

/// The part of one person.
///
/// # Errors
/// The database's.
pub async fn find(tx: &mut Tx, tenant: TenantId, shared: Shared, user: UserId) -> Result<Option<Standing>> {
    let (id, sql) = match shared {
        Shared::Project(id) => {
            (id.0, "select role from project_members where tenant_id = $1 and project_id = $2 and user_id = $3")
        }
        Shared::Experiment(id) => {
            (id.0, "select role from experiment_collaborators where tenant_id = $1 and experiment_id = $2 and user_id = $3")
        }
    };
    let row = rows!(tx, optional(String,), sql, tenant.0, id, user.0)?;
    Ok(row.and_then(|(role,)| Standing::parse(&role)))
}

/// Gives somebody a part, in the place of the one that they have.
///
/// # Errors
/// [`crate::Error::DanglingReference`] for what is not there.
pub async fn set(tx: &mut Tx, tenant: TenantId, shared: Shared, user: UserId, role: Standing, now: OffsetDateTime) -> Result<()> {
    let (id, sql) = match shared {
        Shared::Project(id) => (
            id.0,
            "insert into project_members (tenant_id, project_id, user_id, role, created_at, updated_at)
             values ($1, $2, $3, $4, $5, $5)
             on conflict (project_id, user_id) do update set role = excluded.role, updated_at = excluded.updated_at",
        ),
        Shared::Experiment(id) => (
            id.0,
            "insert into experiment_collaborators (tenant_id, experiment_id, user_id, role, created_at, updated_at)
             values ($1, $2, $3, $4, $5, $5)
             on conflict (experiment_id, user_id) do update set role = excluded.role, updated_at = excluded.updated_at",
        ),
    };
    execute!(tx, sql, tenant.0, id, user.0, role.as_str(), now).map(|_| ())
}

/// Takes somebody's part away. False when they had none.
///
/// # Errors
/// The database's.
pub async fn remove(tx: &mut Tx, tenant: TenantId, shared: Shared, user: UserId) -> Result<bool> {
    let (id, sql) = match shared {
        Shared::Project(id) => (id.0, "delete from project_members where tenant_id = $1 and project_id = $2 and user_id = $3"),
        Shared::Experiment(id) => {
            (id.0, "delete from experiment_collaborators where tenant_id = $1 and experiment_id = $2 and user_id = $3")
        }
    };
    execute!(tx, sql, tenant.0, id, user.0).map(|rows| rows > 0)
}

fn standing(role: Option<String>) -> Option<Standing> {
    role.as_deref().and_then(Standing::parse)
}
