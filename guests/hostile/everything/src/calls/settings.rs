use mint_sdk::Result;
use mint_sdk::json::{Value, json};
use mint_sdk::platform::settings::{self, Snapshot};

use super::Arguments;

pub(super) fn call(function: &str, with: &Arguments) -> Result<Value> {
    Ok(match function {
        "load" => shown(settings::load()?),
        "compare-and-swap" => shown(settings::compare_and_swap(&with.text("revision"), &with.document("values"))?),
        other => return Err(super::no_such_function(other)),
    })
}

fn shown(snapshot: Snapshot) -> Value {
    json!({ "revision": snapshot.revision, "values": snapshot.values })
}
