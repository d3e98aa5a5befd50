//! Where somebody is signed in, and ending that.

use mint_context::Result;
use mint_domain::{Permission, Refusal, UserId};
use mint_store::{Page, sessions, users};
use serde::Serialize;
use serde_json::json;
use time::OffsetDateTime;

use super::{
    rules::{Noted, is_self, note, permit_any, session_needed},
    users::{entity, no_user, target},
};
use crate::{Caller, Platform};

/// A session, without its token.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Session {
    /// Names it.
    pub id: String,
    /// Whether it is the one that asks.
    pub is_current: bool,
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was last used, within a minute.
    #[serde(with = "time::serde::rfc3339")]
    pub last_seen_at: OffsetDateTime,
    /// When it ends at the latest.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
    /// The program that began it, as it named itself.
    pub user_agent: Option<String>,
    /// The address from which it began.
    pub address: Option<String>,
    /// Whether it changes nothing.
    pub read_only: bool,
}

impl Platform {
    /// A person's live sessions, the newest first; the caller's own, where nobody is named.
    ///
    /// # Errors
    /// `NOT_FOUND`, `PERMISSION_DENIED`.
    pub async fn list_sessions(&self, caller: &Caller, of: Option<UserId>) -> Result<Vec<Session>> {
        let user = whose(caller, of)?;
        let mut tx = self.services().db.read().await?;
        users::get(&mut tx, caller.tenant, user).await?.ok_or_else(|| no_user(user))?;
        let now = self.services().clock.now();
        let idle = now - self.credentials().idle;
        let rows = sessions::list(&mut tx, caller.tenant, user, (now, idle), Page::new(0, Page::LIMIT_MAX)).await?;
        let own = caller.session.as_deref();
        let sessions = rows.into_iter().map(|row| Session {
            is_current: own.is_some_and(|own| own.starts_with(&row.id)),
            id: row.id,
            created_at: row.created_at,
            last_seen_at: row.last_seen_at,
            expires_at: row.expires_at,
            user_agent: row.user_agent,
            address: row.address,
            read_only: row.is_read_only,
        });
        Ok(sessions.collect())
    }

    /// Ends one session.
    ///
    /// # Errors
    /// `NOT_FOUND`, `PERMISSION_DENIED`.
    pub async fn end_session(&self, caller: &Caller, of: Option<UserId>, id: &str) -> Result<()> {
        let ended = self.end(caller, of, Some(id)).await?;
        if ended == 0 {
            return Err(Refusal::not_found("session", id).into());
        }
        Ok(())
    }

    /// Ends all sessions of a person, but for the one that asks. Gives how many.
    ///
    /// # Errors
    /// `NOT_FOUND`, `PERMISSION_DENIED`.
    pub async fn end_sessions(&self, caller: &Caller, of: Option<UserId>) -> Result<u64> {
        self.end(caller, of, None).await
    }

    async fn end(&self, caller: &Caller, of: Option<UserId>, id: Option<&str>) -> Result<u64> {
        let user = whose(caller, of)?;
        if is_self(caller, user) && caller.session.is_none() {
            return Err(session_needed().into());
        }
        let services = self.services();
        let mut tx = services.db.begin().await?;
        target(&mut tx, caller, user).await?;
        let kept = if is_self(caller, user) { caller.session.as_deref() } else { None };
        let ended = match id {
            Some(id) => sessions::delete_by_id(&mut tx, caller.tenant, user, id).await?,
            None => sessions::delete_of_user(&mut tx, caller.tenant, user, kept).await?,
        };
        if ended > 0 {
            let details = json!({ "session": id, "sessions_ended": ended });
            let noted = Noted { action: "session.revoke", entity: entity(user), details };
            note(&mut tx, caller, noted, services.clock.now()).await?;
        }
        tx.commit().await?;
        self.identities().invalidate_all();
        Ok(ended)
    }
}

/// Whose credentials are meant, if the caller may look after them.
pub(super) fn whose(caller: &Caller, of: Option<UserId>) -> Result<UserId, Refusal> {
    match of {
        Some(user) if !is_self(caller, user) => {
            permit_any(caller, &[Permission::UsersManage])?;
            Ok(user)
        }
        _ => Ok(caller.actor.user().ok_or_else(session_needed)?.id),
    }
}
