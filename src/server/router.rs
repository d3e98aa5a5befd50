//! The table of contents: every route of the platform.

use std::sync::Arc;

use axum::{
    Router,
    middleware::map_response,
    response::{IntoResponse as _, Redirect, Response},
    routing::get,
};
use http::{StatusCode, header::ALLOW};
use ipnet::IpNet;
use mint_domain::{Kind, Refusal};
use mint_platform::Platform;
use utoipa::OpenApi as _;
use utoipa_axum::{router::OpenApiRouter, routes};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::{
    api,
    error::ApiError,
    gateway::gateway,
    pages::{back, page},
};

/// What handlers work with.
#[derive(Clone, Debug)]
pub struct State {
    /// The platform.
    pub platform: Arc<Platform>,
    /// Proxies that are believed when they say for whom they ask.
    pub proxies: Arc<[IpNet]>,
}

#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "MINT", description = "A laboratory's projects and experiments, and the plugins that analyse them."),
    security(("bearer" = []), ("cookie" = []))
)]
struct ApiDocument;

/// Everything that answers, by the host that is asked.
#[derive(Clone, Debug)]
pub struct Site {
    /// What the platform answers.
    pub(crate) router: Router,
    /// What the origins of plugins answer with.
    pub(crate) state: State,
}

/// Every route. `internal` is what plugin processes call, under `/api/internal`.
pub fn router(state: State, internal: Router) -> Site {
    let (router, mut document) = api_routes().split_for_parts();
    api::describe(&mut document);
    let docs = SwaggerUi::new("/api/docs").url("/api/openapi.json", document).config(Config::default().try_it_out_enabled(true));
    let router = router
        .layer(map_response(method_not_allowed))
        .nest_service("/api/internal", internal)
        .merge(docs)
        .route("/auth/{page}", get(page))
        .route("/auth/external/{provider}", get(back))
        .route("/", get(|| async { Redirect::temporary("/api/docs") }))
        .fallback(gateway)
        .with_state(state.clone());
    Site { router, state }
}

fn api_routes() -> OpenApiRouter<State> {
    OpenApiRouter::with_openapi(ApiDocument::openapi())
        .merge(routes_of_people())
        .routes(routes!(api::health::alive))
        .routes(routes!(api::health::ready))
        .routes(routes!(api::health::livez))
        .routes(routes!(api::health::readyz))
        .routes(routes!(api::replicas::list))
        .routes(routes!(api::projects::list, api::projects::create))
        .routes(routes!(api::projects::get, api::projects::update, api::projects::delete))
        .routes(routes!(api::projects::experiments))
        .routes(routes!(api::sharing::members))
        .routes(routes!(api::sharing::set_member, api::sharing::remove_member))
        .routes(routes!(api::export::export))
        .routes(routes!(api::experiments::list, api::experiments::create))
        .routes(routes!(api::experiments::get, api::experiments::update, api::experiments::delete))
        .routes(routes!(api::experiments::design))
        .routes(routes!(api::sharing::collaborators))
        .routes(routes!(api::sharing::set_collaborator, api::sharing::remove_collaborator))
        .routes(routes!(api::results::list))
        .routes(routes!(api::results::get))
        .routes(routes!(api::results::artifacts))
        .routes(routes!(api::results::artifact))
        .routes(routes!(api::objects::list))
        .routes(routes!(api::objects::get, api::objects::put, api::objects::delete))
        .routes(routes!(api::plugins::list))
        .routes(routes!(api::plugins::upload))
        .routes(routes!(api::plugins::plan))
        .routes(routes!(api::development::develop))
        .routes(routes!(api::plugins::show, api::plugins::uninstall))
        .routes(routes!(api::plugins::reload))
        .routes(routes!(api::limits::show, api::limits::change))
        .routes(routes!(api::limits::grants))
        .routes(routes!(api::limits::defaults, api::limits::change_defaults))
        .routes(routes!(api::limits::share))
        .routes(routes!(api::metrics::metrics))
        .routes(routes!(api::enabling::disable))
        .routes(routes!(api::enabling::enable))
        .routes(routes!(api::releases::upgrade))
        .routes(routes!(api::releases::roll_back))
        .routes(routes!(api::releases::list))
        .routes(routes!(api::migrations::list))
        .routes(routes!(api::migrations::reset))
        .routes(routes!(api::snapshots::list, api::snapshots::take))
        .routes(routes!(api::snapshots::get, api::snapshots::delete))
        .routes(routes!(api::snapshots::upload))
        .routes(routes!(api::snapshots::restore))
        .routes(routes!(api::plugins::config, api::plugins::configure))
        .routes(routes!(api::archives::list))
        .routes(routes!(api::archives::purge))
        .routes(routes!(api::operations::get))
        .routes(routes!(api::operations::events))
        .routes(routes!(api::operations::cancel))
        .routes(routes!(api::instruments::list))
        .routes(routes!(api::jobs::list))
        .routes(routes!(api::jobs::get))
        .routes(routes!(api::jobs::cancel))
        .routes(routes!(api::jobs::retry))
        .routes(routes!(api::notifications::list))
        .routes(routes!(api::calendar::list))
}

/// Who may come in, and what they may do.
fn routes_of_people() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(api::setup::set_up))
        .routes(routes!(api::auth::login))
        .routes(routes!(api::auth::logout))
        .routes(routes!(api::auth::verify))
        .routes(routes!(api::external::methods))
        .routes(routes!(api::external::depart))
        .routes(routes!(api::external::arrive))
        .routes(routes!(api::external::depart_to_link))
        .routes(routes!(api::external::arrive_to_link))
        .routes(routes!(api::external::list))
        .routes(routes!(api::external::unlink))
        .routes(routes!(api::passkeys::list, api::passkeys::add))
        .routes(routes!(api::passkeys::begin))
        .routes(routes!(api::passkeys::remove))
        .routes(routes!(api::passkeys::sign_in))
        .routes(routes!(api::passkeys::begin_sign_in))
        .routes(routes!(api::device::begin))
        .routes(routes!(api::device::token))
        .routes(routes!(api::device::waiting, api::device::decide))
        .routes(routes!(api::audit::list))
        .routes(routes!(api::audit::export))
        .routes(routes!(api::audit::verify))
        .routes(routes!(api::sessions::list, api::sessions::revoke_all))
        .routes(routes!(api::sessions::revoke))
        .routes(routes!(api::tokens::list, api::tokens::create))
        .routes(routes!(api::tokens::revoke))
        .routes(routes!(api::service_tokens::list, api::service_tokens::create))
        .routes(routes!(api::service_tokens::revoke))
        .routes(routes!(api::users::me))
        .routes(routes!(api::users::list, api::users::create))
        .routes(routes!(api::users::change_password))
        .routes(routes!(api::users::get, api::users::update, api::users::delete))
        .routes(routes!(api::users::reset_password))
        .routes(routes!(api::custom_roles::list, api::custom_roles::create))
        .routes(routes!(api::custom_roles::update, api::custom_roles::delete))
        .routes(routes!(api::roles::list))
        .routes(routes!(api::tenants::list, api::tenants::create))
        .routes(routes!(api::tenants::get, api::tenants::delete))
        .routes(routes!(api::tenants::suspend, api::tenants::resume))
        .routes(routes!(api::roles::set, api::roles::remove))
        .routes(routes!(api::roles::set_fields))
}

/// Puts words to what the routes answer to another method than theirs, which names those that there are.
async fn method_not_allowed(response: Response) -> Response {
    if response.status() != StatusCode::METHOD_NOT_ALLOWED {
        return response;
    }
    let refusal = Refusal::new(Kind::Invalid, "request.method_not_allowed", "The path exists, but not for this method.");
    let mut refused = ApiError::from(refusal).into_response();
    refused.headers_mut().extend(response.headers().get(ALLOW).map(|methods| (ALLOW, methods.clone())));
    refused
}

#[cfg(test)]
mod tests {
    use mint_domain::prefix::is_open_to_plugins;

    use super::*;

    #[test]
    fn no_route_of_the_platform_is_where_those_of_plugins_can_be() {
        let (_, document) = api_routes().split_for_parts();
        let others = ["/api/docs", "/api/openapi.json", "/api/internal/jobs"].map(str::to_owned);
        for path in document.paths.paths.into_keys().chain(others) {
            assert!(!is_open_to_plugins(&path), "{path}: name its first segment in `RESERVED`");
        }
    }
}
