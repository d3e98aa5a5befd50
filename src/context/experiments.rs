//! Experiments.

use mint_domain::{Capability, ExperimentId, Kind, Permission, Refusal, UserId, experiment::ExperimentStatus, policy::Write};
use mint_store::{
    Page, Tx,
    experiments::{self, Fields},
    installations, objects, projects,
};
use serde::Serialize;
use serde_json::{Value, json};
use time::{Date, OffsetDateTime, macros::format_description};

pub use mint_store::experiments::Filter;

use crate::{Call, Result, settings::ALLOWED_TYPES};

/// An experiment, with the keys of the compatibility document.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Experiment {
    /// Identifier.
    pub id: i64,
    /// Name shown to people.
    pub name: String,
    /// Slug of its type.
    pub experiment_type: String,
    /// `planned`, `ongoing`, `completed` or `cancelled`.
    #[schema(value_type = String)]
    pub status: ExperimentStatus,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
    /// Who made it.
    pub created_by: Option<i64>,
    /// The experiment it continues.
    pub parent_experiment_id: Option<i64>,
    /// Name of its project.
    pub project: Option<String>,
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
    /// Slug of the plugin that owns the design.
    pub design_owner_plugin_id: Option<String>,
}

/// A new experiment; its status is `planned`.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// 1 to 200 characters.
    pub name: String,
    /// 1 to 100 characters.
    pub experiment_type: String,
    /// Name of an existing project.
    pub project: Option<String>,
    /// The experiment it continues.
    pub parent_experiment_id: Option<i64>,
    /// Free text.
    pub notes: Option<String>,
    /// A JSON object.
    pub tags: Option<Value>,
}

/// What to do with an optional field.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Change<T> {
    /// Leave it.
    #[default]
    Keep,
    /// Empty it.
    Clear,
    /// Fill it.
    Set(T),
}

/// What to change of an experiment.
#[derive(Clone, Debug, Default)]
pub struct Patch {
    /// 1 to 200 characters.
    pub name: Option<String>,
    /// 1 to 100 characters.
    pub experiment_type: Option<String>,
    /// Where it stands.
    pub status: Option<ExperimentStatus>,
    /// Name of an existing project.
    pub project: Change<String>,
    /// The experiment it continues.
    pub parent_experiment_id: Change<i64>,
    /// Free text.
    pub notes: Change<String>,
    /// A JSON object.
    pub tags: Option<Value>,
    /// A JSON object.
    pub custom_metadata: Option<Value>,
    /// `YYYY-MM-DD`.
    pub start_date: Change<String>,
    /// `YYYY-MM-DD`.
    pub end_date: Change<String>,
}

impl From<experiments::Experiment> for Experiment {
    fn from(row: experiments::Experiment) -> Self {
        Self {
            id: row.id.0,
            name: row.name,
            experiment_type: row.experiment_type,
            status: row.status,
            created_at: row.created_at,
            updated_at: row.updated_at,
            created_by: row.created_by,
            parent_experiment_id: row.parent_experiment_id,
            project: row.project,
            notes: row.notes,
            tags: row.tags,
            custom_metadata: row.custom_metadata,
            start_date: row.start_date,
            end_date: row.end_date,
            design_owner_plugin_id: row.design_owner,
        }
    }
}

/// One experiment.
///
/// # Errors
/// `NOT_FOUND`, `PERMISSION_DENIED`.
pub async fn get(call: &Call, id: ExperimentId) -> Result<Experiment> {
    let _permit = call.permit(Permission::ExperimentsView, &Capability::ExperimentsRead)?;
    let mut tx = call.services.db.read().await?;
    Ok(load(&mut tx, call, id).await?.into())
}

/// Experiments that match, oldest first, and how many match in all.
///
/// # Errors
/// `PERMISSION_DENIED`.
pub async fn list(call: &Call, filter: &Filter, page: Page) -> Result<(Vec<Experiment>, u64)> {
    let _permit = call.permit(Permission::ExperimentsView, &Capability::ExperimentsRead)?;
    let mut tx = call.services.db.read().await?;
    let (rows, total) = experiments::list(&mut tx, call.tenant, filter, page).await?;
    Ok((rows.into_iter().map(Into::into).collect(), total))
}

/// Makes an experiment in the name of the actor.
///
/// # Errors
/// `VALIDATION_ERROR`, `EXPERIMENT_TYPE_NOT_ALLOWED`, `PERMISSION_DENIED`.
pub async fn create(call: &Call, draft: Draft) -> Result<Experiment> {
    insert(call, draft, call.actor.user().map(|user| user.id)).await
}

/// Makes an experiment in the name of somebody whom the plugin serves, where the plugin acts on its own account. The
/// caller has made sure that it does serve them.
///
/// # Errors
/// As [`create`].
pub async fn create_for(call: &Call, draft: Draft, person: UserId) -> Result<Experiment> {
    insert(call, draft, Some(person)).await
}

async fn insert(call: &Call, draft: Draft, created_by: Option<UserId>) -> Result<Experiment> {
    let _permit = call.permit(Permission::ExperimentsCreate, &Capability::ExperimentsWrite)?;
    let _permit = call.permit_write(Write::Experiment)?;
    let now = call.services.clock.now();
    let mut tx = call.services.db.begin().await?;
    let fields = Fields {
        name: draft.name,
        experiment_type: draft.experiment_type,
        status: ExperimentStatus::Planned,
        project: project_id(&mut tx, call, draft.project.as_deref()).await?,
        parent_experiment_id: draft.parent_experiment_id,
        notes: draft.notes,
        tags: draft.tags.unwrap_or_else(|| json!({})),
        custom_metadata: json!({}),
        start_date: None,
        end_date: None,
    };
    check(&mut tx, call, &fields).await?;
    permit_type(&mut tx, call, &fields.experiment_type).await?;
    let id = experiments::insert(&mut tx, call.tenant, &fields, created_by.map(|user| user.0), now).await?;
    let row = load(&mut tx, call, id).await?;
    tx.commit().await?;
    Ok(row.into())
}

/// Changes the fields that the patch names, and tells followers of a change of status.
///
/// # Errors
/// `VALIDATION_ERROR`, `EXPERIMENT_TYPE_NOT_ALLOWED`, `NOT_FOUND`, `PERMISSION_DENIED`.
pub async fn update(call: &Call, id: ExperimentId, patch: Patch) -> Result<Experiment> {
    let _permit = call.permit(Permission::ExperimentsEdit, &Capability::ExperimentsWrite)?;
    let _permit = call.permit_write(Write::Experiment)?;
    let now = call.services.clock.now();
    let mut tx = call.services.db.begin().await?;
    let old = load(&mut tx, call, id).await?;
    permit_type(&mut tx, call, &old.experiment_type).await?;
    let project = match &patch.project {
        Change::Keep => old.project_id.map(mint_domain::ProjectId),
        Change::Clear => None,
        Change::Set(name) => project_id(&mut tx, call, Some(name)).await?,
    };
    let fields = Fields {
        name: patch.name.unwrap_or(old.name),
        experiment_type: patch.experiment_type.unwrap_or(old.experiment_type),
        status: patch.status.unwrap_or(old.status),
        project,
        parent_experiment_id: patch.parent_experiment_id.on(old.parent_experiment_id),
        notes: patch.notes.on(old.notes),
        tags: patch.tags.unwrap_or(old.tags),
        custom_metadata: patch.custom_metadata.unwrap_or(old.custom_metadata),
        start_date: patch.start_date.on(old.start_date),
        end_date: patch.end_date.on(old.end_date),
    };
    if fields.parent_experiment_id == Some(id.0) {
        return Err(Refusal::invalid("An experiment cannot be its own parent.")
            .with(json!({ "field": "parent_experiment_id" }))
            .into());
    }
    check(&mut tx, call, &fields).await?;
    permit_type(&mut tx, call, &fields.experiment_type).await?;
    experiments::update(&mut tx, call.tenant, id, &fields, now).await?;
    let row = load(&mut tx, call, id).await?;
    tx.commit().await?;
    if row.status != old.status {
        call.services.followers.status_changed(call, id, old.status, row.status).await;
    }
    Ok(row.into())
}

/// Deletes an experiment with its design, results and files.
///
/// # Errors
/// `NOT_FOUND`, `PERMISSION_DENIED`.
pub async fn delete(call: &Call, id: ExperimentId) -> Result<()> {
    let _permit = call.permit(Permission::ExperimentsDelete, &Capability::ExperimentsWrite)?;
    let _permit = call.permit_write(Write::Experiment)?;
    let mut tx = call.services.db.begin().await?;
    objects::mark_all(&mut tx, call.tenant, id, call.services.clock.now()).await?;
    if !experiments::delete(&mut tx, call.tenant, id).await? {
        return Err(Refusal::not_found("experiment", id).into());
    }
    tx.commit().await?;
    Ok(())
}

/// Passes if the tenant has such an experiment.
pub(crate) async fn require(tx: &mut Tx, call: &Call, id: ExperimentId) -> Result<()> {
    if experiments::exists(tx, call.tenant, id).await? { Ok(()) } else { Err(Refusal::not_found("experiment", id).into()) }
}

/// Passes if the tenant has such an experiment, and the plugin may work on its type.
pub(crate) async fn require_writable(tx: &mut Tx, call: &Call, id: ExperimentId) -> Result<()> {
    let Some(plugin) = &call.plugin else { return require(tx, call, id).await };
    match experiments::writable(tx, call.tenant, id, plugin.installation).await? {
        Some((kind, settings)) => {
            let unstored = call.services.unstored.get(plugin.installation);
            Ok(allow_type(&unstored.unwrap_or(settings), &kind)?)
        }
        None => Err(Refusal::not_found("experiment", id).into()),
    }
}

/// Passes if the plugin, where there is one, may work on experiments of this type.
async fn permit_type(tx: &mut Tx, call: &Call, kind: &str) -> Result<()> {
    let Some(plugin) = &call.plugin else { return Ok(()) };
    if let Some(settings) = call.services.unstored.get(plugin.installation) {
        return Ok(allow_type(&settings, kind)?);
    }
    match installations::get(tx, call.tenant, plugin.installation).await? {
        Some(installation) => Ok(allow_type(&installation.settings, kind)?),
        None => Ok(()),
    }
}

/// What an administrator wrote into the settings; without it, every type is allowed.
fn allow_type(settings: &Value, kind: &str) -> Result<(), Refusal> {
    let Some(allowed) = settings.get(ALLOWED_TYPES).and_then(Value::as_array) else { return Ok(()) };
    if allowed.iter().any(|allowed| allowed == kind) {
        return Ok(());
    }
    let message = format!("The plugin may not work on experiments of the type `{kind}`. An administrator can allow it.");
    Err(Refusal::new(Kind::Denied, "EXPERIMENT_TYPE_NOT_ALLOWED", message)
        .with(json!({ "experiment_type": kind, "allowed_experiment_types": allowed })))
}

async fn load(tx: &mut Tx, call: &Call, id: ExperimentId) -> Result<experiments::Experiment> {
    experiments::get(tx, call.tenant, id).await?.ok_or_else(|| Refusal::not_found("experiment", id).into())
}

async fn project_id(tx: &mut Tx, call: &Call, name: Option<&str>) -> Result<Option<mint_domain::ProjectId>> {
    let Some(name) = name else { return Ok(None) };
    match projects::find_id(tx, call.tenant, name).await? {
        Some(id) => Ok(Some(id)),
        None => Err(Refusal::invalid(format!("There is no project named `{name}`.")).with(json!({ "field": "project" })).into()),
    }
}

async fn check(tx: &mut Tx, call: &Call, fields: &Fields) -> Result<()> {
    let invalid = |field: &str, message: String| Err(Refusal::invalid(message).with(json!({ "field": field })).into());
    for (field, text, max) in [("name", &fields.name, 200), ("experiment_type", &fields.experiment_type, 100)] {
        if text.trim().is_empty() || text.chars().count() > max {
            return invalid(field, format!("`{field}` has 1 to {max} characters."));
        }
    }
    for (field, value) in [("tags", &fields.tags), ("custom_metadata", &fields.custom_metadata)] {
        if !value.is_object() {
            return invalid(field, format!("`{field}` must be a JSON object."));
        }
    }
    for (field, date) in [("start_date", &fields.start_date), ("end_date", &fields.end_date)] {
        let day = format_description!("[year]-[month]-[day]");
        if date.as_deref().is_some_and(|date| Date::parse(date, day).is_err()) {
            return invalid(field, format!("`{field}` must be a date, YYYY-MM-DD."));
        }
    }
    if let Some(parent) = fields.parent_experiment_id
        && !experiments::exists(tx, call.tenant, ExperimentId(parent)).await?
    {
        return invalid("parent_experiment_id", format!("There is no experiment {parent}."));
    }
    Ok(())
}

impl<T> Change<T> {
    /// The field after the change.
    pub fn on(self, old: Option<T>) -> Option<T> {
        match self {
            Self::Keep => old,
            Self::Clear => None,
            Self::Set(new) => Some(new),
        }
    }
}
