//! Analysis results, as there were before there were artifacts: each is the artifact with the key `default`.

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
    pub(super) include_others: bool,
    #[serde(default)]
    pub(super) include_archived: bool,
    fields: Option<String>,
}

/// The body of `PUT /experiments/{id}/results/{plugin}`.
#[derive(Debug, Deserialize)]
pub(crate) struct NewResult {
    plugin_id: Option<String>,
    result: Value,
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
    let owner = caller.plugin(&plugin).or_refuse(&caller)?;
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
    let input = Input { key: DEFAULT_KEY.to_owned(), result: caller.understood(new.result), display_name: None, note: None };
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

impl Selection {
    pub(super) fn fields(&self) -> Option<Vec<String>> {
        self.fields.as_ref().map(|fields| fields.split(',').filter(|field| !field.is_empty()).map(str::to_owned).collect())
    }
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
    caller.shown(shown)
}
