//! Results of this plugin as JSON values. Saving needs the capability `results:write`.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::platform::results as host;
pub use crate::platform::results::{Input, Summary};
use crate::{Error, Result};

/// The key of *the* result of an experiment.
pub const DEFAULT_KEY: &str = "default";

/// Saves a result; it must serialise to a JSON object. An older one of the same key is replaced.
///
/// # Errors
///
/// 403 without the grant or the right, 404 when there is no such experiment, 507 at the limit.
pub fn save(experiment_id: i64, key: &str, result: &impl Serialize) -> Result<Summary> {
    let input = Input { key: key.to_owned(), result: serialise(result)?, display_name: None, note: None };
    Ok(host::save(experiment_id, &input)?.summary)
}

/// A result of this plugin; `fields` chooses among its top-level keys.
///
/// # Errors
///
/// 404 when there is none, 403 without the right, 500 when it does not have the shape of `T`.
pub fn load<T: DeserializeOwned>(experiment_id: i64, key: &str, fields: Option<&[String]>) -> Result<T> {
    let artifact = host::load(experiment_id, key, None, fields)?;
    serde_json::from_str(&artifact.result)
        .map_err(|error| Error::internal(format!("the stored result {key:?} is of another shape: {error}")))
}

fn serialise(result: &impl Serialize) -> Result<String> {
    serde_json::to_string(result).map_err(|error| Error::internal(format!("the result cannot be written as JSON: {error}")))
}
