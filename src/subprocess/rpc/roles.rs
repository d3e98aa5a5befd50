//! Roles that people hold inside the plugin that calls.

use axum::Json;
use mint_context::{Call, Page, identity, roles};
use mint_domain::{Refusal, Slug, UserId};
use serde::Deserialize;
use serde_json::json;

use super::{
    caller::Caller,
    error::{Answer, OrRefuse},
    extract::{Asked, Named, Sent},
    identity::Window,
};

/// The body of `PUT /plugin-roles/{user}`.
#[derive(Debug, Deserialize)]
pub(crate) struct New {
    role: String,
}

/// `GET /plugin-roles/{user}`. Asked for every request of a member, so a person who is being served costs no query.
pub(crate) async fn get(caller: Caller, Named(id): Named<UserId>) -> Answer {
    let role = match caller.bearer.session.person(id) {
        Some(actor) => {
            let call = Call { actor, ..caller.call.clone() };
            let role = identity::plugin_role(&call).map(str::to_owned);
            role.ok_or_else(|| Refusal::not_found("plugin role of user", id)).or_refuse(&caller)?
        }
        None => roles::get(&caller.call, own(&caller), id).await.or_refuse(&caller)?.role,
    };
    Ok(Json(json!({ "role": role })))
}

/// `GET /plugin-roles`.
pub(crate) async fn list(caller: Caller, Asked(window): Asked<Window>) -> Answer {
    let found = roles::list(&caller.call, own(&caller), window.page(Page::LIMIT_MAX)).await.or_refuse(&caller)?;
    Ok(Json(caller.shown(json!(found))))
}

/// `PUT /plugin-roles/{user}`.
pub(crate) async fn set(caller: Caller, Named(id): Named<UserId>, Sent(new): Sent<New>) -> Answer {
    let given = roles::set(&caller.call, own(&caller), id, &new.role).await.or_refuse(&caller)?;
    caller.bearer.session.note_role(id, Some(&given.role));
    Ok(Json(caller.shown(json!(given))))
}

/// `DELETE /plugin-roles/{user}`.
pub(crate) async fn remove(caller: Caller, Named(id): Named<UserId>) -> Answer {
    let removed = roles::remove(&caller.call, own(&caller), id).await.or_refuse(&caller)?;
    caller.bearer.session.note_role(id, None);
    if !removed {
        return Err(Refusal::not_found("plugin role of user", id)).or_refuse(&caller);
    }
    Ok(Json(json!({ "deleted": true })))
}

/// `GET /users/{id}/plugin-roles`: of the plugin that calls; others' are not its affair.
pub(crate) async fn of_user(caller: Caller, Named(id): Named<UserId>) -> Answer {
    let found = match roles::get(&caller.call, own(&caller), id).await {
        Ok(role) => vec![role],
        Err(error) if error.is_not_found() => vec![],
        Err(error) => return Err(error).or_refuse(&caller),
    };
    Ok(Json(caller.shown(json!(found))))
}

fn own(caller: &Caller) -> &Slug {
    caller.bearer.session.slug()
}
