//! Making, changing and removing people.

use mint_context::{Result, identity::User};
use mint_domain::{Actor, Permission, Refusal, UserId, permission::SystemRole};
use mint_store::{
    Tx, sessions,
    users::{self, Fields},
};
use serde_json::json;
use time::OffsetDateTime;

use super::{
    profile::{NewUser, UserChange, check, shown},
    rules::{Noted, expect_administrator, expect_cover, is_self, note, permit_any, rights_to_give},
};
use crate::{Caller, Platform, passwords};

impl Platform {
    /// Makes a user with rights that the caller has.
    ///
    /// # Errors
    /// `VALIDATION_ERROR`, `CONFLICT` when the name is taken, `PERMISSION_DENIED`.
    pub async fn create_user(&self, caller: &Caller, new: NewUser) -> Result<User> {
        permit_any(caller, &[Permission::UsersManage, Permission::UsersInvite])?;
        let services = self.services();
        check(&new.fields())?;
        let hash = match &new.password {
            Some(password) => Some(passwords::hash(password).await?),
            None => None,
        };
        let now = services.clock.now();
        let mut tx = services.db.begin().await?;
        let row = insert(&mut tx, caller, &new, hash.as_deref(), now).await?;
        tx.commit().await?;
        Ok(row.into())
    }

    /// Changes a record. Names and the address of one's own need no permission.
    ///
    /// # Errors
    /// `VALIDATION_ERROR`, `NOT_FOUND`, `CONFLICT`, `users.last_administrator`, `PERMISSION_DENIED`.
    pub async fn change_user(&self, caller: &Caller, id: UserId, change: UserChange) -> Result<User> {
        let services = self.services();
        let is_own_affair = is_self(caller, id) && change.is_personal();
        if !is_own_affair {
            permit_any(caller, &[Permission::UsersManage])?;
        }
        let now = services.clock.now();
        let mut tx = services.db.begin().await?;
        users::lock(&mut tx, caller.tenant).await?;
        let before = target(&mut tx, caller, id).await?;
        let mut after = before.clone();
        change.apply(&mut after);
        check(&after)?;
        if after.role != before.role {
            let rights = rights_to_give(&mut tx, caller.tenant, &after.role).await?;
            expect_cover(caller, &rights)?;
        }
        if is_administrator(&before) && !is_administrator(&after) {
            expect_administrator(&mut tx, caller.tenant, id).await?;
        }
        let row = users::update(&mut tx, caller.tenant, id, &after, now).await?.ok_or_else(|| no_user(id))?;
        if !after.is_active {
            sessions::delete_of_user(&mut tx, caller.tenant, id, None).await?;
        }
        let details = json!({ "before": shown(&before), "after": shown(&after) });
        note(&mut tx, caller, Noted { action: "user.update", entity: entity(id), details }, now).await?;
        tx.commit().await?;
        self.identities().invalidate_all();
        Ok(row.into())
    }

    /// Removes a person, with their sessions, tokens and roles. What they made stays, without their name.
    ///
    /// # Errors
    /// `NOT_FOUND`, `users.last_administrator`, `PERMISSION_DENIED`.
    pub async fn delete_user(&self, caller: &Caller, id: UserId) -> Result<()> {
        permit_any(caller, &[Permission::UsersManage])?;
        let services = self.services();
        let now = services.clock.now();
        let mut tx = services.db.begin().await?;
        users::lock(&mut tx, caller.tenant).await?;
        let before = target(&mut tx, caller, id).await?;
        if is_administrator(&before) {
            expect_administrator(&mut tx, caller.tenant, id).await?;
        }
        users::delete(&mut tx, caller.tenant, id).await?;
        let details = json!({ "before": shown(&before) });
        note(&mut tx, caller, Noted { action: "user.delete", entity: entity(id), details }, now).await?;
        tx.commit().await?;
        self.identities().invalidate_all();
        Ok(())
    }
}

/// A person of the tenant whose rights the caller has too, over this laboratory and over all, so that nobody gets into their
/// hands what they lack.
pub(super) async fn target(tx: &mut Tx, caller: &Caller, id: UserId) -> Result<Fields> {
    let row = users::get(tx, caller.tenant, id).await?.ok_or_else(|| no_user(id))?;
    if !is_self(caller, id) {
        let rights = mint_context::identity::rights_of(tx, caller.tenant, &row.role).await?;
        if let Some(rights) = rights {
            expect_cover(caller, &rights)?;
        }
        if !caller.is_platform_admin && caller.actor != Actor::System && users::is_platform_admin(tx, caller.tenant, id).await? {
            let message = "This person looks after the whole installation. Ask somebody who does so too, signed in with their \
                           password, or who runs the server: `mint user appoint --withdraw` at its machine.";
            return Err(Refusal::denied("platform administrator", message).into());
        }
    }
    Ok(row.into())
}

/// Makes a user whose rights the caller has too.
pub(crate) async fn insert(
    tx: &mut Tx,
    caller: &Caller,
    new: &NewUser,
    hash: Option<&str>,
    now: OffsetDateTime,
) -> Result<users::User> {
    let fields = new.fields();
    check(&fields)?;
    users::lock(tx, caller.tenant).await?;
    let rights = rights_to_give(tx, caller.tenant, &fields.role).await?;
    expect_cover(caller, &rights)?;
    let made = users::insert(tx, caller.tenant, &fields.username, hash, &fields.role, now).await?;
    let row = users::update(tx, caller.tenant, made.id, &fields, now).await?.unwrap_or(made);
    let details = json!({ "after": shown(&fields), "has_password": hash.is_some() });
    note(tx, caller, Noted { action: "user.create", entity: entity(row.id), details }, now).await?;
    Ok(row)
}

pub(super) fn entity(id: UserId) -> String {
    format!("user:{id}")
}

pub(super) fn no_user(id: UserId) -> Refusal {
    Refusal::not_found("user", id)
}

fn is_administrator(fields: &Fields) -> bool {
    fields.is_active && fields.role == SystemRole::Admin.as_str()
}
