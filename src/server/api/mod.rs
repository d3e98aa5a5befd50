//! The REST API, one file for each noun.

pub(crate) mod archives;
pub(crate) mod audit;
pub(crate) mod auth;
mod bundle_form;
pub(crate) mod calendar;
pub(crate) mod custom_roles;
pub(crate) mod development;
pub(crate) mod device;
pub(crate) mod enabling;
pub(crate) mod experiments;
pub(crate) mod health;
pub(crate) mod instruments;
pub(crate) mod limits;
pub(crate) mod metrics;
pub(crate) mod migrations;
pub(crate) mod notifications;
pub(crate) mod objects;
pub(crate) mod operations;
pub(crate) mod plugins;
pub(crate) mod projects;
pub(crate) mod releases;
pub(crate) mod replicas;
pub(crate) mod results;
pub(crate) mod roles;
pub(crate) mod service_tokens;
pub(crate) mod sessions;
pub(crate) mod setup;
pub(crate) mod sharing;
pub(crate) mod snapshots;
pub(crate) mod tenants;
pub(crate) mod tokens;
pub(crate) mod users;

use mint_context::headers::SESSION_COOKIE;
use mint_store::Page;
use serde::{Deserialize, Deserializer};
use utoipa::{
    IntoParams,
    openapi::{
        OpenApi,
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

/// A window on a list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Window {
    /// Items to pass over.
    #[serde(default)]
    skip: u32,
    /// Most items to give, up to 1,000; by default 100.
    #[serde(default = "hundred")]
    limit: u32,
}

fn hundred() -> u32 {
    100
}

impl From<Window> for Page {
    fn from(window: Window) -> Self {
        Self::new(window.skip, window.limit)
    }
}

/// Tells a field that is null from one that is absent.
pub(crate) fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(deserializer).map(Some)
}

/// Describes the two ways to show who one is.
pub(crate) fn describe_security(document: &mut OpenApi) {
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("bearer", SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build()));
    components.add_security_scheme("cookie", SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(SESSION_COOKIE))));
}
