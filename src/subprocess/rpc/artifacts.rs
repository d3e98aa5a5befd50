//! Artifacts: results with names. `PUT` and `GET` have the key at the end of the path, `POST` a verb behind it.

use axum::Json;
use mint_context::{
    experiments::Change,
    file_results::{self, Replacement},
    results::{self, Input},
};
use mint_domain::{ExperimentId, Refusal};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    caller::Caller,
    error::{Answer, OrRefuse},
    extract::{Asked, Named, Sent},
    results::Selection,
};

/// The body of `PUT /experiments/{id}/analysis-artifacts/{key}` and `POST …/create`.
#[derive(Debug, Deserialize)]
pub(crate) struct New {
    result: Value,
    display_name: Option<String>,
    note: Option<String>,
}

/// The body of `PUT /experiments/{id}/analysis-artifacts`.
#[derive(Debug, Deserialize)]
pub(crate) struct NewOnes {
    artifacts: Vec<NamedArtifact>,
}

#[derive(Debug, Deserialize)]
struct NamedArtifact {
    artifact_key: String,
    #[serde(flatten)]
    new: New,
}

/// The body of `PATCH /experiments/{id}/analysis-artifacts/{key}`.
#[derive(Debug, Deserialize)]
pub(crate) struct FileChange {
    result: Value,
    expected_object_key: String,
    old_object_sha256: String,
    old_object_size: u64,
    #[serde(default)]
    note_provided: bool,
    note: Option<String>,
}

/// The query of the routes that may mean another plugin's.
#[derive(Debug, Deserialize)]
pub(crate) struct Owned {
    plugin_id: Option<String>,
}

/// `GET /experiments/{id}/analysis-artifacts`.
pub(crate) async fn list(caller: Caller, Named(id): Named<ExperimentId>, Asked(asked): Asked<Selection>) -> Answer {
    let found = results::list(&caller.call, id, asked.include_others, asked.include_archived).await.or_refuse(&caller)?;
    Ok(Json(caller.shown(json!(found))))
}

/// `PUT /experiments/{id}/analysis-artifacts`.
pub(crate) async fn save_all(caller: Caller, Named(id): Named<ExperimentId>, Sent(new): Sent<NewOnes>) -> Answer {
    let inputs = new.artifacts.into_iter().map(|artifact| artifact.new.named(artifact.artifact_key, &caller)).collect();
    let saved = results::save_all(&caller.call, id, inputs).await.or_refuse(&caller)?;
    Ok(Json(caller.shown(json!(saved))))
}

/// `PUT /experiments/{id}/analysis-artifacts/{key}`.
pub(crate) async fn save(caller: Caller, Named((id, key)): Named<(ExperimentId, String)>, Sent(new): Sent<New>) -> Answer {
    let saved = results::save(&caller.call, id, new.named(key, &caller)).await.or_refuse(&caller)?;
    Ok(Json(caller.shown(json!(saved))))
}

/// `PATCH /experiments/{id}/analysis-artifacts/{key}`: another file in the place of the one that is expected there.
pub(crate) async fn replace_file(
    caller: Caller,
    Named((id, key)): Named<(ExperimentId, String)>,
    Asked(asked): Asked<Owned>,
    Sent(change): Sent<FileChange>,
) -> Answer {
    let owner = asked.plugin_id.map(|plugin| caller.plugin(&plugin)).transpose().or_refuse(&caller)?;
    let note = match (change.note_provided, change.note) {
        (false, _) => Change::Keep,
        (true, Some(note)) => Change::Set(note),
        (true, None) => Change::Clear,
    };
    let replacement = Replacement {
        result: caller.understood(change.result),
        expected_object_key: change.expected_object_key,
        old_object_sha256: change.old_object_sha256,
        old_object_size: change.old_object_size,
        note,
    };
    let artifact = file_results::replace(&caller.call, id, owner.as_ref(), &key, replacement).await.or_refuse(&caller)?;
    // The old file went in the same transaction; only its bytes are swept later, which nobody sees.
    Ok(Json(caller.shown(json!({ "artifact": artifact, "cleanup_pending": false }))))
}

/// `GET /experiments/{id}/analysis-artifacts/{plugin}/{key}`; the key may have slashes.
pub(crate) async fn load(
    caller: Caller,
    Named((id, rest)): Named<(ExperimentId, String)>,
    Asked(asked): Asked<Selection>,
) -> Answer {
    let (plugin, key) = rest.split_once('/').ok_or_else(|| Refusal::not_found("artifact", &rest)).or_refuse(&caller)?;
    let owner = caller.plugin(plugin).or_refuse(&caller)?;
    let fields = asked.fields();
    let loaded = results::load(&caller.call, id, Some(&owner), key, fields.as_deref(), asked.include_archived).await;
    Ok(Json(caller.shown(json!(loaded.or_refuse(&caller)?))))
}

/// `POST /experiments/{id}/analysis-artifacts/{key}/create`, `…/archive` and `…/restore`.
pub(crate) async fn act(
    caller: Caller,
    Named((id, rest)): Named<(ExperimentId, String)>,
    Sent(new): Sent<Option<New>>,
) -> Answer {
    let shown = match (rest.rsplit_once('/'), new) {
        (Some((key, "create")), Some(new)) => {
            json!(results::create(&caller.call, id, new.named(key.to_owned(), &caller)).await.or_refuse(&caller)?)
        }
        (Some((_, "create")), None) => return Err(Refusal::invalid("The new artifact is missing.")).or_refuse(&caller),
        (Some((key, "archive")), _) => json!(results::archive(&caller.call, id, key).await.or_refuse(&caller)?),
        (Some((key, "restore")), _) => json!(results::restore(&caller.call, id, key).await.or_refuse(&caller)?),
        _ => return Err(Refusal::not_found("operation", &rest)).or_refuse(&caller),
    };
    Ok(Json(caller.shown(shown)))
}

impl New {
    fn named(self, key: String, caller: &Caller) -> Input {
        Input { key, result: caller.understood(self.result), display_name: self.display_name, note: self.note }
    }
}
