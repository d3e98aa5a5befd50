//! Changing a password, one's own or another's.

use mint_context::Result;
use mint_domain::{Kind, Permission, Refusal, UserId};
use mint_store::{sessions, users};
use secrecy::SecretString;
use serde_json::json;

use super::{
    policy::Origin,
    rules::{Noted, is_self, note, permit_any, session_needed},
    users::{entity, target},
};
use crate::{Caller, Platform, attempts::Account, passwords};

impl Platform {
    /// Changes the caller's own password, and ends all their other sessions.
    ///
    /// # Errors
    /// `auth.wrong_password`; `auth.session_required` for a token; `VALIDATION_ERROR` for a bad new one.
    pub async fn change_own_password(
        &self,
        caller: &Caller,
        present: &SecretString,
        new: &SecretString,
        origin: &Origin,
    ) -> Result<()> {
        let nobody = || Refusal::new(Kind::Unauthenticated, "auth.required", "Sign in first.");
        let id = caller.actor.user().ok_or_else(nobody)?.id;
        if caller.session.is_none() {
            return Err(session_needed().into());
        }
        let account = Account::new(caller.tenant_slug.as_str(), &entity(id), origin.address);
        self.attempts().admit(origin.address, account)?;
        let mut tx = self.services().db.read().await?;
        let hash = users::password_hash_of(&mut tx, caller.tenant, id).await?;
        drop(tx);
        if !passwords::verify(present, hash).await? {
            self.attempts().failed(account);
            let message = "The present password is wrong.";
            return Err(Refusal::new(Kind::Denied, "auth.wrong_password", message).into());
        }
        self.attempts().succeeded(account);
        self.set_password(caller, id, new, "user.password.change").await
    }

    /// Gives somebody else another password, and ends all their sessions.
    ///
    /// # Errors
    /// `NOT_FOUND`, `VALIDATION_ERROR` for a bad password or one's own, `PERMISSION_DENIED`.
    pub async fn reset_password(&self, caller: &Caller, id: UserId, new: &SecretString) -> Result<()> {
        permit_any(caller, &[Permission::UsersManage])?;
        if is_self(caller, id) {
            let message =
                "Your own password is changed by `PUT /api/users/me/password`, or `mint user password`, with the present one.";
            return Err(Refusal::invalid(message).into());
        }
        self.set_password(caller, id, new, "user.password.reset").await
    }

    async fn set_password(&self, caller: &Caller, id: UserId, new: &SecretString, action: &str) -> Result<()> {
        let services = self.services();
        let hash = passwords::hash(new).await?;
        let now = services.clock.now();
        let mut tx = services.db.begin().await?;
        users::lock(&mut tx, caller.tenant).await?;
        target(&mut tx, caller, id).await?;
        users::set_password(&mut tx, caller.tenant, id, &hash, now).await?;
        let kept = if is_self(caller, id) { caller.session.as_deref() } else { None };
        let ended = sessions::delete_of_user(&mut tx, caller.tenant, id, kept).await?;
        note(&mut tx, caller, Noted { action, entity: entity(id), details: json!({ "sessions_ended": ended }) }, now).await?;
        tx.commit().await?;
        self.identities().invalidate_all();
        Ok(())
    }
}
