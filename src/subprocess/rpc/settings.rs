//! Settings of the plugin that calls.
//!
//! MINT's clients compare the values that they own, the platform compares revisions; the handlers translate.

use std::collections::BTreeSet;

use axum::Json;
use mint_context::Error;
use mint_context::settings::{self, Loaded};
use mint_domain::Kind;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    caller::Caller,
    error::{Answer, OrRefuse},
    extract::{Named, Sent},
};

/// Tries to store when others store at the same time.
const TRIES: u32 = 5;

/// The body of `POST /plugin-config/{name}/snapshot`.
#[derive(Debug, Deserialize)]
pub(crate) struct Wanted {
    owned_keys: BTreeSet<String>,
}

/// The body of `POST /plugin-config/{name}/compare-and-swap`.
#[derive(Debug, Deserialize)]
pub(crate) struct Swap {
    expected: Map<String, Value>,
    settings: Map<String, Value>,
    owned_keys: BTreeSet<String>,
}

/// The body of `PUT /plugin-config/{name}`: with the keys that it owns, or bare settings as the first SDKs sent them.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Overwrite {
    Owned { settings: Map<String, Value>, owned_keys: BTreeSet<String> },
    Bare(Map<String, Value>),
}

/// `GET /plugin-config/{name}`: the settings in force.
pub(crate) async fn load(caller: Caller, Named(name): Named<String>) -> Answer {
    caller.is_own(&name, "plugin_config.self").or_refuse(&caller)?;
    Ok(Json(in_force(&caller).await.or_refuse(&caller)?.into()))
}

/// `POST /plugin-config/{name}/snapshot`.
pub(crate) async fn snapshot(caller: Caller, Named(name): Named<String>, Sent(wanted): Sent<Wanted>) -> Answer {
    caller.is_own(&name, "plugin_config.self").or_refuse(&caller)?;
    let settings = only(&in_force(&caller).await.or_refuse(&caller)?, &wanted.owned_keys);
    Ok(Json(json!({ "settings": settings })))
}

/// `POST /plugin-config/{name}/compare-and-swap`.
pub(crate) async fn compare_and_swap(caller: Caller, Named(name): Named<String>, Sent(swap): Sent<Swap>) -> Answer {
    caller.is_own(&name, "plugin_config.self").or_refuse(&caller)?;
    let present = settings::load(&caller.call).await.or_refuse(&caller)?;
    let committed = only(&object(&present.settings), &swap.owned_keys) == swap.expected
        && store(&caller, &present, swap.settings, &swap.owned_keys).await.or_refuse(&caller)?;
    Ok(Json(json!({ "committed": committed })))
}

/// `PUT /plugin-config/{name}`.
pub(crate) async fn save(caller: Caller, Named(name): Named<String>, Sent(overwrite): Sent<Overwrite>) -> Answer {
    caller.is_own(&name, "plugin_config.self").or_refuse(&caller)?;
    let (settings, owned_keys) = match overwrite {
        Overwrite::Owned { settings, owned_keys } => (settings, owned_keys),
        Overwrite::Bare(settings) => {
            let owned_keys = settings.keys().cloned().collect();
            (settings, owned_keys)
        }
    };
    for _ in 0..TRIES {
        let present = settings::load(&caller.call).await.or_refuse(&caller)?;
        if store(&caller, &present, settings.clone(), &owned_keys).await.or_refuse(&caller)? {
            return Ok(Json(json!({ "settings": only(&settings, &owned_keys) })));
        }
    }
    let refusal = mint_domain::Refusal::conflict("settings", "revision", "Others change the settings all the time. Try again.");
    Err(refusal).or_refuse(&caller)
}

/// A process that is started with settings on trial reads those.
async fn in_force(caller: &Caller) -> Result<Map<String, Value>, Error> {
    match &caller.bearer.trial_settings {
        Some(trial) => Ok(object(trial)),
        None => Ok(object(&settings::load(&caller.call).await?.settings)),
    }
}

/// Stores `new` for the keys that are owned. False when somebody else was quicker.
async fn store(caller: &Caller, present: &Loaded, new: Map<String, Value>, owned: &BTreeSet<String>) -> Result<bool, Error> {
    let values = merged(present, new, owned);
    let session = &caller.bearer.session;
    session.set_own_change(Some(values.clone()));
    let swapped = settings::compare_and_swap(&caller.call, &present.revision, values).await;
    session.set_own_change(None);
    match swapped {
        Ok(_) => Ok(true),
        Err(Error::Refused(refusal)) if refusal.kind == Kind::Conflict => Ok(false),
        Err(error) => Err(error),
    }
}

/// What is to be stored: others' keys as they are, owned ones as given. A value that is in force without being stored
/// stays so.
fn merged(present: &Loaded, new: Map<String, Value>, owned: &BTreeSet<String>) -> Value {
    let mut values = object(&present.stored);
    values.retain(|key, _| !owned.contains(key) || new.contains_key(key));
    for (key, value) in new.into_iter().filter(|(key, _)| owned.contains(key)) {
        if values.contains_key(&key) || present.settings.get(&key) != Some(&value) {
            values.insert(key, value);
        }
    }
    Value::Object(values)
}

fn only(settings: &Map<String, Value>, keys: &BTreeSet<String>) -> Map<String, Value> {
    settings.iter().filter(|(key, _)| keys.contains(*key)).map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use mint_domain::Unsealed;

    use super::*;

    #[test]
    fn a_plugin_stores_what_it_owns_and_nothing_else() {
        let present = Loaded {
            revision: "r".to_owned(),
            settings: Unsealed::new(json!({"a": 1, "default": 5, "other": "x"})),
            stored: Unsealed::new(json!({"a": 1, "gone": 2, "other": "x"})),
        };
        let owned: BTreeSet<String> = ["a", "default", "gone", "new"].map(str::to_owned).into();
        let new = json!({"a": 2, "default": 5, "new": true, "other": "stolen"});
        assert_eq!(merged(&present, object(&new), &owned), json!({"a": 2, "new": true, "other": "x"}));
    }
}
