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
pub(crate) mod export;
pub(crate) mod external;
pub(crate) mod health;
pub(crate) mod instruments;
pub(crate) mod jobs;
pub(crate) mod limits;
pub(crate) mod metrics;
pub(crate) mod migrations;
pub(crate) mod notifications;
pub(crate) mod objects;
pub(crate) mod operations;
pub(crate) mod passkeys;
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
        ContentBuilder, Object, ObjectBuilder, OpenApi, Ref, RefOr, ResponseBuilder,
        schema::{SchemaType, Type},
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

/// A window on a list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Window {
    /// Items to pass over.
    #[serde(default)]
    #[param(value_type = u64, maximum = 4_294_967_295_u64)]
    skip: u32,
    /// Most items to give, up to 1,000; by default 100.
    #[serde(default = "hundred")]
    #[param(value_type = u64, maximum = 4_294_967_295_u64)]
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

/// Describes what all operations have in common: the two ways to show who one is, and how a refusal looks.
pub(crate) fn describe(document: &mut OpenApi) {
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("bearer", SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build()));
    components.add_security_scheme("cookie", SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(SESSION_COOKIE))));
    components.schemas.insert(REFUSAL.to_owned(), refusal().into());
    let refused = ContentBuilder::new().schema(Some(Ref::from_schema_name(REFUSAL))).build();
    let refused = ResponseBuilder::new().description("It was refused, or failed.").content("application/json", refused).build();
    // A part of a path that may have slashes has a mark in the router's words only.
    let paths = std::mem::take(&mut document.paths.paths);
    document.paths.paths = paths.into_iter().map(|(path, item)| (path.replace("{*", "{"), item)).collect();
    for item in document.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch];
        for operation in operations.into_iter().flatten() {
            operation.responses.responses.insert("default".to_owned(), RefOr::T(refused.clone()));
        }
    }
}

/// What the document calls the envelope of an error.
const REFUSAL: &str = "Refusal";

/// As `mint_context::envelope` writes it.
fn refusal() -> Object {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let anything = || ObjectBuilder::new().schema_type(SchemaType::AnyValue);
    ObjectBuilder::new()
        .property("code", text().description(Some("What kind it is of, for programs.")))
        .required("code")
        .property("message", text().description(Some("What happened and what to do, for people.")))
        .required("message")
        .property("status", ObjectBuilder::new().schema_type(Type::Integer).description(Some("The HTTP status.")))
        .required("status")
        .property("request_id", text().description(Some("By which the server's log knows the request.")))
        .required("request_id")
        .property("details", anything().description(Some("What more there is to know, such as the field; null for nothing.")))
        .required("details")
        .property("detail", anything().description(Some("As MINT's clients read it.")))
        .required("detail")
        .property("error", text().description(Some("The code again, where MINT's clients look for it.")))
        .build()
}
