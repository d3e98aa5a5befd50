//! The settings in force: defaults of the manifest, below what the administrator stored, below the environment.

use serde::de::value::{Error as ValueError, StrDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer};

use crate::bindings::imports::wasi::config::store;
use crate::{Error, Result};

/// A setting as the text it is stored as, if it is set.
///
/// # Errors
///
/// 503 when the settings cannot be read.
pub fn text(key: &str) -> Result<Option<String>> {
    store::get(key).map_err(|_| Error::new(503, "service.unavailable", format!("the setting {key:?} cannot be read now")))
}

/// A setting as a value: the text itself where the type takes one, else the text as JSON.
///
/// # Errors
///
/// 503 when the settings cannot be read, 500 when the value does not fit the type.
pub fn get<T: DeserializeOwned>(key: &str) -> Result<Option<T>> {
    text(key)?.map(|text| parse(key, &text)).transpose()
}

fn parse<T: DeserializeOwned>(key: &str, text: &str) -> Result<T> {
    let plain: StrDeserializer<'_, ValueError> = text.into_deserializer();
    T::deserialize(plain).or_else(|_| serde_json::from_str(text)).map_err(|error| {
        Error::new(500, "CONFIGURATION_ERROR", format!("the setting {key:?} has a value of the wrong kind: {error}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_stay_texts_and_the_rest_is_json() {
        assert_eq!(parse::<String>("greeting", "5").expect("text"), "5");
        assert_eq!(parse::<String>("greeting", "\"quoted\"").expect("text"), "\"quoted\"");
        assert!((parse::<f64>("ppm", "10.5").expect("number") - 10.5).abs() < 1e-12);
        assert!(parse::<bool>("strict", "true").expect("boolean"));
        assert_eq!(parse::<Vec<u32>>("charges", "[1,2]").expect("list"), [1, 2]);
    }

    #[test]
    fn a_wrong_kind_names_the_setting() {
        let error = parse::<u32>("charges", "many").expect_err("no number");
        assert_eq!(error.code(), "CONFIGURATION_ERROR");
        assert!(error.message().contains("\"charges\""), "{error}");
    }
}
