//! Signing in and out, and whom or what a credential stands for.

use std::sync::Arc;

use mint_context::{Result, identity::with_rights};
use mint_domain::{Actor, Kind, Refusal, RequestId, Service, Slug, TenantId, User};
use mint_store::{
    Tx, audit, passkeys, service_tokens,
    sessions::{self, NewSession},
    tenants, tokens, users,
};
use rand::Rng as _;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

use crate::{
    Caller, Platform,
    attempts::Account,
    frontends::Whose,
    passwords,
    people::{Origin, SERVICE_TOKEN_PREFIX, TOKEN_PREFIX},
};

/// What a program or a browser shows with every request. `mint_` and 64 hexadecimal digits.
#[derive(Debug)]
pub struct Signed {
    /// The token; the platform keeps only its hash.
    pub token: SecretString,
    /// When it ends.
    pub expires_at: OffsetDateTime,
    /// Whom it stands for.
    pub user: User,
}

/// How somebody came in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entrance<'a> {
    by: &'a str,
    is_read_only: bool,
}

impl<'a> Entrance<'a> {
    /// By a password, a passkey, another server or a device code.
    pub(crate) fn by(by: &'a str) -> Self {
        Self { by, is_read_only: false }
    }

    /// The same, to change nothing, where that was asked for.
    pub(crate) fn reading(self, is_read_only: bool) -> Self {
        Self { is_read_only, ..self }
    }
}

/// Whom or what a live token stands for.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Tenant.
    pub tenant: TenantId,
    /// Slug of the tenant.
    pub tenant_slug: Slug,
    /// Who: a person, or a program with a service token.
    pub actor: Actor,
    /// Hash of the session's token; none for an access token.
    pub session: Option<Arc<str>>,
    /// Whether this is a session of somebody who looks after the whole installation.
    pub is_platform_admin: bool,
}

impl Platform {
    /// Begins a session. At a laboratory's own host, `tenant` need not be named, and nobody of another one is known.
    ///
    /// # Errors
    /// `auth.unauthorized`, the same for an unknown user and a wrong password; `rate_limit.exceeded`, `auth.locked`,
    /// `tenant.suspended`.
    pub async fn sign_in(
        &self,
        (whose, tenant): (&Whose, Option<&str>),
        username: &str,
        password: &SecretString,
        origin: &Origin,
        request_id: &RequestId,
    ) -> Result<Signed> {
        let wrong = || Refusal::new(Kind::Unauthenticated, "auth.unauthorized", "The user name or the password is wrong.");
        let tenant = whose.meant(tenant);
        let account = Account::new(tenant, username, origin.address);
        self.attempts().admit(origin.address, account)?;
        let services = self.services();
        let mut tx = services.db.read().await?;
        let tenant = tenants::find(&mut tx, tenant).await?;
        let found = match &tenant {
            Some(tenant) => users::password_hash(&mut tx, tenant.id, username).await?,
            None => None,
        };
        drop(tx);
        let (id, hash) = found.unzip();
        let fits = passwords::verify(password, hash).await?;
        let (Some(tenant), Some(id), true) = (tenant, id, fits) else {
            self.attempts().failed(account);
            return Err(wrong().into());
        };
        self.attempts().succeeded(account);
        expect_in_use(tenant.suspended.as_deref())?;

        let mut tx = services.db.begin().await?;
        let row = users::get(&mut tx, tenant.id, id).await?.filter(|row| row.is_active).ok_or_else(wrong)?;
        if self.credentials().passkey_replaces_password && passkeys::count(&mut tx, tenant.id, id).await? > 0 {
            let message = "You have a passkey, so the password alone does not let you in. Sign in with the passkey, in a browser; a \
                           program is let in by `mint auth login --device`.";
            return Err(Refusal::new(Kind::Denied, "auth.passkey_required", message).into());
        }
        let user = with_rights(&mut tx, tenant.id, row.id, row.username, row.role).await?;
        let signed = self.open_session(&mut tx, tenant.id, user, Entrance::by("password"), origin, request_id).await?;
        tx.commit().await?;
        Ok(signed)
    }

    /// Begins a session of somebody who has shown who they are, in the transaction that found it out.
    pub(crate) async fn open_session(
        &self,
        tx: &mut Tx,
        tenant: TenantId,
        user: User,
        entrance: Entrance<'_>,
        origin: &Origin,
        request_id: &RequestId,
    ) -> Result<Signed> {
        let token = format!("mint_{}", hex::encode(rand::rng().random::<[u8; 32]>()));
        let now = self.services().clock.now();
        let expires_at = now + self.credentials().session;
        sessions::delete_expired(tx, now, now - self.credentials().idle).await?;
        let address = origin.address.map(|address| address.to_string());
        let new = NewSession {
            token_sha256: &hashed(&token),
            user: user.id,
            expires_at,
            is_read_only: entrance.is_read_only,
            user_agent: origin.user_agent.as_deref(),
            address: address.as_deref(),
        };
        sessions::insert(tx, tenant, new, now).await?;
        let entry = audit::Entry {
            actor: &format!("user:{}", user.username),
            action: "session.begin",
            entity: &format!("user:{}", user.id),
            request_id: request_id.as_str(),
            details: &json!({
                "by": entrance.by, "address": address, "user_agent": origin.user_agent, "read_only": entrance.is_read_only,
            }),
        };
        audit::record(tx, tenant, &entry, now).await?;
        Ok(Signed { token: token.into(), expires_at, user: user.bounded(entrance.is_read_only, None) })
    }

    /// Ends a session. Other replicas follow within a second.
    ///
    /// # Errors
    /// The database's.
    pub async fn sign_out(&self, token: &SecretString) -> Result<()> {
        let hash = hashed(token.expose_secret());
        let mut tx = self.services().db.begin().await?;
        sessions::delete(&mut tx, &hash).await?;
        tx.commit().await?;
        self.identities().invalidate(&hash);
        Ok(())
    }

    /// Whom a token stands for at a host; none when it is unknown, has ended, is another laboratory's than the host, or its user may
    /// no longer sign in.
    ///
    /// # Errors
    /// `tenant.suspended`; the database's.
    pub async fn identify(&self, token: &str, whose: &Whose) -> Result<Option<Identity>> {
        let hash = hashed(token);
        if let Some(identity) = self.identities().get(&hash) {
            return Ok(Some(identity).filter(|identity| whose.admits(&identity.tenant_slug)));
        }
        // Boxed, as all that few requests need: the future of every request has room for it otherwise.
        if token.starts_with(TOKEN_PREFIX) {
            return Box::pin(self.look_up_token(hash, whose)).await;
        }
        if token.starts_with(SERVICE_TOKEN_PREFIX) {
            return Box::pin(self.look_up_service_token(hash, whose)).await;
        }
        Box::pin(self.look_up_session(hash, whose)).await
    }

    /// The same for who knows only the hash of a session's token.
    pub(crate) async fn identify_hashed(&self, hash: String) -> Result<Option<Identity>> {
        if let Some(identity) = self.identities().get(&hash) {
            return Ok(Some(identity));
        }
        Box::pin(self.look_up_session(hash, &Whose::Any)).await
    }

    async fn look_up_session(&self, hash: String, whose: &Whose) -> Result<Option<Identity>> {
        let (services, policy) = (self.services(), self.credentials());
        let now = services.clock.now();
        let mut tx = services.db.read().await?;
        let Some(session) = sessions::find(&mut tx, &hash, now, now - policy.idle).await? else { return Ok(None) };
        if !whose.admits(&session.tenant_slug) {
            return Ok(None);
        }
        expect_in_use(session.suspended.as_deref())?;
        let user = with_rights(&mut tx, session.tenant_id, session.user_id, session.username, session.role).await?;
        drop(tx);
        if now - session.last_seen_at > policy.note_after() {
            let mut tx = services.db.begin().await?;
            sessions::touch(&mut tx, session.tenant_id, &hash, now).await?;
            tx.commit().await?;
        }
        let user = user.bounded(session.is_read_only, None);
        let identity = Identity {
            tenant: session.tenant_id,
            tenant_slug: session.tenant_slug,
            actor: Actor::User(Arc::new(user)),
            session: Some(hash.as_str().into()),
            is_platform_admin: session.is_platform_admin && !session.is_read_only,
        };
        self.identities().insert(hash, identity.clone());
        Ok(Some(identity))
    }

    async fn look_up_token(&self, hash: String, whose: &Whose) -> Result<Option<Identity>> {
        let services = self.services();
        let now = services.clock.now();
        let mut tx = services.db.read().await?;
        let Some(token) = tokens::find(&mut tx, &hash, now).await? else { return Ok(None) };
        if !whose.admits(&token.tenant_slug) {
            return Ok(None);
        }
        expect_in_use(token.suspended.as_deref())?;
        let user = with_rights(&mut tx, token.tenant_id, token.user_id, token.username, token.role).await?;
        drop(tx);
        if token.last_used_at.is_none_or(|used| now - used > self.credentials().note_after()) {
            let mut tx = services.db.begin().await?;
            tokens::touch(&mut tx, token.tenant_id, token.id, now).await?;
            tx.commit().await?;
        }
        let user = user.bounded(token.is_read_only, token.permissions.as_deref().map(Vec::as_slice));
        let identity = Identity {
            tenant: token.tenant_id,
            tenant_slug: token.tenant_slug,
            actor: Actor::User(Arc::new(user)),
            session: None,
            is_platform_admin: false,
        };
        self.identities().insert(hash, identity.clone());
        Ok(Some(identity))
    }

    async fn look_up_service_token(&self, hash: String, whose: &Whose) -> Result<Option<Identity>> {
        let services = self.services();
        let now = services.clock.now();
        let mut tx = services.db.read().await?;
        let Some(token) = service_tokens::find(&mut tx, &hash, now).await? else { return Ok(None) };
        drop(tx);
        if !whose.admits(&token.tenant_slug) {
            return Ok(None);
        }
        expect_in_use(token.suspended.as_deref())?;
        if token.last_used_at.is_none_or(|used| now - used > self.credentials().note_after()) {
            let mut tx = services.db.begin().await?;
            service_tokens::touch(&mut tx, token.tenant_id, token.id, now).await?;
            tx.commit().await?;
        }
        let service = Service { token: token.id, plugin: token.plugin, instruments: token.instruments.0 };
        let identity = Identity {
            tenant: token.tenant_id,
            tenant_slug: token.tenant_slug,
            actor: Actor::Service(Arc::new(service)),
            session: None,
            is_platform_admin: false,
        };
        self.identities().insert(hash, identity.clone());
        Ok(Some(identity))
    }
}

impl Identity {
    /// This one as the caller of a use case.
    pub fn caller(self, request_id: RequestId) -> Caller {
        Caller {
            actor: self.actor,
            tenant: self.tenant,
            tenant_slug: self.tenant_slug,
            request_id,
            session: self.session,
            is_platform_admin: self.is_platform_admin,
        }
    }
}

/// Refuses whoever belongs to a tenant that nobody may use now.
pub(crate) fn expect_in_use(suspended: Option<&str>) -> Result<(), Refusal> {
    let Some(reason) = suspended else { return Ok(()) };
    let message = format!("This laboratory is suspended: {reason} Ask whoever runs the server.");
    Err(Refusal::new(Kind::Denied, "tenant.suspended", message).with(json!({ "reason": reason })))
}

pub(crate) fn hashed(token: &str) -> String {
    hex::encode(Sha256::digest(token))
}
