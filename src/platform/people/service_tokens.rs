//! Service tokens: what programs beside instruments sign in with. One reaches the routes of one plugin, and nothing else.

use mint_context::Result;
use mint_domain::{InstrumentId, Permission, Refusal, Slug};
use mint_store::{
    Page, Tx, installations, instruments,
    service_tokens::{self, NewServiceToken},
    users,
};
use rand::Rng as _;
use secrecy::SecretString;
use serde::Serialize;
use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::rules::{Noted, expect_line, note, permit_any, session_needed};
use crate::{Caller, Platform, sign_in::hashed};

/// How a service token begins, so that scanners for secrets know it.
pub(crate) const PREFIX: &str = "mint_svc_";
/// Characters of a token that lists show: the prefix, and eight that tell tokens apart.
const SHOWN: usize = PREFIX.len() + 8;
/// Tokens of one tenant.
const TOKENS_MAX: i64 = 1_000;
/// Instruments of one token.
const INSTRUMENTS_MAX: usize = 50;
/// Characters of a token's name.
const NAME_CHARACTERS_MAX: usize = 100;

/// What a service token is to be.
#[derive(Debug)]
pub struct ServiceTokenDraft {
    /// What people call it.
    pub name: String,
    /// The plugin that it reaches.
    pub plugin: Slug,
    /// The instruments that it stands for.
    pub instruments: Vec<InstrumentId>,
    /// How long it lasts; none for until it is revoked.
    pub days: Option<u32>,
}

/// A service token, without what it is.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct ServiceToken {
    /// Identifier.
    pub id: i64,
    /// What people call it.
    pub name: String,
    /// The plugin that it reaches.
    pub plugin: String,
    /// The instruments that it stands for.
    #[schema(value_type = Vec<String>)]
    pub instruments: Vec<InstrumentId>,
    /// Its first characters.
    pub beginning: String,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it ends; null for never.
    #[serde(with = "time::serde::rfc3339::option")]
    pub expires_at: Option<OffsetDateTime>,
    /// When it was last used, within a minute.
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_used_at: Option<OffsetDateTime>,
}

impl From<service_tokens::ServiceToken> for ServiceToken {
    fn from(row: service_tokens::ServiceToken) -> Self {
        Self {
            id: row.id,
            name: row.name,
            plugin: row.plugin,
            instruments: row.instruments.0,
            beginning: row.beginning,
            created_at: row.created_at,
            expires_at: row.expires_at,
            last_used_at: row.last_used_at,
        }
    }
}

impl Platform {
    /// Makes a service token, and gives it this once. What the plugin does for whoever shows it, it does on its own account,
    /// so that this is for who decides what plugins may do, too.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`; `auth.session_required` for who is not signed in with a session; `VALIDATION_ERROR`;
    /// `QUOTA_EXCEEDED`.
    pub async fn create_service_token(&self, caller: &Caller, draft: ServiceTokenDraft) -> Result<(SecretString, ServiceToken)> {
        permit(caller)?;
        if caller.session.is_none() {
            return Err(session_needed().into());
        }
        let draft = self.checked(draft)?;
        let token = format!("{PREFIX}{}", hex::encode(rand::rng().random::<[u8; 32]>()));
        let services = self.services();
        let now = services.clock.now();
        let mut tx = services.db.begin().await?;
        users::lock(&mut tx, caller.tenant).await?;
        expect_known(&mut tx, caller, &draft).await?;
        if service_tokens::count(&mut tx, caller.tenant).await? >= TOKENS_MAX {
            let message = format!("The laboratory has {TOKENS_MAX} service tokens. Revoke one that nothing needs.");
            return Err(Refusal::quota("service_tokens_max", message).into());
        }
        let new = NewServiceToken {
            name: &draft.name,
            plugin: &draft.plugin,
            instruments: &draft.instruments,
            beginning: token.get(..SHOWN).unwrap_or(PREFIX),
            sha256: &hashed(&token),
            expires_at: draft.days.map(|days| now + Duration::days(days.into())),
        };
        let row = service_tokens::insert(&mut tx, caller.tenant, new, now).await?;
        note(&mut tx, caller, noted("service_token.create", &row), now).await?;
        tx.commit().await?;
        Ok((token.into(), row.into()))
    }

    /// The service tokens of the laboratory, the newest first.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`.
    pub async fn list_service_tokens(&self, caller: &Caller, page: Page) -> Result<Vec<ServiceToken>> {
        permit(caller)?;
        let mut tx = self.services().db.read().await?;
        Ok(service_tokens::list(&mut tx, caller.tenant, page).await?.into_iter().map(Into::into).collect())
    }

    /// Ends a service token. Other replicas follow within a second.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`, `NOT_FOUND`.
    pub async fn revoke_service_token(&self, caller: &Caller, id: i64) -> Result<()> {
        permit(caller)?;
        let now = self.services().clock.now();
        let mut tx = self.services().db.begin().await?;
        let row = service_tokens::delete(&mut tx, caller.tenant, id).await?;
        let row = row.ok_or_else(|| Refusal::not_found("service token", id))?;
        note(&mut tx, caller, noted("service_token.revoke", &row), now).await?;
        tx.commit().await?;
        self.identities().invalidate_all();
        Ok(())
    }

    /// What can be told of a draft without asking anybody.
    fn checked(&self, mut draft: ServiceTokenDraft) -> Result<ServiceTokenDraft, Refusal> {
        let wrong = |field: &str, message: String| Err(Refusal::invalid(message).with(json!({ "field": field })));
        expect_line("name", &draft.name, NAME_CHARACTERS_MAX)?;
        let days_max = self.credentials().token_days_max;
        if draft.days.is_some_and(|days| days == 0 || days > days_max) {
            return wrong("days", format!("A service token lasts 1 to {days_max} days, or with null until it is revoked."));
        }
        draft.instruments.sort();
        draft.instruments.dedup();
        if draft.instruments.is_empty() || draft.instruments.len() > INSTRUMENTS_MAX {
            return wrong("instruments", format!("A service token stands for 1 to {INSTRUMENTS_MAX} instruments."));
        }
        Ok(draft)
    }
}

fn permit(caller: &Caller) -> Result<(), Refusal> {
    permit_any(caller, &[Permission::UsersManage])?;
    permit_any(caller, &[Permission::PluginsConfigure])
}

/// Refuses a plugin or an instrument that the laboratory does not have.
async fn expect_known(tx: &mut Tx, caller: &Caller, draft: &ServiceTokenDraft) -> Result<()> {
    let installed = installations::find(tx, caller.tenant, draft.plugin.as_str()).await?;
    if installed.is_none() || !caller.actor.sees_plugin(draft.plugin.as_str()) {
        let message = format!("There is no plugin `{}` here; `mint plugin list` shows those that there are.", draft.plugin);
        return Err(Refusal::invalid(message).with(json!({ "field": "plugin" })).into());
    }
    for id in &draft.instruments {
        if instruments::get(tx, caller.tenant, id).await?.is_none() {
            let message = format!("The laboratory has no instrument `{}`.", id.as_str());
            return Err(Refusal::invalid(message).with(json!({ "field": "instruments" })).into());
        }
    }
    Ok(())
}

fn noted(action: &'static str, row: &service_tokens::ServiceToken) -> Noted<'static> {
    let details = json!({
        "name": row.name,
        "plugin": row.plugin,
        "instruments": row.instruments,
        "beginning": row.beginning,
        "expires_at": row.expires_at.map(OffsetDateTime::unix_timestamp),
    });
    Noted { action, entity: format!("service_token:{}", row.id), details }
}
