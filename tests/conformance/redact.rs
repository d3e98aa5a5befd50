//! Takes out of a document what differs from run to run, from database to database and from person to person.

use std::collections::HashMap;

use serde_json::{Map, Value};

/// What has been met so far. Records are numbered by kind in the order in which they appear, so that a record stays
/// recognisable, whatever number the database gave it.
#[derive(Debug, Default)]
pub(super) struct Redactor {
    me: Option<i64>,
    seen: HashMap<(&'static str, i64), usize>,
}

impl Redactor {
    /// For what the user `me` does: who made a record is `me` then.
    pub(super) fn of_person(me: i64) -> Self {
        Self { me: Some(me), ..Self::default() }
    }

    /// Takes it out of a value.
    pub(super) fn redact(&mut self, value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.redact(item)),
            Value::Object(fields) => self.record(fields),
            Value::String(text) => *text = self.text(text),
            _ => {}
        }
    }

    fn record(&mut self, fields: &mut Map<String, Value>) {
        if let Some(kind) = kind(fields) {
            for name in ["id", "artifact_id"] {
                self.number(kind, fields.get_mut(name));
            }
        }
        for name in ["experiment_id", "parent_experiment_id"] {
            self.number("experiment", fields.get_mut(name));
        }
        for (name, value) in fields.iter_mut().filter(|(name, _)| !is_number(name)) {
            let is_instant = name.ends_with("_at") || ["last_seen", "state_since"].contains(&name.as_str());
            match value {
                Value::String(_) if is_instant => *value = "<instant>".into(),
                Value::String(_) if ["request_id", "revision"].contains(&name.as_str()) => *value = format!("<{name}>").into(),
                Value::Number(id) if is_person(name) && id.as_i64() == self.me => *value = "me".into(),
                _ => self.redact(value),
            }
        }
    }

    fn number(&mut self, kind: &'static str, id: Option<&mut Value>) {
        let Some(value) = id else { return };
        let Some(id) = value.as_i64() else { return };
        let next = 1 + self.seen.keys().filter(|(other, _)| *other == kind).count();
        let number = *self.seen.entry((kind, id)).or_insert(next);
        *value = format!("{kind} {number}").into();
    }

    /// Names of files may begin with 32 random digits, and addresses and messages name experiments.
    fn text(&self, text: &str) -> String {
        let known = |segment: &str| match segment.split_at_checked(32) {
            Some((digits, rest)) if rest.starts_with('-') && digits.bytes().all(|b| b.is_ascii_hexdigit()) => {
                format!("<random>{rest}")
            }
            Some(_) | None => segment.to_owned(),
        };
        let mut text = text.split('/').map(known).collect::<Vec<_>>().join("/");
        for ((kind, id), number) in &self.seen {
            if *kind == "experiment" {
                text = text.replace(&format!("experiments/{id}/"), &format!("experiments/<{number}>/"));
                for end in [".", " "] {
                    text = text.replace(&format!("experiment {id}{end}"), &format!("experiment <{number}>{end}"));
                }
                if let Some(rest) = text.strip_suffix(&format!("experiment {id}")) {
                    text = format!("{rest}experiment <{number}>");
                }
            }
        }
        text
    }
}

fn is_number(field: &str) -> bool {
    ["id", "artifact_id", "experiment_id", "parent_experiment_id"].contains(&field)
}

fn is_person(field: &str) -> bool {
    ["created_by", "archived_by", "recipient_id", "user_id"].contains(&field)
}

/// What kind of record it is, where the database counts those.
fn kind(fields: &Map<String, Value>) -> Option<&'static str> {
    [
        ("experiment_type", "experiment"),
        ("artifact_key", "artifact"),
        ("result", "artifact"),
        ("data", "design"),
        ("recipient_id", "notification"),
        ("participant_user_ids", "booking"),
        ("role", "role"),
    ]
    .into_iter()
    .find(|(field, kind)| fields.contains_key(*field) && (*kind != "role" || fields.contains_key("plugin_id")))
    .map(|(_, kind)| kind)
}

#[test]
fn what_differs_is_taken_out() {
    let mut redactor = Redactor::of_person(7);
    let mut value = serde_json::json!([
        { "experiment_type": "t", "id": 31, "created_by": 7, "created_at": "2026-11-21T09:00:00Z" },
        { "artifact_key": "k", "id": 12, "experiment_id": 31, "archived_by": 2 },
        { "id": 7, "username": "somebody", "role": "member" },
        "There is nothing on experiment 31.",
        "mint-object://experiments/31/plugins/p/0123456789abcdef0123456789abcdef-plot.png",
        "experiment 310",
    ]);
    redactor.redact(&mut value);
    assert_eq!(
        value,
        serde_json::json!([
            { "experiment_type": "t", "id": "experiment 1", "created_by": "me", "created_at": "<instant>" },
            { "artifact_key": "k", "id": "artifact 1", "experiment_id": "experiment 1", "archived_by": 2 },
            { "id": 7, "username": "somebody", "role": "member" },
            "There is nothing on experiment <1>.",
            "mint-object://experiments/<1>/plugins/p/<random>-plot.png",
            "experiment 310",
        ])
    );
}
