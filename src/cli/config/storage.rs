//! Settings of the storage.

use std::collections::BTreeMap;

use mint_context::storage::Credentials;
use secrecy::SecretString;
use serde::Deserialize;

/// Where blobs stand.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StorageConfig {
    /// Its address.
    pub url: Option<String>,
    /// Name of the key.
    pub access_key_id: Option<String>,
    /// The key.
    pub secret_access_key: Option<SecretString>,
    /// `AWS_…` variables.
    #[serde(skip)]
    pub environment: BTreeMap<String, SecretString>,
}

impl StorageConfig {
    /// With what the environment says of buckets.
    pub(super) fn within(self, environment: &BTreeMap<String, String>) -> Self {
        let aws = environment.iter().filter(|(name, _)| name.starts_with("AWS_"));
        Self { environment: aws.map(|(name, value)| (name.clone(), value.clone().into())).collect(), ..self }
    }

    /// Who asks.
    pub fn credentials(&self) -> Credentials {
        Credentials {
            access_key_id: self.access_key_id.clone(),
            secret_access_key: self.secret_access_key.clone(),
            environment: self.environment.clone(),
        }
    }
}
