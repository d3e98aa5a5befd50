//! JSON Schema checks of designs and settings, on schemas that a plugin's author wrote: how much work a check takes is looked at
//! first, patterns run in linear time, nothing is fetched, and at most a few complaints are listed.

use jsonschema::{Draft, PatternOptions, paths::LocationSegment};
use mint_domain::Refusal;
use serde_json::{Value, json};

use crate::schema_work;

const COMPLAINTS_MAX: usize = 20;

/// Checks `instance`.
///
/// # Errors
/// `VALIDATION_ERROR` with `details.errors`, a list of `{path, message}` where a path looks like `samples[0].name`; without it
/// for a schema that is none, or that takes too much work.
pub fn check(schema: &Value, instance: &Value, what: &str) -> Result<(), Refusal> {
    admit(schema, instance, what)?;
    let validator = jsonschema::options()
        .with_draft(Draft::Draft202012)
        .with_pattern_options(PatternOptions::regex().size_limit(1 << 20))
        .build(schema)
        .map_err(|error| {
            Refusal::invalid(format!("The plugin's schema of its {what} is not a JSON Schema: {error}. Tell its author."))
        })?;
    let complaints: Vec<Value> = validator
        .iter_errors(instance)
        .take(COMPLAINTS_MAX)
        .map(|error| {
            let path = dotted(error.instance_path().iter());
            json!({ "path": path, "message": error.masked().to_string() })
        })
        .collect();
    let Some(first) = complaints.first() else { return Ok(()) };
    let text = |key: &str| first.get(key).and_then(Value::as_str).unwrap_or_default();
    let place = if text("path").is_empty() { String::new() } else { format!(" at `{}`", text("path")) };
    Err(Refusal::invalid(format!("The plugin's schema refuses the {what}{place}: {}.", text("message")))
        .with(json!({ "errors": complaints })))
}

/// Passes if whatever goes through `instance` by `schema` takes no more work than it may.
///
/// # Errors
/// `VALIDATION_ERROR`.
pub fn admit(schema: &Value, instance: &Value, what: &str) -> Result<(), Refusal> {
    schema_work::admit(schema, instance).map_err(|error| {
        Refusal::invalid(format!("The {what} cannot be checked by the plugin's schema of it: {error}. Tell its author."))
    })
}

/// The defaults that a schema of an object gives for its properties.
pub fn defaults(schema: &Value) -> serde_json::Map<String, Value> {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties
        .into_iter()
        .flatten()
        .filter_map(|(name, property)| property.get("default").map(|default| (name.clone(), default.clone())))
        .collect()
}

fn dotted<'a>(segments: impl Iterator<Item = LocationSegment<'a>>) -> String {
    let mut path = String::new();
    for segment in segments {
        match segment {
            LocationSegment::Property(name) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(&name);
            }
            LocationSegment::Index(index) => path.push_str(&format!("[{index}]")),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_names_the_place() {
        let schema = json!({"type": "object", "properties": {"samples": {"type": "array", "items": {
            "type": "object", "properties": {"name": {"type": "string"}}}}}});
        assert!(check(&schema, &json!({"samples": [{"name": "a"}]}), "design").is_ok());
        let refusal = check(&schema, &json!({"samples": [{"name": 1}]}), "design").unwrap_err();
        assert_eq!(refusal.details["errors"][0]["path"], "samples[0].name");
        assert!(refusal.message.contains("samples[0].name"), "{refusal}");
    }

    #[test]
    fn a_pattern_that_could_backtrack_answers_at_once() {
        let schema = json!({"type": "string", "pattern": "^(a+)+$"});
        assert!(check(&schema, &json!("a".repeat(40) + "!"), "settings").is_err());
    }
}
