use std::io::{Read, Write};

use mint_sdk::json::{Value, json};
use mint_sdk::objects::{self, ObjectInfo};
use mint_sdk::{Error, Result, platform};

use super::Arguments;

const CHUNK_BYTES: usize = 16 * 1024;

pub(super) fn call(function: &str, with: &Arguments) -> Result<Value> {
    let (id, key) = (with.number("experiment"), with.text("key"));
    Ok(match function {
        "list" => objects::list(id, &with.text("prefix"))?.into_iter().map(shown).collect(),
        "info" => shown(objects::info(id, &key)?),
        "exists" => json!(platform::objects::exists(id, &key)?),
        "get" => {
            let mut bytes = Vec::new();
            objects::get(id, &key)?.read_to_end(&mut bytes).map_err(Error::from)?;
            json!(bytes.len())
        }
        "put" => shown(put(id, &key, usize::try_from(with.number("bytes")).unwrap_or_default())?),
        "delete" => json!(objects::delete(id, &key)?),
        other => return Err(super::no_such_function(other)),
    })
}

/// Writes so many bytes, or as many as are taken: why there were no more is said by `finish`.
fn put(id: i64, key: &str, bytes: usize) -> Result<ObjectInfo> {
    let mut object = objects::put(id, key, Some("application/x-test"))?;
    let mut left = bytes;
    while left > 0 && object.write_all(&vec![b'x'; left.min(CHUNK_BYTES)]).is_ok() {
        left -= left.min(CHUNK_BYTES);
    }
    object.finish()
}

fn shown(object: ObjectInfo) -> Value {
    json!({ "key": object.key, "size": object.size, "plugin_id": object.plugin_id, "content_type": object.content_type })
}
