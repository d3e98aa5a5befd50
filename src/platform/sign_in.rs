//! Signing in and out, and whom a credential stands for.

use std::sync::Arc;

use mint_context::{Result, identity::with_rights};
use mint_domain::{Actor, Kind, Refusal, RequestId, Slug, TenantId, User};
use mint_store::{sessions, tenants, users};
use rand::Rng as _;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use time::{Duration, OffsetDateTime};

use crate::{Caller, Platform, passwords};

/// How long a session lasts.
const SESSION_DURATION: Duration = Duration::hours(24);

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

/// Whom a live token stands for.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Tenant.
    pub tenant: TenantId,
    /// Slug of the tenant.
    pub tenant_slug: Slug,
    /// Person.
    pub user: Arc<User>,
    /// Hash of the session's token.
    pub session: Arc<str>,
}

impl Platform {
    /// Begins a session.
    ///
    /// # Errors
    /// `auth.unauthorized`, the same for an unknown user and a wrong password.
    pub async fn sign_in(&self, tenant: &str, username: &str, password: &SecretString) -> Result<Signed> {
        let wrong = || Refusal::new(Kind::Unauthenticated, "auth.unauthorized", "The user name or the password is wrong.");
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
        let (Some(tenant), Some(id), true) = (tenant, id, fits) else { return Err(wrong().into()) };

        let token = format!("mint_{}", hex::encode(rand::rng().random::<[u8; 32]>()));
        let now = services.clock.now();
        let expires_at = now + SESSION_DURATION;
        let mut tx = services.db.begin().await?;
        let row = users::get(&mut tx, tenant.id, id).await?.ok_or_else(wrong)?;
        sessions::delete_expired(&mut tx, now).await?;
        sessions::insert(&mut tx, &hashed(&token), tenant.id, id, now, expires_at).await?;
        let user = with_rights(&mut tx, tenant.id, row.id, row.username, row.role).await?;
        tx.commit().await?;
        Ok(Signed { token: token.into(), expires_at, user })
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

    /// Whom a token stands for; none when it is unknown, has ended, or its user may no longer sign in.
    ///
    /// # Errors
    /// The database's.
    pub async fn identify(&self, token: &str) -> Result<Option<Identity>> {
        self.identify_hashed(hashed(token)).await
    }

    /// The same for who knows only the hash of the token.
    pub(crate) async fn identify_hashed(&self, hash: String) -> Result<Option<Identity>> {
        if let Some(identity) = self.identities().get(&hash) {
            return Ok(Some(identity));
        }
        // Boxed, as all that few requests need: the future of every request has room for it otherwise.
        Box::pin(self.look_up(hash)).await
    }

    async fn look_up(&self, hash: String) -> Result<Option<Identity>> {
        let mut tx = self.services().db.read().await?;
        let session = sessions::find(&mut tx, &hash, self.services().clock.now()).await?;
        let Some(session) = session else { return Ok(None) };
        let user = with_rights(&mut tx, session.tenant_id, session.user_id, session.username, session.role).await?;
        let identity = Identity {
            tenant: session.tenant_id,
            tenant_slug: session.tenant_slug,
            user: Arc::new(user),
            session: hash.as_str().into(),
        };
        self.identities().insert(hash, identity.clone());
        Ok(Some(identity))
    }
}

impl Identity {
    /// This person as the caller of a use case.
    pub fn caller(self, request_id: RequestId) -> Caller {
        Caller {
            actor: Actor::User(self.user),
            tenant: self.tenant,
            tenant_slug: self.tenant_slug,
            request_id,
            session: Some(self.session),
        }
    }
}

pub(crate) fn hashed(token: &str) -> String {
    hex::encode(Sha256::digest(token))
}
