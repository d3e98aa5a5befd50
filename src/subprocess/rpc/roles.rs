//! Roles that people hold inside the plugin that calls.

use axum::Json;
use mint_context::{Call, Page, identity, roles};
use mint_domain::{Refusal, Slug, UserId};
use serde::Deserialize;
use serde_json::{Map, Value, json};

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

/// The body of `PUT /plugin-roles/{user}/fields`.
#[derive(Deserialize)]
pub(crate) struct Fields {
    fields: Map<String, Value>,
}

/// `GET /plugin-roles/{user}/fields`: what the plugin keeps of a person beside the role.
pub(crate) async fn fields(caller: Caller, Named(id): Named<UserId>) -> Answer {
    let fields = roles::fields(&caller.call, id).await.or_refuse(&caller)?;
    Ok(Json(json!({ "fields": fields.into_inner() })))
}

/// `PUT /plugin-roles/{user}/fields`.
pub(crate) async fn set_fields(caller: Caller, Named(id): Named<UserId>, Sent(new): Sent<Fields>) -> Answer {
    roles::set_fields(&caller.call, own(&caller), id, &new.fields).await.or_refuse(&caller)?;
    fields(caller, Named(id)).await
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
