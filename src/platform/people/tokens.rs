//! Access tokens: what people give to programs in the place of their password.

use mint_context::Result;
use mint_domain::{Permission, Refusal, UserId};
use mint_store::{
    Page,
    tokens::{self, NewToken},
    users,
};
use rand::Rng as _;
use secrecy::SecretString;
use serde::Serialize;
use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::{
    rules::{Noted, expect_line, note, session_needed},
    sessions::whose,
    users::{no_user, target},
};
use crate::{Caller, Platform, sign_in::hashed};

/// How a personal access token begins, so that scanners for secrets know it.
pub(crate) const PREFIX: &str = "mint_pat_";
/// Characters of a token that lists show: the prefix, and eight that tell tokens apart.
const SHOWN: usize = PREFIX.len() + 8;
/// Tokens of one person.
const TOKENS_MAX: i64 = 50;
/// Characters of a token's name.
const NAME_CHARACTERS_MAX: usize = 100;

/// What a token is to be.
#[derive(Debug)]
pub struct TokenDraft {
    /// What its owner calls it.
    pub name: String,
    /// How long it lasts.
    pub days: u32,
    /// Whether it changes nothing.
    pub read_only: bool,
    /// What it allows at most; none for all that its owner may.
    pub permissions: Option<Vec<Permission>>,
}

/// A token, without what it is.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Token {
    /// Identifier.
    pub id: i64,
    /// What its owner calls it.
    pub name: String,
    /// Its first characters.
    pub beginning: String,
    /// Whether it changes nothing.
    pub read_only: bool,
    /// What it allows at most; null for all that its owner may.
    #[schema(value_type = Option<Vec<String>>)]
    pub permissions: Option<Vec<Permission>>,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it ends.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
    /// When it was last used, within a minute.
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_used_at: Option<OffsetDateTime>,
}

impl From<tokens::Token> for Token {
    fn from(row: tokens::Token) -> Self {
        Self {
            id: row.id,
            name: row.name,
            beginning: row.beginning,
            read_only: row.is_read_only,
            permissions: row.permissions.map(|permissions| permissions.0),
            created_at: row.created_at,
            expires_at: row.expires_at,
            last_used_at: row.last_used_at,
        }
    }
}

impl Platform {
    /// Makes a token for the caller, and gives it this once.
    ///
    /// # Errors
    /// `auth.session_required` for who is not signed in with a session; `VALIDATION_ERROR`; `PERMISSION_DENIED` for permissions
    /// that the caller lacks; `QUOTA_EXCEEDED`.
    pub async fn create_token(&self, caller: &Caller, draft: TokenDraft) -> Result<(SecretString, Token)> {
        let user = caller.actor.user().filter(|_| caller.session.is_some()).ok_or_else(session_needed)?;
        expect_line("name", &draft.name, NAME_CHARACTERS_MAX)?;
        let days_max = self.credentials().token_days_max;
        if draft.days == 0 || draft.days > days_max {
            let message = format!("A token lasts 1 to {days_max} days.");
            return Err(Refusal::invalid(message).with(json!({ "field": "days" })).into());
        }
        if let Some(lacking) = draft.permissions.iter().flatten().find(|permission| !user.permissions.contains(permission)) {
            let message = format!("You lack the permission `{lacking}`, so that a token of yours cannot have it.");
            return Err(Refusal::denied(lacking.as_str(), message).into());
        }
        let token = format!("{PREFIX}{}", hex::encode(rand::rng().random::<[u8; 32]>()));
        let services = self.services();
        let now = services.clock.now();
        let mut tx = services.db.begin().await?;
        users::lock(&mut tx, caller.tenant).await?;
        if tokens::count(&mut tx, caller.tenant, user.id).await? >= TOKENS_MAX {
            let message = format!("You have {TOKENS_MAX} tokens. Revoke one that you do not need.");
            return Err(Refusal::quota("tokens_max", message).into());
        }
        let new = NewToken {
            name: &draft.name,
            beginning: token.get(..SHOWN).unwrap_or(PREFIX),
            sha256: &hashed(&token),
            is_read_only: draft.read_only,
            permissions: draft.permissions.as_deref(),
            expires_at: now + Duration::days(draft.days.into()),
        };
        let row = tokens::insert(&mut tx, caller.tenant, user.id, new, now).await?;
        note(&mut tx, caller, noted("token.create", &row), now).await?;
        tx.commit().await?;
        Ok((token.into(), row.into()))
    }

    /// A person's tokens, the newest first; the caller's own, where nobody is named.
    ///
    /// # Errors
    /// `NOT_FOUND`, `PERMISSION_DENIED`.
    pub async fn list_tokens(&self, caller: &Caller, of: Option<UserId>, page: Page) -> Result<Vec<Token>> {
        let user = whose(caller, of)?;
        let mut tx = self.services().db.read().await?;
        users::get(&mut tx, caller.tenant, user).await?.ok_or_else(|| no_user(user))?;
        Ok(tokens::list(&mut tx, caller.tenant, user, page).await?.into_iter().map(Into::into).collect())
    }

    /// Ends a token, the caller's own or, for who manages people, another's.
    ///
    /// # Errors
    /// `NOT_FOUND`, also for a token that the caller may not know of.
    pub async fn revoke_token(&self, caller: &Caller, id: i64) -> Result<()> {
        let none = || Refusal::not_found("token", id);
        let now = self.services().clock.now();
        let mut tx = self.services().db.begin().await?;
        let row = tokens::get(&mut tx, caller.tenant, id).await?.ok_or_else(none)?;
        whose(caller, Some(row.user_id)).map_err(|_| none())?;
        target(&mut tx, caller, row.user_id).await?;
        tokens::delete(&mut tx, caller.tenant, id).await?;
        note(&mut tx, caller, noted("token.revoke", &row), now).await?;
        tx.commit().await?;
        self.identities().invalidate_all();
        Ok(())
    }
}

fn noted(action: &'static str, row: &tokens::Token) -> Noted<'static> {
    let details = json!({
        "user_id": row.user_id,
        "name": row.name,
        "beginning": row.beginning,
        "read_only": row.is_read_only,
        "permissions": row.permissions,
        "expires_at": row.expires_at.unix_timestamp(),
    });
    Noted { action, entity: format!("token:{}", row.id), details }
}
