use mint_sdk::Result;
use mint_sdk::json::{Value, json};
use mint_sdk::platform::results::{self, Artifact, ArtifactStatus, Input, Summary};

use super::Arguments;

pub(super) fn call(function: &str, with: &Arguments) -> Result<Value> {
    let (id, key) = (with.number("experiment"), with.text("key"));
    let input = |key: &str| Input {
        key: key.to_owned(),
        result: with.document("result"),
        display_name: with.optional_text("display_name"),
        note: None,
    };
    Ok(match function {
        "save" => shown(results::save(id, &input(&key))?),
        "save-all" => {
            let inputs: Vec<Input> = with.texts("keys").unwrap_or_default().iter().map(|key| input(key)).collect();
            results::save_all(id, &inputs)?.into_iter().map(shown).collect()
        }
        "load" => {
            let (owner, fields) = (with.optional_text("plugin"), with.texts("fields"));
            shown(results::load(id, &key, owner.as_deref(), fields.as_deref())?)
        }
        "list" => results::list(id, with.flag("others"), with.flag("archived"))?.into_iter().map(summary).collect(),
        "archive" => summary(results::archive(id, &key)?),
        "restore" => summary(results::restore(id, &key)?),
        "delete" => json!(results::delete(id, &key)?),
        other => return Err(super::no_such_function(other)),
    })
}

fn shown(artifact: Artifact) -> Value {
    json!({ "summary": summary(artifact.summary), "result": artifact.result })
}

fn summary(summary: Summary) -> Value {
    let archived = summary.status == ArtifactStatus::Archived;
    json!({ "key": summary.key, "archived": archived, "plugin_id": summary.plugin_id })
}
