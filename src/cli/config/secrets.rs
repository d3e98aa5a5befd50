//! The keys of secrets that are stored.

use secrecy::SecretString;
use serde::Deserialize;

/// The keys of secrets that are stored.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SecretsConfig {
    /// The present one: 64 hexadecimal digits.
    pub key: Option<SecretString>,
    /// What writes it to its standard output: a program and its arguments.
    pub key_command: Vec<String>,
    /// Those that still open what they have sealed.
    pub earlier_keys: Vec<SecretString>,
}
