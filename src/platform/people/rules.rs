//! What holds for every change of people.

use mint_context::{Result, identity};
use mint_domain::{Actor, Kind, Permission, Refusal, Rights, TenantId, UserId, permission::SystemRole};
use mint_store::{Tx, audit, users};
use serde_json::Value;
use time::OffsetDateTime;

use crate::Caller;

/// Refuses to give or to touch rights that the caller lacks.
pub(super) fn expect_cover(caller: &Caller, rights: &Rights) -> Result<(), Refusal> {
    let lacking = match &caller.actor {
        Actor::User(user) => user.rights().lacks(rights),
        Actor::System => None,
        Actor::Plugin(_) | Actor::Service(_) | Actor::Anonymous => Some("users.manage"),
    };
    match lacking {
        None => Ok(()),
        Some(lacking) => {
            let message = format!(
                "This has to do with rights that you lack yourself, such as `{lacking}`. Ask an administrator who has them."
            );
            Err(Refusal::denied(lacking, message))
        }
    }
}

/// What a role allows that somebody is to get.
pub(super) async fn rights_to_give(tx: &mut Tx, tenant: TenantId, role: &str) -> Result<Rights> {
    let rights = identity::rights_of(tx, tenant, role).await?;
    let unknown = || {
        let message = format!("There is no role `{role}`: `admin`, `member`, `viewer`, or one that `mint role list` shows.");
        Refusal::invalid(message).with(serde_json::json!({ "field": "role" }))
    };
    Ok(rights.ok_or_else(unknown)?)
}

/// Refuses to take the last administrator away. The caller has the lock of the tenant's people.
pub(super) async fn expect_administrator(tx: &mut Tx, tenant: TenantId, without: UserId) -> Result<()> {
    if users::count_others(tx, tenant, SystemRole::Admin.as_str(), without).await? == 0 {
        let message = "This is the last administrator who can sign in. Make another one first.";
        return Err(Refusal::new(Kind::Conflict, "users.last_administrator", message).into());
    }
    Ok(())
}

/// A text for people, on one line.
pub(crate) fn expect_line(field: &str, text: &str, characters_max: usize) -> Result<(), Refusal> {
    if text.trim().is_empty() || text.chars().count() > characters_max || text.chars().any(char::is_control) {
        let message = format!("`{field}` has 1 to {characters_max} characters on one line.");
        return Err(Refusal::invalid(message).with(serde_json::json!({ "field": field })));
    }
    Ok(())
}

/// What was changed, on whom, and how.
pub(super) struct Noted<'a> {
    pub(super) action: &'a str,
    pub(super) entity: String,
    pub(super) details: Value,
}

/// Records a change in the transaction that makes it.
pub(super) async fn note(tx: &mut Tx, caller: &Caller, noted: Noted<'_>, now: OffsetDateTime) -> Result<()> {
    let entry = audit::Entry {
        actor: &caller.actor.label(),
        action: noted.action,
        entity: &noted.entity,
        request_id: caller.request_id.as_str(),
        details: &noted.details,
    };
    Ok(audit::record(tx, caller.tenant, &entry, now).await?)
}

/// The refusal of what only somebody who signed in may do.
pub(crate) fn session_needed() -> Refusal {
    let message = "This needs a session: sign in with your password. A token cannot do it.";
    Refusal::new(Kind::Denied, "auth.session_required", message)
}

/// Whether the caller is this person.
pub(super) fn is_self(caller: &Caller, id: UserId) -> bool {
    caller.actor.user().is_some_and(|user| user.id == id)
}

/// Passes whoever has one of these permissions.
pub(super) fn permit_any(caller: &Caller, permissions: &[Permission]) -> Result<(), Refusal> {
    if permissions.iter().any(|permission| caller.actor.may(*permission)) {
        return Ok(());
    }
    let required = permissions.first().map_or("", |permission| permission.as_str());
    let message = format!("This needs the permission `{required}`. Ask an administrator for a role that has it.");
    Err(Refusal::denied(required, message))
}
