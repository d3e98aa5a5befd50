//! Experiments.

use mint_domain::{
    Capability, ExperimentId, Kind, Permission, ProjectId, Refusal, UserId, experiment::ExperimentStatus, policy::Write,
};
use mint_store::{
    Page, Tx,
    experiments::{self, Fields},
    installations, objects, projects,
};
use serde::Serialize;
use serde_json::{Value, json};
use time::{Date, OffsetDateTime, macros::format_description};

pub use mint_store::experiments::Filter;

use crate::{Call, Result, access, settings::ALLOWED_TYPES};

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
    let _permit = call.permit_plugin(&Capability::ExperimentsRead)?;
    let mut tx = call.services.db.read().await?;
    let _permit = access::experiment(&mut tx, call, id, Permission::ExperimentsView).await?;
    Ok(load(&mut tx, call, id).await?.into())
}

/// Experiments that match and that the actor may see, oldest first, and how many there are in all.
///
/// # Errors
/// `PERMISSION_DENIED`.
pub async fn list(call: &Call, filter: &Filter, page: Page) -> Result<(Vec<Experiment>, u64)> {
    let _permit = call.permit_plugin(&Capability::ExperimentsRead)?;
    let mut tx = call.services.db.read().await?;
    let filter = Filter { seen_by: access::sees_experiments(&mut tx, call).await?, ..filter.clone() };
    let (rows, total) = experiments::list(&mut tx, call.tenant, &filter, page).await?;
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
    let _permit = call.permit_plugin(&Capability::ExperimentsWrite)?;
    let _permit = call.permit_write(Write::Experiment)?;
    let now = call.services.clock.now();
    let mut tx = call.services.db.begin().await?;
    let project = match draft.project.as_deref() {
        Some(name) => Some(project_for(&mut tx, call, name).await?),
        None => call.permit_person(Permission::ExperimentsCreate).map(|_| None)?,
    };
    let fields = Fields {
        name: draft.name,
        experiment_type: draft.experiment_type,
        status: ExperimentStatus::Planned,
        project,
        parent_experiment_id: draft.parent_experiment_id,
        notes: draft.notes,
        tags: draft.tags.unwrap_or_else(|| json!({})),
        custom_metadata: json!({}),
        start_date: None,
        end_date: None,
    };
    check(&mut tx, call, &fields, fields.parent_experiment_id).await?;
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
    let _permit = call.permit_plugin(&Capability::ExperimentsWrite)?;
    let _permit = call.permit_write(Write::Experiment)?;
    let now = call.services.clock.now();
    let mut tx = call.services.db.begin().await?;
    require_editable(&mut tx, call, id).await?;
    let old = load(&mut tx, call, id).await?;
    permit_type(&mut tx, call, &old.experiment_type).await?;
    let project = project_after(&mut tx, call, &old, &patch.project).await?;
    let new_parent = if let Change::Set(parent) = patch.parent_experiment_id { Some(parent) } else { None };
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
    check(&mut tx, call, &fields, new_parent).await?;
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
    let _permit = call.permit_plugin(&Capability::ExperimentsWrite)?;
    let _permit = call.permit_write(Write::Experiment)?;
    let mut tx = call.services.db.begin().await?;
    let _permit = access::experiment(&mut tx, call, id, Permission::ExperimentsDelete).await?;
    objects::mark_all(&mut tx, call.tenant, id, call.services.clock.now()).await?;
    if !experiments::delete(&mut tx, call.tenant, id).await? {
        return Err(Refusal::not_found("experiment", id).into());
    }
    tx.commit().await?;
    Ok(())
}

/// Passes if the actor may look at the experiment.
pub(crate) async fn require(tx: &mut Tx, call: &Call, id: ExperimentId) -> Result<()> {
    access::experiment(tx, call, id, Permission::ExperimentsView).await.map(drop)
}

/// Passes if the actor may work on the experiment.
pub(crate) async fn require_editable(tx: &mut Tx, call: &Call, id: ExperimentId) -> Result<()> {
    access::experiment(tx, call, id, Permission::ExperimentsEdit).await.map(drop)
}

/// Passes if the actor may work on the experiment, and the plugin on its type.
pub(crate) async fn require_writable(tx: &mut Tx, call: &Call, id: ExperimentId) -> Result<()> {
    require_editable(tx, call, id).await?;
    let Some(plugin) = &call.plugin else { return Ok(()) };
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

/// The project of an experiment after a change. It says who sees the experiment: who moves it takes it away from some.
async fn project_after(
    tx: &mut Tx,
    call: &Call,
    old: &experiments::Experiment,
    change: &Change<String>,
) -> Result<Option<ProjectId>> {
    let present = old.project_id.map(ProjectId);
    let new = match change {
        Change::Keep => return Ok(present),
        Change::Clear => None,
        Change::Set(name) if old.project.as_ref() == Some(name) => return Ok(present),
        Change::Set(name) => Some(project_for(tx, call, name).await?),
    };
    if new != present {
        let _permit = access::experiment(tx, call, old.id, Permission::ExperimentsDelete).await?;
    }
    Ok(new)
}

async fn is_seen(tx: &mut Tx, call: &Call, id: ExperimentId) -> Result<bool> {
    match require(tx, call, id).await {
        Ok(()) => Ok(true),
        Err(crate::Error::Refused(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

async fn load(tx: &mut Tx, call: &Call, id: ExperimentId) -> Result<experiments::Experiment> {
    experiments::get(tx, call.tenant, id).await?.ok_or_else(|| Refusal::not_found("experiment", id).into())
}

/// The project of a name, if the actor may put experiments into it.
async fn project_for(tx: &mut Tx, call: &Call, name: &str) -> Result<ProjectId> {
    let missing = || Refusal::invalid(format!("There is no project named `{name}`.")).with(json!({ "field": "project" }));
    let id = projects::find_id(tx, call.tenant, name).await?;
    let permit = access::project(tx, call, id.unwrap_or(ProjectId(0)), Permission::ExperimentsCreate).await;
    match (id, permit) {
        (Some(id), Ok(_)) => Ok(id),
        (_, Err(crate::Error::Refused(refusal))) if refusal.kind == Kind::NotFound => Err(missing().into()),
        (_, Err(error)) => Err(error),
        (None, Ok(_)) => Err(missing().into()),
    }
}

async fn check(tx: &mut Tx, call: &Call, fields: &Fields, new_parent: Option<i64>) -> Result<()> {
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
    if let Some(parent) = new_parent
        && !is_seen(tx, call, ExperimentId(parent)).await?
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
