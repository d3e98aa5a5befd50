//! People.

use axum::Json;
use mint_context::{Call, Page, identity};
use mint_domain::{Refusal, UserId};
use serde::Deserialize;
use serde_json::json;

use super::{
    caller::Caller,
    error::{Answer, OrRefuse},
    experiments::default_limit,
    extract::{Asked, Named},
};

/// The query of `GET /users`.
#[derive(Debug, Deserialize)]
pub(crate) struct Window {
    #[serde(default)]
    skip: u32,
    #[serde(default = "default_limit")]
    limit: u32,
}

/// `GET /users`.
pub(crate) async fn list_users(caller: Caller, Asked(window): Asked<Window>) -> Answer {
    let found = identity::list_users(&caller.call, Page::new(window.skip, window.limit)).await.or_refuse(&caller)?;
    Ok(Json(json!(found)))
}

/// `GET /users/{id}`.
pub(crate) async fn get_user(caller: Caller, Named(id): Named<UserId>) -> Answer {
    let user = identity::get_user(&caller.call, id).await.or_refuse(&caller)?;
    Ok(Json(json!(user)))
}

/// `GET /users/by-username/{username}`.
pub(crate) async fn find_user(caller: Caller, Named(username): Named<String>) -> Answer {
    let user = identity::find_user(&caller.call, &username).await.or_refuse(&caller)?;
    Ok(Json(json!(user)))
}

/// `GET /plugin-roles/{user_id}`: of a person whom the plugin serves at the moment.
pub(crate) async fn plugin_role(caller: Caller, Named(id): Named<UserId>) -> Answer {
    let actor =
        caller.bearer.session.person(id).ok_or_else(|| Refusal::not_found("plugin role of user", id)).or_refuse(&caller)?;
    let call = Call { actor, ..caller.call.clone() };
    let role = identity::plugin_role(&call).ok_or_else(|| Refusal::not_found("plugin role of user", id)).or_refuse(&caller)?;
    Ok(Json(json!({ "role": role })))
}
