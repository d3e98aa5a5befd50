//! `/api/internal`: what a plugin process may ask of the platform, with MINT's shapes.
//!
//! One file per name of `mint_context`. Every handler converts, calls, and converts back. Who calls is settled before any
//! handler runs: see `caller`.

mod artifacts;
mod calendar;
mod caller;
mod designs;
mod error;
mod experiments;
mod extract;
mod identity;
mod instruments;
mod jobs;
mod names;
mod notifications;
mod objects;
mod platform;
mod results;
mod roles;
mod settings;

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{get, post, put},
};

use crate::Registry;

/// What the routes work with.
#[derive(Clone, Debug)]
pub struct RpcState {
    /// Which processes may call.
    pub registry: Arc<Registry>,
}

/// The routes, to be mounted at `/api/internal`.
pub fn router(state: RpcState) -> Router {
    Router::new()
        .route("/platform", get(platform::facts))
        .route("/platform/config", get(platform::config))
        .route("/platform/s3-connection-config", get(platform::s3))
        .route("/plugin-config/{name}", get(settings::load).put(settings::save))
        .route("/plugin-config/{name}/snapshot", post(settings::snapshot))
        .route("/plugin-config/{name}/compare-and-swap", post(settings::compare_and_swap))
        .route("/plugin-roles", get(roles::list))
        .route("/plugin-roles/{user}", get(roles::get).put(roles::set).delete(roles::remove))
        .route("/plugin-roles/{user}/fields", get(roles::fields).put(roles::set_fields))
        .route("/users", get(identity::list_users))
        .route("/users/{id}", get(identity::get_user))
        .route("/users/{id}/plugin-roles", get(roles::of_user))
        .route("/users/by-username/{username}", get(identity::find_user))
        .route("/experiments", get(experiments::list).post(experiments::create))
        .route("/experiments/{id}", get(experiments::get).patch(experiments::update).delete(experiments::delete))
        .route("/experiments/{id}/data", get(designs::load).put(designs::save).delete(designs::delete))
        .route("/experiments/{id}/results", get(results::list))
        .route("/experiments/{id}/results/{plugin}", get(results::load).put(results::save).delete(results::delete))
        .route("/experiments/{id}/analysis-artifacts", get(artifacts::list).put(artifacts::save_all))
        .route(
            "/experiments/{id}/analysis-artifacts/{*rest}",
            get(artifacts::load).put(artifacts::save).patch(artifacts::replace_file).post(artifacts::act),
        )
        .route("/experiments/{id}/objects", get(objects::list))
        .route(
            "/experiments/{id}/objects/{*key}",
            put(objects::put).get(objects::get).head(objects::exists).delete(objects::delete),
        )
        .route("/notifications/events", post(notifications::publish))
        .route("/notifications/jobs/terminal", post(notifications::job_ended))
        .route("/jobs", get(jobs::list).post(jobs::enqueue))
        .route("/jobs/{id}", get(jobs::get))
        .route("/jobs/{id}/cancel", post(jobs::cancel))
        .route("/jobs/{id}/progress", post(jobs::progress))
        .route("/jobs/{id}/heartbeat", post(jobs::heartbeat))
        .route("/calendar/events", post(calendar::publish))
        .route("/instruments", get(instruments::list).post(instruments::create))
        .route("/instruments/{id}", get(instruments::get).patch(instruments::update))
        .route("/instruments/{id}/status", post(instruments::report))
        .fallback(error::no_such_route)
        .method_not_allowed_fallback(error::no_such_method)
        // Documents are bounded by the plugin's own limits, files by its quota.
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn_with_state(state.clone(), caller::authenticate))
        .with_state(state)
}
