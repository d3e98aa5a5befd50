//! Writes files until there is no more room.

use std::fs::{self, File};
use std::io::Write;

use mint_sdk::json::json;
use mint_sdk::{Error, Request, Response, Result};

const CHUNK_BYTES: usize = 16 * 1024;
/// Where it gives up by itself.
const CHUNKS_MAX: usize = 4096;

/// `?directory=`: writes one file until that fails, and deletes it: `{"bytes": n, "errno": 51}`.
pub(crate) fn fill(request: Request) -> Result<Response> {
    let directory = request.query("directory").ok_or_else(|| Error::bad_request("which directory?"))?;
    let path = format!("{directory}/filling");
    let mut file = File::create(&path)?;
    let mut bytes = 0;
    let mut refused = None;
    for _ in 0..CHUNKS_MAX {
        match file.write(&[b'x'; CHUNK_BYTES]) {
            Ok(written) => bytes += written,
            Err(error) => {
                refused = error.raw_os_error();
                break;
            }
        }
    }
    drop(file);
    fs::remove_file(&path)?;
    Response::json(&json!({ "bytes": bytes, "errno": refused }))
}
