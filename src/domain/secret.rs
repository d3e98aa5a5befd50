//! Secrets in documents such as settings: where a schema says that one stands, how it stands there, and how a document is walked.
//!
//! A value is secret where the schema says `writeOnly: true` or `format: "password"`. In what is stored it is *sealed*:
//! `{"$secret": "sec_…", "key": "…", "sealed": "…"}`; people see the *reference* `{"$secret": "sec_…"}`; a plugin sees the value.

use std::{collections::HashSet, fmt, ops::Deref};

use serde_json::{Map, Value, json};

/// The member by which sealed values and references are known.
const MARK: &str = "$secret";
/// The member in which MINT's own SDKs keep the secrets of a plugin: values by id.
const TABLE: &str = "/__secrets__";
/// What a client may send beside a reference: MINT's clients do.
const BESIDE: &[&str] = &["set", "locked"];

/// A document whose secrets are open. It tells nothing of itself.
#[derive(Clone, PartialEq)]
pub struct Unsealed(Value);

impl Unsealed {
    /// Takes a document as it is.
    pub fn new(document: Value) -> Self {
        Self(document)
    }

    /// The document.
    pub fn into_inner(self) -> Value {
        self.0
    }
}

impl Deref for Unsealed {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.0
    }
}

impl fmt::Debug for Unsealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unsealed(…)")
    }
}

/// A sealed value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// `sec_` and 32 hexadecimal digits.
    pub id: String,
    /// The key that opens it.
    pub key: String,
    /// What only the key can read, in hexadecimal digits.
    pub sealed: String,
}

impl Sealed {
    /// As it stands in a document.
    pub fn to_value(&self) -> Value {
        json!({ MARK: self.id, "key": self.key, "sealed": self.sealed })
    }

    /// As people see it.
    pub fn reference(&self) -> Value {
        json!({ MARK: self.id })
    }
}

/// What stands in the place of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stand {
    /// The value itself.
    Value,
    /// A sealed value.
    Sealed(Sealed),
    /// A reference; without an id, to what is not stored.
    Reference(Option<String>),
    /// Something that is neither, and looks like it.
    Broken,
}

impl Stand {
    /// Reads what stands there.
    pub fn of(value: &Value) -> Self {
        let Some(members) = value.as_object().filter(|members| members.contains_key(MARK)) else { return Self::Value };
        let text = |name: &str| members.get(name).and_then(Value::as_str).map(str::to_owned);
        let id = text(MARK).filter(|id| is_id(id));
        let is_null = members.get(MARK).is_some_and(Value::is_null);
        if members.keys().all(|name| name == MARK || BESIDE.contains(&name.as_str())) && (is_null || id.is_some()) {
            return Self::Reference(id);
        }
        match (id, text("key"), text("sealed")) {
            (Some(id), Some(key), Some(sealed)) if members.len() == 3 => Self::Sealed(Sealed { id, key, sealed }),
            _ => Self::Broken,
        }
    }
}

/// What people see of a secret that is not stored: a default, or a value of the environment.
pub fn unstored(is_locked: bool) -> Value {
    if is_locked { json!({ MARK: null, "locked": true }) } else { json!({ MARK: null }) }
}

fn is_id(text: &str) -> bool {
    let digits = text.strip_prefix("sec_").unwrap_or_default();
    digits.len() == 32 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// A place of a document that is being walked.
#[derive(Debug)]
pub struct Place<'a> {
    /// A JSON Pointer, with `-` for every item of a list.
    pub path: &'a str,
    /// Whether the schema says that it is secret.
    pub is_secret: bool,
    /// What stands there.
    pub value: &'a Value,
}

impl Place<'_> {
    /// The name of a setting, as people know it.
    pub fn name(&self) -> String {
        self.path.trim_start_matches('/').replace('/', ".").replace("~1", "/").replace("~0", "~")
    }
}

/// What becomes of a place.
#[derive(Debug)]
pub enum Then {
    /// It stays, and what is in it is looked at.
    Enter,
    /// This stands there.
    Put(Value),
    /// Nothing stands there.
    Omit,
}

/// Makes another document of one: `then` says of every place in it, from the outside in, what becomes of it.
///
/// # Errors
/// Those of `then`.
pub fn walk<E>(
    schema: Option<&Value>,
    document: &Value,
    then: &mut dyn FnMut(&Place<'_>) -> Result<Then, E>,
) -> Result<Value, E> {
    let schemas = schema.map(|root| Schemas { root, here: Vec::new() }.with(root)).unwrap_or(Schemas::NONE);
    inside(&schemas, "", document, then)
}

fn inside<E>(
    schemas: &Schemas<'_>,
    path: &str,
    document: &Value,
    then: &mut dyn FnMut(&Place<'_>) -> Result<Then, E>,
) -> Result<Value, E> {
    let mut look = |schemas: &Schemas<'_>, path: &str, value: &Value, is_secret: bool| {
        Ok(match then(&Place { path, is_secret: is_secret || schemas.say_secret(), value })? {
            Then::Put(value) => Some(value),
            Then::Omit => None,
            Then::Enter => Some(inside(schemas, path, value, then)?),
        })
    };
    match document {
        Value::Object(members) => {
            let mut made = Map::new();
            for (name, value) in members {
                let inner = format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"));
                if let Some(value) = look(&schemas.member(name), &inner, value, path == TABLE)? {
                    made.insert(name.clone(), value);
                }
            }
            Ok(Value::Object(made))
        }
        Value::Array(items) => {
            let (inner, of_items) = (format!("{path}/-"), schemas.items());
            let mut made = Vec::with_capacity(items.len());
            for value in items {
                made.extend(look(&of_items, &inner, value, false)?);
            }
            Ok(Value::Array(made))
        }
        plain => Ok(plain.clone()),
    }
}

/// All schemas that may say something of one place.
struct Schemas<'a> {
    root: &'a Value,
    here: Vec<&'a Value>,
}

impl<'a> Schemas<'a> {
    const NONE: Schemas<'static> = Schemas { root: &Value::Null, here: Vec::new() };

    /// With `schema` and all that it leads to without going further into the document.
    fn with(mut self, schema: &'a Value) -> Self {
        let mut known: HashSet<*const Value> = self.here.iter().map(|known| std::ptr::from_ref(*known)).collect();
        let mut open = vec![schema];
        while let Some(schema) = open.pop() {
            if !known.insert(std::ptr::from_ref(schema)) {
                continue;
            }
            self.here.push(schema);
            let target = schema.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix('#'));
            open.extend(target.and_then(|pointer| self.root.pointer(pointer)));
            let lists = ["allOf", "anyOf", "oneOf"].into_iter().filter_map(|name| schema.get(name)?.as_array());
            open.extend(lists.flatten());
            open.extend(["if", "then", "else"].into_iter().filter_map(|name| schema.get(name)));
        }
        self
    }

    fn of(&self, found: impl Iterator<Item = &'a Value>) -> Self {
        found.fold(Schemas { root: self.root, here: Vec::new() }, Self::with)
    }

    /// Those of a member. What a pattern says is taken to hold for every name: better one secret too many.
    fn member(&self, name: &str) -> Self {
        self.of(self.here.iter().flat_map(|schema| {
            let named = schema.get("properties").and_then(|properties| properties.get(name));
            let patterns = schema.get("patternProperties").and_then(Value::as_object).into_iter().flat_map(Map::values);
            let others = named.is_none().then(|| schema.get("additionalProperties")).flatten();
            named.into_iter().chain(patterns).chain(others)
        }))
    }

    fn items(&self) -> Self {
        self.of(self.here.iter().flat_map(|schema| {
            let first = schema.get("prefixItems").and_then(Value::as_array).into_iter().flatten();
            first.chain(schema.get("items"))
        }))
    }

    fn say_secret(&self) -> bool {
        let says = |schema: &&Value| {
            schema.get("writeOnly") == Some(&Value::Bool(true))
                || schema.get("format").and_then(Value::as_str) == Some("password")
        };
        self.here.iter().any(says)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(schema: &Value, document: &Value) -> Vec<String> {
        let mut found = Vec::new();
        let same = walk::<()>(Some(schema), document, &mut |place| {
            if place.is_secret {
                found.push(place.name());
            }
            Ok(Then::Enter)
        });
        assert_eq!(same.as_ref(), Ok(document));
        found
    }

    #[test]
    fn a_schema_says_what_is_secret_wherever_it_stands() {
        // As pydantic writes a model with SecretStr, Optional[SecretStr], a model in it, a list and a dict of them.
        let secret = json!({ "type": "string", "format": "password", "writeOnly": true });
        let schema = json!({
            "type": "object",
            "$defs": { "Inner": { "properties": { "pin": { "format": "password" }, "host": {}, "again": { "$ref": "#/$defs/Inner" } } } },
            "properties": {
                "token": secret, "maybe": { "anyOf": [secret, { "type": "null" }] }, "plain": { "type": "string" },
                "inner": { "$ref": "#/$defs/Inner" }, "many": { "items": secret },
                "by_name": { "additionalProperties": secret }, "whole": { "type": "object", "writeOnly": true },
            },
        });
        let document = json!({
            "token": "t", "maybe": "m", "plain": "p", "inner": { "pin": "1", "host": "h", "again": { "pin": "2" } },
            "many": ["a", "b"], "by_name": { "x/y": "z" }, "whole": { "a": 1 }, "unknown": "u",
            "__secrets__": { "sec_1": "of an SDK" },
        });
        let expected =
            ["__secrets__.sec_1", "by_name.x/y", "inner.again.pin", "inner.pin", "many.-", "many.-", "maybe", "token", "whole"];
        assert_eq!(secrets(&schema, &document), expected);
        assert_eq!(secrets(&json!(true), &json!({ "a": { "b": 1 } })), Vec::<String>::new());
    }

    #[test]
    fn what_stands_in_the_place_of_a_secret_is_read_strictly() {
        let id = format!("sec_{}", "0f".repeat(16));
        let sealed = Sealed { id: id.clone(), key: "k".to_owned(), sealed: "00".to_owned() };
        assert_eq!(Stand::of(&sealed.to_value()), Stand::Sealed(sealed.clone()));
        assert_eq!(Stand::of(&sealed.reference()), Stand::Reference(Some(id.clone())));
        assert_eq!(Stand::of(&json!({ "$secret": id, "set": true })), Stand::Reference(Some(id)));
        assert_eq!((Stand::of(&unstored(true)), Stand::of(&unstored(false))), (Stand::Reference(None), Stand::Reference(None)));
        assert_eq!((Stand::of(&json!({ "secret": 1 })), Stand::of(&json!("$secret"))), (Stand::Value, Stand::Value));
        for broken in [json!({ "$secret": "sec_1" }), json!({ "$secret": 1 }), json!({ "$secret": sealed.id, "key": "k" })] {
            assert_eq!(Stand::of(&broken), Stand::Broken, "{broken}");
        }
    }

    #[test]
    fn opened_settings_say_nothing_of_themselves() {
        assert_eq!(format!("{:?}", Unsealed::new(json!({ "token": "canary" }))), "Unsealed(…)");
    }
}
