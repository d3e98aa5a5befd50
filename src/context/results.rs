//! Analysis results: named documents of a plugin on an experiment. The key `default` is MINT's analysis result.

use mint_domain::{Capability, ExperimentId, Refusal, Slug, experiment::ArtifactStatus, limit::Limit, policy::Write};
use mint_store::artifacts;
use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;

pub use mint_store::artifacts::Input;

use crate::{Call, Result, experiments};

/// The key of MINT's analysis result.
pub const DEFAULT_KEY: &str = "default";

/// Most artifacts saved in one call.
const INPUTS_MAX: usize = 1_000;

/// What is known of an artifact without its document, with the keys of the compatibility document.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Summary {
    /// Identifier.
    pub id: i64,
    /// Its experiment.
    pub experiment_id: i64,
    /// Slug of the plugin that saved it.
    pub plugin_id: String,
    /// Its name within (experiment, plugin).
    pub artifact_key: String,
    /// Name shown to people.
    pub display_name: String,
    /// `active` or `archived`.
    #[schema(value_type = String)]
    pub status: ArtifactStatus,
    /// When it was first saved.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was last saved.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
    /// Keys of the document's top level.
    pub result_keys: Vec<String>,
    /// Free text.
    pub note: Option<String>,
    /// When it was put away.
    #[serde(with = "time::serde::rfc3339::option")]
    pub archived_at: Option<OffsetDateTime>,
    /// Who put it away.
    pub archived_by: Option<i64>,
}

/// An artifact with its document.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Artifact {
    /// What is known without the document.
    #[serde(flatten)]
    pub summary: Summary,
    /// The document.
    pub result: Value,
}

impl From<artifacts::Summary> for Summary {
    fn from(row: artifacts::Summary) -> Self {
        Self {
            id: row.id,
            experiment_id: row.experiment_id.0,
            plugin_id: row.plugin,
            artifact_key: row.key,
            display_name: row.display_name,
            status: row.status,
            created_at: row.created_at,
            updated_at: row.updated_at,
            result_keys: row.result_keys,
            note: row.note,
            archived_at: row.archived_at,
            archived_by: row.archived_by,
        }
    }
}

impl From<artifacts::Artifact> for Artifact {
    fn from(row: artifacts::Artifact) -> Self {
        Self { summary: row.summary.into(), result: row.result }
    }
}

/// Saves one artifact of the plugin; one of the same key is replaced, an archived one restored.
///
/// # Errors
/// `VALIDATION_ERROR`, `EXPERIMENT_TYPE_NOT_ALLOWED`, `QUOTA_EXCEEDED`, `NOT_FOUND`, `PERMISSION_DENIED`.
pub async fn save(call: &Call, experiment: ExperimentId, input: Input) -> Result<Artifact> {
    let mut saved = save_all(call, experiment, vec![input]).await?;
    saved.pop().ok_or_else(|| Refusal::invalid("Nothing to save.").into())
}

/// Saves all of them or none, in the order given.
///
/// # Errors
/// As [`save`]; also a key given twice.
pub async fn save_all(call: &Call, experiment: ExperimentId, inputs: Vec<Input>) -> Result<Vec<Artifact>> {
    let plugin = authorise_change(call)?;
    check_inputs(call, &inputs)?;
    let now = call.services.clock.now();
    let mut tx = call.services.db.begin().await?;
    experiments::require_writable(&mut tx, call, experiment).await?;
    let mut saved = Vec::with_capacity(inputs.len());
    for input in &inputs {
        saved.push(artifacts::upsert(&mut tx, call.tenant, experiment, plugin, input, now).await?.into());
    }
    tx.commit().await?;
    Ok(saved)
}

/// Saves one artifact of the plugin whose key is new.
///
/// # Errors
/// As [`save`]; `CONFLICT` on `artifact_key` for a key that is taken, if only by an archived artifact.
pub async fn create(call: &Call, experiment: ExperimentId, input: Input) -> Result<Artifact> {
    let plugin = authorise_change(call)?;
    check_inputs(call, std::slice::from_ref(&input))?;
    let mut tx = call.services.db.begin().await?;
    experiments::require_writable(&mut tx, call, experiment).await?;
    let made = artifacts::insert(&mut tx, call.tenant, experiment, plugin, &input, call.services.clock.now()).await?;
    tx.commit().await?;
    made.map(Into::into).ok_or_else(|| {
        let message = format!("There is an artifact `{}` already.", input.key);
        Refusal::conflict("analysis_artifact", "artifact_key", message).into()
    })
}

/// One artifact: of the plugin itself, or of `owner` where that may be read. With `fields`, only these top-level keys.
/// Archived ones only of its own, and only when asked for.
///
/// # Errors
/// `NOT_FOUND`, `PERMISSION_DENIED`.
pub async fn load(
    call: &Call,
    experiment: ExperimentId,
    owner: Option<&Slug>,
    key: &str,
    fields: Option<&[String]>,
    include_archived: bool,
) -> Result<Artifact> {
    let _permit = call.permit_plugin(&Capability::ExperimentsRead)?;
    let owner = owner_of(call, owner)?;
    let own = call.plugin.as_ref().is_none_or(|plugin| plugin.slug() == &owner);
    let mut tx = call.services.db.read().await?;
    experiments::require(&mut tx, call, experiment).await?;
    let found = artifacts::get(&mut tx, call.tenant, experiment, owner.as_str(), key).await?;
    let visible = found.filter(|artifact| artifact.summary.status == ArtifactStatus::Active || (own && include_archived));
    let Some(artifact) = visible else {
        return Err(Refusal::not_found("artifact", format!("`{key}` of plugin `{owner}` on experiment {experiment}")).into());
    };
    let mut artifact = Artifact::from(artifact);
    if let (Some(fields), Value::Object(document)) = (fields, &mut artifact.result) {
        document.retain(|name, _| fields.contains(name));
    }
    Ok(artifact)
}

/// Summaries by plugin and key: the plugin's own, or also those that it may read. A person sees everybody's.
///
/// # Errors
/// `PERMISSION_DENIED`, also for `include_others` together with `include_archived` through a plugin.
pub async fn list(call: &Call, experiment: ExperimentId, include_others: bool, include_archived: bool) -> Result<Vec<Summary>> {
    let _permit = call.permit_plugin(&Capability::ExperimentsRead)?;
    if call.plugin.is_some() && include_others && include_archived {
        return Err(
            Refusal::denied("analysis_results.self", "Archived artifacts can only be listed of the plugin itself.").into()
        );
    }
    let mut tx = call.services.db.read().await?;
    experiments::require(&mut tx, call, experiment).await?;
    let rows = artifacts::list(&mut tx, call.tenant, experiment).await?;
    let readable = |row: &artifacts::Summary| match &call.plugin {
        None => true,
        Some(plugin) if plugin.slug().as_str() == row.plugin => true,
        Some(plugin) => include_others && row.plugin.parse().is_ok_and(|other| plugin.grants().read_results_of(&other)),
    };
    let shown = |row: &artifacts::Summary| include_archived || row.status == ArtifactStatus::Active;
    Ok(rows.into_iter().filter(|row| readable(row) && shown(row)).map(Into::into).collect())
}

/// Archives one of the plugin's artifacts.
///
/// # Errors
/// `NOT_FOUND`, `PERMISSION_DENIED`.
pub async fn archive(call: &Call, experiment: ExperimentId, key: &str) -> Result<Summary> {
    let plugin = authorise_change(call)?;
    let (now, by) = (call.services.clock.now(), call.actor.user().map(|user| user.id.0));
    let mut tx = call.services.db.begin().await?;
    experiments::require_editable(&mut tx, call, experiment).await?;
    let row = artifacts::archive(&mut tx, call.tenant, experiment, plugin, key, by, now).await?;
    tx.commit().await?;
    row.map(Into::into).ok_or_else(|| Refusal::not_found("artifact", key).into())
}

/// Restores one of the plugin's artifacts.
///
/// # Errors
/// `NOT_FOUND`, `PERMISSION_DENIED`.
pub async fn restore(call: &Call, experiment: ExperimentId, key: &str) -> Result<Summary> {
    let plugin = authorise_change(call)?;
    let mut tx = call.services.db.begin().await?;
    experiments::require_editable(&mut tx, call, experiment).await?;
    let row = artifacts::restore(&mut tx, call.tenant, experiment, plugin, key, call.services.clock.now()).await?;
    tx.commit().await?;
    row.map(Into::into).ok_or_else(|| Refusal::not_found("artifact", key).into())
}

/// Deletes one of the plugin's artifacts. False when there was none.
///
/// # Errors
/// `PERMISSION_DENIED`.
pub async fn delete(call: &Call, experiment: ExperimentId, key: &str) -> Result<bool> {
    let plugin = authorise_change(call)?;
    let mut tx = call.services.db.begin().await?;
    experiments::require_editable(&mut tx, call, experiment).await?;
    let deleted = artifacts::delete(&mut tx, call.tenant, experiment, plugin, key).await?;
    tx.commit().await?;
    Ok(deleted)
}

/// Passes if the plugin may change its own artifacts, and gives its slug.
fn authorise_change(call: &Call) -> Result<&str, Refusal> {
    let _permit = call.permit_plugin(&Capability::ResultsWrite)?;
    let _permit = call.permit_write(Write::Result)?;
    Ok(call.through_plugin()?.slug().as_str())
}

fn check_inputs(call: &Call, inputs: &[Input]) -> Result<(), Refusal> {
    if inputs.len() > INPUTS_MAX {
        return Err(Refusal::invalid(format!("At most {INPUTS_MAX} artifacts can be saved at once.")));
    }
    let mut keys = std::collections::BTreeSet::new();
    for input in inputs {
        if input.key.is_empty() || input.key.len() > 255 || input.key.chars().any(char::is_control) {
            return Err(Refusal::invalid("An artifact key has 1 to 255 bytes and no control characters."));
        }
        if !keys.insert(&input.key) {
            return Err(Refusal::invalid(format!("The artifact key `{}` is given twice.", input.key)));
        }
        if !input.result.is_object() {
            return Err(Refusal::invalid("A result must be a JSON object.").with(json!({ "field": "result" })));
        }
        check_document(call, "result", &input.result)?;
    }
    Ok(())
}

fn owner_of(call: &Call, asked: Option<&Slug>) -> Result<Slug, Refusal> {
    match (&call.plugin, asked) {
        (Some(plugin), None) => Ok(plugin.slug().clone()),
        (Some(plugin), Some(other)) if plugin.slug() == other || plugin.grants().read_results_of(other) => Ok(other.clone()),
        (Some(_), Some(other)) => {
            let capability = Capability::ResultsReadOthers(other.clone());
            Err(Refusal::denied(
                &capability.to_string(),
                format!("Reading the results of `{other}` needs the grant `{capability}`."),
            ))
        }
        (None, Some(owner)) => Ok(owner.clone()),
        (None, None) => Err(Refusal::invalid("Say whose result: name the plugin.")),
    }
}

/// Refuses a document that is bigger than the plugin's limit.
pub(crate) fn check_document(call: &Call, what: &str, document: &Value) -> Result<(), Refusal> {
    struct Count(u64);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len() as u64;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    let max = call.limits().document_bytes_max;
    let written = serde_json::to_writer(&mut count, document);
    if let Some(plugin) = &call.plugin {
        plugin.meters.observe(Limit::document_bytes_max, count.0.min(max));
    }
    match written {
        Ok(()) if count.0 <= max => Ok(()),
        Ok(()) => {
            Err(Refusal::quota("document_bytes_max", format!("The {what} has {} bytes; at most {max} are allowed.", count.0)))
        }
        Err(error) => Err(Refusal::invalid(format!("The {what} cannot be written as JSON: {error}."))),
    }
}
