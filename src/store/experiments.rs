//! Experiments.

use mint_domain::{ExperimentId, InstallationId, ProjectId, TenantId, UserId, experiment::ExperimentStatus};
use serde_json::Value;
use sqlx::types::Json;
use time::OffsetDateTime;

use crate::{Page, Result, Tx, search};

/// An experiment.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Experiment {
    /// Identifier.
    #[sqlx(try_from = "i64")]
    pub id: ExperimentId,
    /// Name shown to people.
    pub name: String,
    /// Slug of its type.
    pub experiment_type: String,
    /// Where it stands.
    #[sqlx(try_from = "String")]
    pub status: ExperimentStatus,
    /// Its project.
    pub project_id: Option<i64>,
    /// Name of its project.
    pub project: Option<String>,
    /// The experiment it continues.
    pub parent_experiment_id: Option<i64>,
    /// Free text.
    pub notes: Option<String>,
    /// A JSON object.
    #[sqlx(json)]
    pub tags: Value,
    /// A JSON object.
    #[sqlx(json)]
    pub custom_metadata: Value,
    /// `YYYY-MM-DD`.
    pub start_date: Option<String>,
    /// `YYYY-MM-DD`.
    pub end_date: Option<String>,
    /// Slug of the plugin that owns the design.
    pub design_owner: Option<String>,
    /// Who made it.
    pub created_by: Option<i64>,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    pub updated_at: OffsetDateTime,
}

/// The fields that people and plugins set.
#[derive(Clone, Debug)]
pub struct Fields {
    /// Name shown to people.
    pub name: String,
    /// Slug of its type.
    pub experiment_type: String,
    /// Where it stands.
    pub status: ExperimentStatus,
    /// Its project.
    pub project: Option<ProjectId>,
    /// The experiment it continues.
    pub parent_experiment_id: Option<i64>,
    /// Free text.
    pub notes: Option<String>,
    /// A JSON object.
    pub tags: Value,
    /// A JSON object.
    pub custom_metadata: Value,
    /// `YYYY-MM-DD`.
    pub start_date: Option<String>,
    /// `YYYY-MM-DD`.
    pub end_date: Option<String>,
}

/// Which experiments to list. What is set must match.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Where they stand.
    pub status: Option<ExperimentStatus>,
    /// Slug of their type.
    pub experiment_type: Option<String>,
    /// Name of their project.
    pub project: Option<String>,
    /// Who made them.
    pub created_by: Option<i64>,
    /// The experiment they continue.
    pub parent_experiment_id: Option<i64>,
    /// A part of their name, in any case.
    pub search: Option<String>,
    /// Somebody who made them, or has a part in them or in their project.
    pub seen_by: Option<UserId>,
}

/// Makes an experiment.
///
/// # Errors
/// [`crate::Error::DanglingReference`] when its parent is not there.
pub async fn insert(
    tx: &mut Tx,
    tenant: TenantId,
    fields: &Fields,
    created_by: Option<i64>,
    now: OffsetDateTime,
) -> Result<ExperimentId> {
    let row = rows!(
        tx,
        one(i64,),
        "insert into experiments (tenant_id, name, experiment_type, status, project_id, parent_experiment_id, notes, tags,
            custom_metadata, start_date, end_date, created_by, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13) returning id",
        tenant.0,
        &fields.name,
        &fields.experiment_type,
        fields.status.as_str(),
        fields.project.map(|id| id.0),
        fields.parent_experiment_id,
        &fields.notes,
        Json(&fields.tags),
        Json(&fields.custom_metadata),
        &fields.start_date,
        &fields.end_date,
        created_by,
        now,
    )?;
    Ok(ExperimentId(row.0))
}

/// Sets every field. False when there is no such experiment.
///
/// # Errors
/// [`crate::Error::DanglingReference`] when its parent is not there.
pub async fn update(tx: &mut Tx, tenant: TenantId, id: ExperimentId, fields: &Fields, now: OffsetDateTime) -> Result<bool> {
    let rows = execute!(
        tx,
        "update experiments set name = $3, experiment_type = $4, status = $5, project_id = $6, parent_experiment_id = $7, notes = $8,
            tags = $9, custom_metadata = $10, start_date = $11, end_date = $12, updated_at = $13
         where tenant_id = $1 and id = $2",
        tenant.0, id.0, &fields.name, &fields.experiment_type, fields.status.as_str(), fields.project.map(|id| id.0),
        fields.parent_experiment_id, &fields.notes, Json(&fields.tags), Json(&fields.custom_metadata), &fields.start_date,
        &fields.end_date, now,
    )?;
    Ok(rows > 0)
}

/// An experiment by id.
///
/// # Errors
/// The database's.
pub async fn get(tx: &mut Tx, tenant: TenantId, id: ExperimentId) -> Result<Option<Experiment>> {
    rows!(
        tx, optional Experiment,
        "select e.id, e.name, e.experiment_type, e.status, e.project_id, p.name as project, e.parent_experiment_id, e.notes, e.tags,
            e.custom_metadata, e.start_date, e.end_date, d.plugin as design_owner, e.created_by, e.created_at, e.updated_at
         from experiments e left join projects p on p.id = e.project_id left join designs d on d.experiment_id = e.id
         where e.tenant_id = $1 and e.id = $2",
        tenant.0, id.0,
    )
}

/// Whether the tenant has such an experiment.
///
/// # Errors
/// The database's.
pub async fn exists(tx: &mut Tx, tenant: TenantId, id: ExperimentId) -> Result<bool> {
    let row = rows!(tx, optional(i64,), "select id from experiments where tenant_id = $1 and id = $2", tenant.0, id.0)?;
    Ok(row.is_some())
}

/// The type of an experiment, and the stored settings of the installation that wants to write to it.
///
/// # Errors
/// The database's.
pub async fn writable(
    tx: &mut Tx,
    tenant: TenantId,
    id: ExperimentId,
    installation: InstallationId,
) -> Result<Option<(String, Value)>> {
    let row = rows!(
        tx,
        optional(String, Option<Json<Value>>),
        "select e.experiment_type, i.settings
         from experiments e left join installations i on i.tenant_id = e.tenant_id and i.id = $3
         where e.tenant_id = $1 and e.id = $2",
        tenant.0,
        id.0,
        installation.0,
    )?;
    Ok(row.map(|(kind, settings)| (kind, settings.map_or(Value::Null, |Json(settings)| settings))))
}

/// SQL that selects what matches a [`Filter`], in the tables `e` and `p`.
macro_rules! matching {
    ($tx:expr, $select:literal, $end:literal) => {
        search!(
            $tx,
            concat!(
                $select,
                " where e.tenant_id = $1
                    and (cast($2 as text) is null or e.status = $2)
                    and (cast($3 as text) is null or e.experiment_type = $3)
                    and (cast($4 as text) is null or p.name = $4)
                    and (cast($5 as bigint) is null or e.created_by = $5)
                    and (cast($6 as bigint) is null or e.parent_experiment_id = $6)
                    and (cast($7 as bigint) is null or e.created_by = $7
                        or e.project_id in (select project_id from project_members where user_id = $7)
                        or e.id in (select experiment_id from experiment_collaborators where user_id = $7))
                    and (cast($8 as text) is null or "
            ),
            "e.name",
            "$8",
            $end
        )
    };
}

/// Experiments that match, oldest first, and how many match in all.
///
/// # Errors
/// The database's.
pub async fn list(tx: &mut Tx, tenant: TenantId, filter: &Filter, page: Page) -> Result<(Vec<Experiment>, u64)> {
    let pattern = filter.search.as_deref().map(|text| search::pattern(tx, text));
    let status = filter.status.map(ExperimentStatus::as_str);
    let seen_by = filter.seen_by.map(|user| user.0);
    let page_of = matching!(
        tx,
        "select e.id, e.name, e.experiment_type, e.status, e.project_id, p.name as project, e.parent_experiment_id, e.notes, e.tags,
            e.custom_metadata, e.start_date, e.end_date, d.plugin as design_owner, e.created_by, e.created_at, e.updated_at
         from experiments e left join projects p on p.id = e.project_id left join designs d on d.experiment_id = e.id",
        ") order by e.id limit $9 offset $10"
    );
    let count_of = matching!(tx, "select count(*) from experiments e left join projects p on p.id = e.project_id", ")");
    let experiments = rows!(
        tx, all Experiment, page_of,
        tenant.0, status, &filter.experiment_type, &filter.project, filter.created_by, filter.parent_experiment_id, seen_by, &pattern,
        page.limit, page.skip,
    )?;
    let (total,) = rows!(
        tx,
        one(i64,),
        count_of,
        tenant.0,
        status,
        &filter.experiment_type,
        &filter.project,
        filter.created_by,
        filter.parent_experiment_id,
        seen_by,
        &pattern,
    )?;
    Ok((experiments, total.unsigned_abs()))
}

/// Deletes an experiment with its design, artifacts and object rows. False when there was none.
///
/// # Errors
/// The database's.
pub async fn delete(tx: &mut Tx, tenant: TenantId, id: ExperimentId) -> Result<bool> {
    execute!(tx, "delete from experiments where tenant_id = $1 and id = $2", tenant.0, id.0).map(|rows| rows > 0)
}
