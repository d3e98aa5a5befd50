use mint_sdk::Result;
use mint_sdk::json::{Value, json};
use mint_sdk::platform::designs::{self, Design};

use super::Arguments;

pub(super) fn call(function: &str, with: &Arguments) -> Result<Value> {
    let id = with.number("experiment");
    Ok(match function {
        "load" => shown(designs::load(id)?),
        "save" => shown(designs::save(id, &with.document("data"), with.optional_text("version").as_deref())?),
        "delete" => json!(designs::delete(id)?),
        other => return Err(super::no_such_function(other)),
    })
}

fn shown(design: Design) -> Value {
    json!({ "plugin_id": design.plugin_id, "data": design.data, "schema_version": design.schema_version })
}
