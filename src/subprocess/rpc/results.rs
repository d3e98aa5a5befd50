//! Results and artifacts. MINT's analysis result is the artifact with the key `default`.

use axum::Json;
use mint_context::results::{self, Artifact, DEFAULT_KEY, Input};
use mint_domain::{ExperimentId, Refusal, Slug};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    caller::Caller,
    error::{Answer, OrRefuse},
    extract::{Asked, Named, Sent},
};

/// Keys of an analysis result before there were artifacts.
const RESULT_KEYS: &[&str] = &["id", "experiment_id", "plugin_id", "result", "created_at", "updated_at"];

/// The query of the routes that load or list.
#[derive(Debug, Deserialize)]
pub(crate) struct Selection {
    #[serde(default)]
    include_others: bool,
    #[serde(default)]
    include_archived: bool,
    fields: Option<String>,
}

/// The body of `PUT /experiments/{id}/results/{plugin}`.
#[derive(Debug, Deserialize)]
pub(crate) struct NewResult {
    plugin_id: Option<String>,
    result: Value,
}

/// The body of `PUT /experiments/{id}/analysis-artifacts/{key}`.
#[derive(Debug, Deserialize)]
pub(crate) struct NewArtifact {
    result: Value,
    display_name: Option<String>,
    note: Option<String>,
}

/// The body of `PUT /experiments/{id}/analysis-artifacts`.
#[derive(Debug, Deserialize)]
pub(crate) struct NewArtifacts {
    artifacts: Vec<NamedArtifact>,
}

#[derive(Debug, Deserialize)]
struct NamedArtifact {
    artifact_key: String,
    #[serde(flatten)]
    new: NewArtifact,
}

/// `GET /experiments/{id}/results`.
pub(crate) async fn list(caller: Caller, Named(id): Named<ExperimentId>) -> Answer {
    let summaries = results::list(&caller.call, id, true, false).await.or_refuse(&caller)?;
    let mut found = Vec::new();
    for summary in summaries.iter().filter(|summary| summary.artifact_key == DEFAULT_KEY) {
        let Ok(owner) = summary.plugin_id.parse::<Slug>() else { continue };
        let artifact = results::load(&caller.call, id, Some(&owner), DEFAULT_KEY, None, false).await.or_refuse(&caller)?;
        found.push(as_result(&artifact, &caller));
    }
    Ok(Json(found.into()))
}

/// `GET /experiments/{id}/results/{plugin}`.
pub(crate) async fn load(
    caller: Caller,
    Named((id, plugin)): Named<(ExperimentId, String)>,
    Asked(asked): Asked<Selection>,
) -> Answer {
    let owner = owner(&plugin).or_refuse(&caller)?;
    let fields = asked.fields();
    let loaded = results::load(&caller.call, id, Some(&owner), DEFAULT_KEY, fields.as_deref(), false).await;
    Ok(Json(as_result(&loaded.or_refuse(&caller)?, &caller)))
}

/// `PUT /experiments/{id}/results/{plugin}`.
pub(crate) async fn save(
    caller: Caller,
    Named((id, plugin)): Named<(ExperimentId, String)>,
    Sent(new): Sent<NewResult>,
) -> Answer {
    for plugin in [Some(plugin), new.plugin_id].into_iter().flatten() {
        caller.is_own(&plugin, "analysis_results.self").or_refuse(&caller)?;
    }
    let input = Input { key: DEFAULT_KEY.to_owned(), result: new.result, display_name: None, note: None };
    let saved = results::save(&caller.call, id, input).await.or_refuse(&caller)?;
    Ok(Json(as_result(&saved, &caller)))
}

/// `DELETE /experiments/{id}/results/{plugin}`.
pub(crate) async fn delete(caller: Caller, Named((id, plugin)): Named<(ExperimentId, String)>) -> Answer {
    caller.is_own(&plugin, "analysis_results.self").or_refuse(&caller)?;
    if !results::delete(&caller.call, id, DEFAULT_KEY).await.or_refuse(&caller)? {
        return Err(Refusal::not_found("result on experiment", id)).or_refuse(&caller);
    }
    Ok(Json(json!({ "deleted": true })))
}

/// `GET /experiments/{id}/analysis-artifacts`.
pub(crate) async fn list_artifacts(caller: Caller, Named(id): Named<ExperimentId>, Asked(asked): Asked<Selection>) -> Answer {
    let found = results::list(&caller.call, id, asked.include_others, asked.include_archived).await.or_refuse(&caller)?;
    Ok(Json(json!(found)))
}

/// `PUT /experiments/{id}/analysis-artifacts`.
pub(crate) async fn save_artifacts(caller: Caller, Named(id): Named<ExperimentId>, Sent(new): Sent<NewArtifacts>) -> Answer {
    let inputs = new.artifacts.into_iter().map(|artifact| artifact.new.named(artifact.artifact_key)).collect();
    let saved = results::save_all(&caller.call, id, inputs).await.or_refuse(&caller)?;
    Ok(Json(json!(saved)))
}

/// `PUT /experiments/{id}/analysis-artifacts/{key}`.
pub(crate) async fn save_artifact(
    caller: Caller,
    Named((id, key)): Named<(ExperimentId, String)>,
    Sent(new): Sent<NewArtifact>,
) -> Answer {
    let saved = results::save(&caller.call, id, new.named(key)).await.or_refuse(&caller)?;
    Ok(Json(json!(saved)))
}

/// `GET /experiments/{id}/analysis-artifacts/{plugin}/{key}`; the key may have slashes.
pub(crate) async fn load_artifact(
    caller: Caller,
    Named((id, rest)): Named<(ExperimentId, String)>,
    Asked(asked): Asked<Selection>,
) -> Answer {
    let (plugin, key) = rest.split_once('/').ok_or_else(|| Refusal::not_found("artifact", &rest)).or_refuse(&caller)?;
    let owner = owner(plugin).or_refuse(&caller)?;
    let fields = asked.fields();
    let loaded = results::load(&caller.call, id, Some(&owner), key, fields.as_deref(), asked.include_archived).await;
    Ok(Json(json!(loaded.or_refuse(&caller)?)))
}

/// `POST /experiments/{id}/analysis-artifacts/{key}/archive` and `…/restore`.
pub(crate) async fn move_artifact(caller: Caller, Named((id, rest)): Named<(ExperimentId, String)>) -> Answer {
    let moved = match rest.rsplit_once('/') {
        Some((key, "archive")) => results::archive(&caller.call, id, key).await,
        Some((key, "restore")) => results::restore(&caller.call, id, key).await,
        Some(_) | None => Err(Refusal::not_found("operation", &rest).into()),
    };
    Ok(Json(json!(moved.or_refuse(&caller)?)))
}

impl Selection {
    fn fields(&self) -> Option<Vec<String>> {
        self.fields.as_ref().map(|fields| fields.split(',').filter(|field| !field.is_empty()).map(str::to_owned).collect())
    }
}

impl NewArtifact {
    fn named(self, key: String) -> Input {
        Input { key, result: self.result, display_name: self.display_name, note: self.note }
    }
}

/// A plugin that cannot exist has nothing.
fn owner(plugin: &str) -> Result<Slug, Refusal> {
    plugin.parse().map_err(|_| Refusal::not_found("plugin", plugin))
}

fn as_result(artifact: &Artifact, caller: &Caller) -> Value {
    let mut shown = json!(artifact);
    if let Some(fields) = shown.as_object_mut() {
        if caller.is_strict {
            fields.retain(|key, _| RESULT_KEYS.contains(&key.as_str()));
        } else {
            fields.insert("artifact_id".to_owned(), artifact.summary.id.into());
        }
    }
    shown
}
