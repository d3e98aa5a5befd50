//! People.

use axum::Json;
use mint_context::{Page, identity};
use mint_domain::UserId;
use serde::Deserialize;
use serde_json::json;

use super::{
    caller::Caller,
    error::{Answer, OrRefuse},
    experiments::default_limit,
    extract::{Asked, Named},
};

/// The query of lists.
#[derive(Debug, Deserialize)]
pub(crate) struct Window {
    #[serde(default)]
    skip: u32,
    limit: Option<u32>,
}

impl Window {
    /// The window, with `limit` where none is given.
    pub(super) fn page(&self, limit: u32) -> Page {
        Page::new(self.skip, self.limit.unwrap_or(limit))
    }
}

/// `GET /users`.
pub(crate) async fn list_users(caller: Caller, Asked(window): Asked<Window>) -> Answer {
    let found = identity::list_users(&caller.call, window.page(default_limit())).await.or_refuse(&caller)?;
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
