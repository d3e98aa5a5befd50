//! How much work it is to check a document by a schema. A few lines of JSON Schema can take a validator years (a definition that
//! refers twice to one that refers twice to a third …) or the end of its stack, and nothing stops it once it has begun. So the
//! steps that it would take are counted first, each part of the schema once for each part of the document that it is asked about.

use std::collections::HashMap;

use serde_json::{Map, Value};

/// Most steps: parts of a schema applied to parts of a document.
const STEPS_MAX: u64 = 500_000;
/// Most parts of a schema inside each other at one part of a document, references followed.
const DEPTH_MAX: u32 = 500;
/// Most patterns of a schema; each is compiled for a check.
const PATTERNS_MAX: usize = 200;
/// Bytes of a text that count as a step.
const STEP_BYTES: usize = 64;

/// Keywords whose value is a schema for the same part of the document.
const SAME: &[&str] = &["not", "if", "then", "else"];
/// Keywords whose value is a list of such schemas.
const SAME_LIST: &[&str] = &["allOf", "anyOf", "oneOf"];
/// Keywords whose value has such schemas by name.
const SAME_MAP: &[&str] = &["dependentSchemas", "dependencies"];
/// Keywords whose value is a schema for each member.
const MEMBER: &[&str] = &["additionalProperties", "unevaluatedProperties"];
/// Keywords whose value is a schema for each element.
const ELEMENT: &[&str] = &["items", "additionalItems", "contains", "unevaluatedItems"];

/// Why a schema is not used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TooMuchWork {
    /// It would take too many steps.
    #[error("it would take more than {STEPS_MAX} steps")]
    Steps,
    /// It goes too deep.
    #[error("it goes more than {DEPTH_MAX} parts deep")]
    Depth,
    /// It has too many patterns.
    #[error("it has more than {PATTERNS_MAX} patterns")]
    Patterns,
    /// It refers to something in a way of which the work cannot be known.
    #[error("it refers to {0}, and only references such as `#/$defs/sample` are followed")]
    Reference(String),
}

/// Passes if a check takes no more work than it may.
///
/// # Errors
/// What is too much.
pub(crate) fn admit(schema: &Value, document: &Value) -> Result<(), TooMuchWork> {
    if patterns(schema) > PATTERNS_MAX {
        return Err(TooMuchWork::Patterns);
    }
    let mut work = Work { root: schema, known: HashMap::new(), taken: 0 };
    match work.steps(schema, document, 0)? {
        0..=STEPS_MAX => Ok(()),
        _ => Err(TooMuchWork::Steps),
    }
}

fn patterns(schema: &Value) -> usize {
    match schema {
        Value::Object(parts) => {
            let named = parts.get("patternProperties").and_then(Value::as_object).map_or(0, Map::len);
            named + usize::from(parts.contains_key("pattern")) + parts.values().map(patterns).sum::<usize>()
        }
        Value::Array(parts) => parts.iter().map(patterns).sum(),
        _ => 0,
    }
}

/// A part of the schema and a part of the document, by where they are in memory.
type Pair = (*const Value, *const Value);

struct Work<'a> {
    root: &'a Value,
    /// Steps of what is referred to, for each part of the document; none while they are counted.
    known: HashMap<Pair, Option<u64>>,
    /// Steps of this count itself.
    taken: u64,
}

impl<'a> Work<'a> {
    /// The steps of `schema` at `at`.
    fn steps(&mut self, schema: &'a Value, at: &'a Value, depth: u32) -> Result<u64, TooMuchWork> {
        self.taken += 1;
        if self.taken > STEPS_MAX {
            return Err(TooMuchWork::Steps);
        }
        if depth > DEPTH_MAX {
            return Err(TooMuchWork::Depth);
        }
        let Value::Object(parts) = schema else { return Ok(1) };
        let mut steps = own_steps(parts, at).saturating_add(1);
        if let Some(target) = self.target(parts)? {
            steps = steps.saturating_add(self.referred(target, at, depth)?);
        }
        for part in same_part(parts) {
            steps = steps.saturating_add(self.steps(part, at, depth + 1)?);
        }
        match at {
            Value::Object(members) => {
                for (name, value) in members {
                    for part in of_member(parts, name) {
                        steps = steps.saturating_add(self.steps(part, value, depth + 1)?);
                    }
                }
            }
            Value::Array(elements) => {
                for (index, value) in elements.iter().enumerate() {
                    for part in of_element(parts, index) {
                        steps = steps.saturating_add(self.steps(part, value, depth + 1)?);
                    }
                }
            }
            _ => {}
        }
        // Whether something was evaluated is found out anew for each of it.
        if parts.contains_key("unevaluatedProperties") || parts.contains_key("unevaluatedItems") {
            steps = steps.saturating_mul(1 + size(at));
        }
        Ok(steps)
    }

    /// The steps of what is referred to: many may refer to it, and it is counted once for each part of the document.
    fn referred(&mut self, target: &'a Value, at: &'a Value, depth: u32) -> Result<u64, TooMuchWork> {
        let pair = (std::ptr::from_ref(target), std::ptr::from_ref(at));
        match self.known.get(&pair) {
            Some(Some(steps)) => return Ok(*steps),
            // It refers to itself at the same place, where the validator stops too.
            Some(None) => return Ok(1),
            None => {}
        }
        self.known.insert(pair, None);
        let steps = self.steps(target, at, depth + 1)?;
        self.known.insert(pair, Some(steps));
        Ok(steps)
    }

    fn target(&self, parts: &'a Map<String, Value>) -> Result<Option<&'a Value>, TooMuchWork> {
        if let Some(name) = ["$dynamicRef", "$recursiveRef"].into_iter().find(|name| parts.contains_key(*name)) {
            return Err(TooMuchWork::Reference(format!("something by `{name}`")));
        }
        if !std::ptr::eq(parts, self.root.as_object().unwrap_or(parts)) && parts.get("$id").is_some_and(Value::is_string) {
            return Err(TooMuchWork::Reference("parts of itself by an `$id` of their own".to_owned()));
        }
        let Some(reference) = parts.get("$ref").and_then(Value::as_str) else { return Ok(None) };
        let target = reference.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
        target.map(Some).ok_or_else(|| TooMuchWork::Reference(format!("`{reference}`")))
    }
}

/// What a part does by itself.
fn own_steps(parts: &Map<String, Value>, at: &Value) -> u64 {
    let choices = parts.get("enum").and_then(Value::as_array).map_or(0, Vec::len) + usize::from(parts.contains_key("const"));
    let of_text = match at {
        Value::String(text) if ["pattern", "minLength", "maxLength", "format"].iter().any(|name| parts.contains_key(*name)) => {
            text.len() / STEP_BYTES
        }
        _ => 0,
    };
    (choices as u64).saturating_mul(1 + size(at)).saturating_add(of_text as u64)
}

/// How many parts a part of a document has, with itself.
fn size(at: &Value) -> u64 {
    match at {
        Value::Object(members) => 1 + members.values().map(size).sum::<u64>(),
        Value::Array(elements) => 1 + elements.iter().map(size).sum::<u64>(),
        _ => 1,
    }
}

/// Schemas for the same part of the document.
fn same_part(parts: &Map<String, Value>) -> impl Iterator<Item = &Value> {
    let single = SAME.iter().filter_map(|name| parts.get(*name));
    let listed = SAME_LIST.iter().filter_map(|name| parts.get(*name)?.as_array()).flatten();
    let named = SAME_MAP.iter().filter_map(|name| parts.get(*name)?.as_object()).flat_map(Map::values);
    single.chain(listed).chain(named)
}

/// Schemas for a member: every pattern is taken to match, and the name itself is checked like a value.
fn of_member<'a>(parts: &'a Map<String, Value>, name: &str) -> impl Iterator<Item = &'a Value> {
    let named = parts.get("properties").and_then(|named| named.get(name));
    let patterns = parts.get("patternProperties").and_then(Value::as_object).into_iter().flat_map(Map::values);
    let all = MEMBER.iter().filter_map(|keyword| parts.get(*keyword));
    named.into_iter().chain(patterns).chain(all).chain(parts.get("propertyNames"))
}

/// Schemas for an element.
fn of_element(parts: &Map<String, Value>, index: usize) -> impl Iterator<Item = &Value> {
    let listed = ["prefixItems", "items"].into_iter().filter_map(move |name| parts.get(name)?.as_array()?.get(index));
    listed.chain(ELEMENT.iter().filter_map(|name| parts.get(*name).filter(|part| !part.is_array())))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Definitions of which each is made of the next.
    fn chain(count: usize, last: Value, link: impl Fn(String) -> Value) -> Value {
        let mut definitions = Map::new();
        for number in 0..count {
            definitions.insert(format!("d{number}"), link(format!("#/$defs/d{}", number + 1)));
        }
        definitions.insert(format!("d{count}"), last);
        json!({ "$defs": definitions, "$ref": "#/$defs/d0" })
    }

    #[test]
    fn what_would_never_end_is_not_begun() {
        let twice = |next: String| json!({ "anyOf": [{ "$ref": next }, { "$ref": next }] });
        assert_eq!(admit(&chain(60, json!(false), twice), &json!(1)), Err(TooMuchWork::Steps));
        assert_eq!(admit(&chain(8, json!(false), twice), &json!(1)), Ok(()));
        let once = |next: String| json!({ "$ref": next });
        assert_eq!(admit(&chain(10_000, json!(true), once), &json!(1)), Err(TooMuchWork::Depth));
        assert_eq!(admit(&chain(100, json!(true), once), &json!(1)), Ok(()));

        // A tree whose branches are looked at twice at each level.
        let twice = json!({ "allOf": [{ "properties": { "a": { "$ref": "#" } } }, { "properties": { "a": { "$ref": "#" } } }] });
        let mut tree = json!(1);
        for _ in 0..60 {
            tree = json!({ "a": tree });
        }
        assert_eq!(admit(&twice, &tree), Err(TooMuchWork::Steps));
        let unevaluated = (0..30).fold(json!(true), |inner, _| {
            json!({ "anyOf": [{ "properties": { "a": inner }, "unevaluatedProperties": false }], "unevaluatedProperties": false })
        });
        assert_eq!(admit(&unevaluated, &tree), Err(TooMuchWork::Steps));
        let patterns: Map<String, Value> = (0..300).map(|number| (format!("^(a{{{number}}})+$"), json!(true))).collect();
        assert_eq!(admit(&json!({ "patternProperties": patterns }), &json!({})), Err(TooMuchWork::Patterns));
        let choices = json!({ "items": { "enum": (0..2_000).collect::<Vec<_>>() } });
        assert_eq!(admit(&choices, &json!(vec![1; 2_000])), Err(TooMuchWork::Steps));
    }

    #[test]
    fn what_authors_write_is_checked() {
        // As pydantic writes it: a tree, and choices without a name.
        let tree = json!({
            "$defs": { "node": { "type": "object", "properties": {
                "name": { "anyOf": [{ "type": "string" }, { "type": "null" }] },
                "children": { "type": "array", "items": { "$ref": "#/$defs/node" } },
            }, "additionalProperties": false } },
            "$ref": "#/$defs/node",
        });
        let mut document = json!({ "name": "leaf", "children": [] });
        for _ in 0..40 {
            document = json!({ "name": null, "children": [document, { "name": "x" }] });
        }
        assert_eq!(admit(&tree, &document), Ok(()));
        let samples = json!({ "type": "object", "properties": { "samples": { "items": { "properties": {
            "name": { "type": "string" }, "dose": { "anyOf": [{ "type": "number" }, { "type": "null" }] },
        } } } } });
        let many: Vec<Value> = (0..10_000).map(|number| json!({ "name": format!("s{number}"), "dose": 1.5 })).collect();
        assert_eq!(admit(&samples, &json!({ "samples": many })), Ok(()));
        assert_eq!(admit(&json!({ "$ref": "#" }), &json!(1)), Ok(()), "it says nothing, and ends");
        assert_eq!(admit(&json!(true), &json!(1)), Ok(()));
    }

    #[test]
    fn references_that_lead_elsewhere_are_refused_by_name() {
        for (schema, words) in [
            (json!({ "$ref": "https://example.org/schema" }), "`https://example.org/schema`"),
            (json!({ "$ref": "#missing" }), "`#missing`"),
            (json!({ "$ref": "#/$defs/none" }), "`#/$defs/none`"),
            (json!({ "$dynamicRef": "#x" }), "`$dynamicRef`"),
            (json!({ "allOf": [{ "$id": "https://example.org/other", "$ref": "#/a" }] }), "an `$id` of their own"),
        ] {
            let error = admit(&schema, &json!({})).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    proptest::proptest! {
        /// Whatever was let through is done at once.
        #[test]
        fn what_is_admitted_ends(depth in 1_usize..24, width in 1_usize..4, levels in 0_usize..5) {
            let schema = chain(depth, json!({ "type": "null" }), |next| {
                json!({ "anyOf": vec![json!({ "$ref": next }); width], "properties": { "a": { "$ref": "#" } } })
            });
            let document = (0..levels).fold(json!({}), |inner, _| json!({ "a": inner }));
            if admit(&schema, &document).is_ok() {
                let validator = jsonschema::options().build(&schema).unwrap();
                proptest::prop_assert!(!validator.is_valid(&document));
            }
        }
    }
}
