//! The configuration as a tree of values, before it is read: what is set where, and what is wrong with it.

use serde_json::{Map, Value};

use super::{Config, Kind, NAMES, variable_of};

/// The value that a text of the environment stands for; none where it is not of its kind.
pub(super) fn value_of(kind: Kind, text: &str) -> Option<Value> {
    match kind {
        Kind::Text => Some(Value::from(text)),
        Kind::Bool => text.parse::<bool>().ok().map(Value::from),
        Kind::Number => text.parse::<u64>().ok().map(Value::from),
        Kind::Object => serde_json::from_str(text).ok().filter(Value::is_object),
        Kind::List => Some(text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect()),
    }
}

/// Puts a value under a dotted name.
pub(super) fn set(tree: &mut Map<String, Value>, name: &str, value: Value) {
    match name.split_once('.') {
        None => {
            tree.insert(name.to_owned(), value);
        }
        Some((section, rest)) => {
            let inner = tree.entry(section).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                set(inner, rest, value);
            }
        }
    }
}

/// Notes every key that is no setting.
pub(super) fn unknown_keys(file: &str, tree: &Map<String, Value>, prefix: &str, mistakes: &mut Vec<String>) {
    for (key, value) in tree {
        let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        let is_section = NAMES.iter().any(|(known, ..)| known.starts_with(&format!("{name}.")));
        match value {
            Value::Object(inner) if is_section => unknown_keys(file, inner, &name, mistakes),
            _ if is_section => mistakes.push(format!("{file}: `{name}` must be an object")),
            _ if NAMES.iter().any(|(known, ..)| *known == name) => {}
            _ => mistakes.push(format!("{file}: no such setting `{name}`; see `mint config names`")),
        }
    }
}

/// Tries every value alone, so that each mistake is told, with its name.
pub(super) fn wrong_values(tree: &Map<String, Value>, mistakes: &mut Vec<String>) {
    for (name, ..) in NAMES {
        let value = name.split('.').try_fold(None, |found: Option<&Value>, key| match found {
            None => tree.get(key).map(Some),
            Some(section) => section.get(key).map(Some),
        });
        let Some(Some(value)) = value else { continue };
        let mut alone = Map::new();
        set(&mut alone, name, value.clone());
        if let Err(error) = serde_json::from_value::<Config>(Value::Object(alone)) {
            mistakes.push(format!("{name} ({}): {error}", variable_of(name)));
        }
    }
}
