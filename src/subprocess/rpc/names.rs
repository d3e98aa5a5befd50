//! The two names of a plugin: its slug, by which the platform and other plugins know it, and the name that an old class
//! gives itself. Where they differ, answers and results are translated on their way.

use mint_context::file_results;
use serde_json::Value;

/// Puts `to` in the place of the plugin `from` in an answer, in the lists there, and in the results that are files. What
/// else a plugin wrote into a result is its own.
pub(super) fn rename(answer: &mut Value, from: &str, to: &str) {
    match answer {
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, from, to)),
        Value::Object(fields) => {
            rename_owner(fields, from, to);
            for list in ["objects", "experiments", "artifact"] {
                if let Some(inner) = fields.get_mut(list) {
                    rename(inner, from, to);
                }
            }
            if let Some(owner) = fields.get_mut("design_owner_plugin_id").filter(|owner| **owner == from) {
                *owner = to.into();
            }
            if let Some(result) = fields.get_mut("result") {
                rename_in_result(result, from, to);
            }
        }
        _ => {}
    }
}

/// Puts `to` in the place of the plugin `from` in the references of a result that is a file. Others are left as they are.
pub(super) fn rename_in_result(result: &mut Value, from: &str, to: &str) {
    if result.get("schema_version").and_then(Value::as_str) != Some(file_results::SCHEMA) {
        return;
    }
    if let Some(Value::Object(file)) = result.get_mut("file") {
        rename_owner(file, from, to);
    }
    let files = result.get_mut("files").and_then(Value::as_array_mut).into_iter().flatten();
    for file in files.filter_map(|file| file.get_mut("ref")?.as_object_mut()) {
        rename_owner(file, from, to);
    }
}

/// Whose a record is, and the address of a file with its owner in it.
fn rename_owner(fields: &mut serde_json::Map<String, Value>, from: &str, to: &str) {
    if let Some(plugin) = fields.get_mut("plugin_id").filter(|plugin| **plugin == from) {
        *plugin = to.into();
    }
    if let Some(Value::String(uri)) = fields.get_mut("uri")
        && let Some(renamed) = renamed_uri(uri, from, to)
    {
        *uri = renamed;
    }
}

/// `mint-object://experiments/{id}/plugins/{plugin}/{key}` with another plugin.
fn renamed_uri(uri: &str, from: &str, to: &str) -> Option<String> {
    let (experiment, rest) = uri.strip_prefix("mint-object://experiments/")?.split_once("/plugins/")?;
    let key = rest.strip_prefix(from)?.strip_prefix('/')?;
    Some(format!("mint-object://experiments/{experiment}/plugins/{to}/{key}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_plugin_reads_its_own_name() {
        let uri = |plugin: &str| format!("mint-object://experiments/1/plugins/{plugin}/a/plugins/peaks/b");
        let answer = |own: &str| {
            json!({
                "objects": [{ "plugin_id": own, "uri": uri(own) }, { "plugin_id": "other", "uri": uri("other") }],
                "plugin_id": own,
                "result": { "plugin_id": "peaks", "file": { "plugin_id": "peaks" } },
                "artifact": { "plugin_id": own },
                "design_owner_plugin_id": own,
            })
        };
        let mut renamed = answer("peaks");
        rename(&mut renamed, "peaks", "Peak tools");
        assert_eq!(renamed, answer("Peak tools"));
    }

    #[test]
    fn a_file_is_its_owners_by_either_name() {
        let file = |plugin: &str| json!({ "plugin_id": plugin, "key": "k", "uri": format!("mint-object://experiments/1/plugins/{plugin}/k") });
        let result = |own: &str| {
            json!({
                "schema_version": file_results::SCHEMA, "file": file(own), "plugin_id": "Peak tools",
                "files": [{ "role": "primary", "ref": file(own) }, { "ref": file("other") }, "odd"],
            })
        };
        let mut renamed = result("Peak tools");
        rename_in_result(&mut renamed, "Peak tools", "peaks");
        assert_eq!(renamed, result("peaks"));
        let mut answer = json!([{ "plugin_id": "peaks", "result": renamed }]);
        rename(&mut answer, "peaks", "Peak tools");
        assert_eq!(answer, json!([{ "plugin_id": "Peak tools", "result": result("Peak tools") }]));
    }
}
