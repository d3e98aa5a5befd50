//! Results that are files: a document of the schema `mint.analysis_file.v1` that refers to an object. The file is replaced
//! by comparing and swapping, so that two who replace it at the same time cannot both believe that they did.

use mint_domain::{Capability, ExperimentId, Refusal, Slug, experiment::ArtifactStatus, policy::Write};
use mint_store::{Tx, artifacts, objects};
use serde_json::{Value, json};

use crate::{
    Call, Result,
    experiments::{self, Change},
    results::{Artifact, check_document},
};

/// The schema of such a result.
pub const SCHEMA: &str = "mint.analysis_file.v1";

/// A file in the place of another.
#[derive(Clone, Debug)]
pub struct Replacement {
    /// The new document. Kind and file name must be those of the old one.
    pub result: Value,
    /// The key of the object that the old document is believed to refer to.
    pub expected_object_key: String,
    /// SHA-256 of that object's bytes in hexadecimal, as the caller has read them.
    pub old_object_sha256: String,
    /// Bytes of that object.
    pub old_object_size: u64,
    /// What becomes of the note.
    pub note: Change<String>,
}

/// Replaces the file of an active artifact: of the plugin itself, or of `owner` where that may be written. The old object
/// goes with the old document.
///
/// # Errors
/// `NOT_FOUND`; `CONFLICT` on `status`, `expected_object_ref` or `file.key`; `VALIDATION_ERROR`; `PERMISSION_DENIED`.
pub async fn replace(
    call: &Call,
    experiment: ExperimentId,
    owner: Option<&Slug>,
    key: &str,
    replacement: Replacement,
) -> Result<Artifact> {
    let owner = writable_owner(call, owner)?;
    check_document(call, "result", &replacement.result)?;
    let now = call.services.clock.now();
    let mut tx = call.services.db.begin().await?;
    experiments::require_writable(&mut tx, call, experiment).await?;
    let found = artifacts::get(&mut tx, call.tenant, experiment, owner.as_str(), key).await?;
    let old = found.ok_or_else(|| Refusal::not_found("artifact", format!("`{key}` of plugin `{owner}`")))?;
    if old.summary.status != ArtifactStatus::Active {
        return Err(conflict("status", format!("The artifact `{key}` is archived. Restore it first.")).into());
    }
    let (old_key, new_key) = keys(experiment, &owner, &old.result, &replacement)?;
    check_objects(&mut tx, call, experiment, &owner, (&old_key, &new_key), &replacement).await?;
    let note = replacement.note.on(old.summary.note.clone());
    let swapped = artifacts::swap(&mut tx, call.tenant, &old.summary, &replacement.result, note.as_deref(), now).await?;
    let artifact = swapped.ok_or_else(|| conflict("expected_object_ref", format!("The artifact `{key}` changed meanwhile.")))?;
    if !artifacts::refers_to(&mut tx, call.tenant, experiment, owner.as_str(), &old_key).await? {
        objects::delete(&mut tx, call.tenant, experiment, owner.as_str(), &old_key, now).await?;
    }
    tx.commit().await?;
    Ok(artifact.into())
}

/// Whose results and files are to be written: the plugin's own, or another's that it may both read and write.
///
/// # Errors
/// `PERMISSION_DENIED`.
pub(crate) fn writable_owner(call: &Call, asked: Option<&Slug>) -> Result<Slug, Refusal> {
    let _permit = call.permit_plugin(&Capability::ResultsWrite)?;
    let _permit = call.permit_write(Write::Result)?;
    let plugin = call.through_plugin()?;
    let Some(owner) = asked.filter(|owner| *owner != plugin.slug()) else { return Ok(plugin.slug().clone()) };
    let _permit = call.permit_plugin(&Capability::ResultsReadOthers(owner.clone()))?;
    let _permit = call.permit_plugin(&Capability::ResultsWriteOthers(owner.clone()))?;
    Ok(owner.clone())
}

/// The keys of the old and the new object, once the documents fit together.
fn keys(experiment: ExperimentId, owner: &Slug, old: &Value, replacement: &Replacement) -> Result<(String, String), Refusal> {
    let new = &replacement.result;
    let invalid = |field: &str, message: &str| Refusal::invalid(message).with(json!({ "field": field }));
    if [old, new].iter().any(|document| document.get("schema_version").and_then(Value::as_str) != Some(SCHEMA)) {
        return Err(invalid("schema_version", &format!("Only results of the schema `{SCHEMA}` have a file to replace.")));
    }
    for field in ["kind", "filename"] {
        if old.get(field) != new.get(field) {
            return Err(invalid(field, &format!("`{field}` of a file result cannot be changed.")));
        }
    }
    let object = |document: &Value| {
        let file = document.get("file")?;
        let inside = file.get("experiment_id")?.as_i64()? == experiment.0 && file.get("plugin_id")?.as_str()? == owner.as_str();
        inside.then(|| file.get("key")?.as_str().map(str::to_owned)).flatten()
    };
    let old_key = object(old).ok_or_else(|| invalid("file", "The stored result refers to no file of its own."))?;
    let new_key = object(new).ok_or_else(|| invalid("file", "`file` must refer to a file of this experiment and plugin."))?;
    if old_key != replacement.expected_object_key {
        return Err(conflict("expected_object_ref", "The result refers to another file by now. Load it again.".to_owned()));
    }
    if old_key == new_key {
        return Err(conflict("file.key", "The new file needs a key of its own.".to_owned()));
    }
    Ok((old_key, new_key))
}

async fn check_objects(
    tx: &mut Tx,
    call: &Call,
    experiment: ExperimentId,
    owner: &Slug,
    (old_key, new_key): (&str, &str),
    replacement: &Replacement,
) -> Result<()> {
    let old = objects::get(tx, call.tenant, experiment, owner.as_str(), old_key).await?;
    let is_unchanged = old.is_some_and(|old| {
        old.sha256.eq_ignore_ascii_case(&replacement.old_object_sha256) && old.size.unsigned_abs() == replacement.old_object_size
    });
    if !is_unchanged {
        return Err(conflict("file.key", format!("The file `{old_key}` is not the one that was read.")).into());
    }
    if objects::get(tx, call.tenant, experiment, owner.as_str(), new_key).await?.is_none() {
        return Err(conflict("file.key", format!("There is no file `{new_key}`. Put it first.")).into());
    }
    Ok(())
}

fn conflict(field: &str, message: String) -> Refusal {
    Refusal::conflict("analysis_artifact", field, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(key: &str, change: impl FnOnce(&mut Value)) -> Value {
        let mut value = json!({
            "schema_version": SCHEMA, "kind": "plot", "filename": "a.png", "metadata": {},
            "file": { "experiment_id": 7, "plugin_id": "peaks", "key": key },
        });
        change(&mut value);
        value
    }

    #[test]
    fn a_replacement_fits_what_is_there() {
        let owner: Slug = "peaks".parse().unwrap();
        let tried = |new: Value, expected: &str| {
            let replacement = Replacement {
                result: new,
                expected_object_key: expected.to_owned(),
                old_object_sha256: String::new(),
                old_object_size: 0,
                note: Change::Keep,
            };
            keys(ExperimentId(7), &owner, &document("old", |_| ()), &replacement).map_err(|refusal| {
                let field = refusal.details.get("conflict_field").or(refusal.details.get("field")).cloned();
                format!("{} {}", refusal.code, field.unwrap_or_default())
            })
        };
        assert_eq!(tried(document("new", |_| ()), "old"), Ok(("old".to_owned(), "new".to_owned())));
        for (new, expected, said) in [
            (document("new", |_| ()), "other", "CONFLICT \"expected_object_ref\""),
            (document("old", |_| ()), "old", "CONFLICT \"file.key\""),
            (document("new", |v| v["kind"] = json!("table")), "old", "VALIDATION_ERROR \"kind\""),
            (document("new", |v| v["filename"] = json!("b.png")), "old", "VALIDATION_ERROR \"filename\""),
            (document("new", |v| v["schema_version"] = json!("2")), "old", "VALIDATION_ERROR \"schema_version\""),
            (document("new", |v| v["file"]["experiment_id"] = json!(8)), "old", "VALIDATION_ERROR \"file\""),
            (document("new", |v| v["file"]["plugin_id"] = json!("other")), "old", "VALIDATION_ERROR \"file\""),
        ] {
            assert_eq!(tried(new, expected), Err(said.to_owned()));
        }
    }
}
