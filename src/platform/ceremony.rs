//! What is begun with a browser and ended by it: of both halves each is a request of its own, to whichever server. It is good once,
//! and for minutes.

use mint_context::Result;
use mint_domain::{Kind as RefusalKind, Refusal, TenantId, UserId};
use mint_store::ceremonies::{self, NewCeremony};
use rand::Rng as _;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Serialize, de::DeserializeOwned};
use time::Duration;

use crate::{Platform, sign_in::hashed};

/// Those that may be under way at once. One more ends the oldest, so that nobody keeps others from signing in by beginning many.
const CEREMONIES_MAX: i64 = 10_000;
/// How long one may take: whoever is elsewhere may have to look for a second factor first.
const DURATION: Duration = Duration::minutes(10);

/// What is begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A person adds a passkey.
    AddPasskey,
    /// Somebody shows a passkey.
    ShowPasskey,
    /// Somebody signs in at another server.
    SignIn,
    /// A person shows who they are at another server.
    Link,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::AddPasskey => "passkey.add",
            Self::ShowPasskey => "passkey.show",
            Self::SignIn => "external.sign_in",
            Self::Link => "external.link",
        }
    }
}

/// A word by which one is ended.
pub(crate) fn fresh() -> SecretString {
    hex::encode(rand::rng().random::<[u8; 32]>()).into()
}

impl Platform {
    /// Begins one that is ended by a fresh word.
    pub(crate) async fn begin_ceremony(
        &self,
        kind: Kind,
        word: &SecretString,
        user: Option<(TenantId, UserId)>,
        state: &impl Serialize,
    ) -> Result<()> {
        let state = serde_json::to_string(state).map_err(std::io::Error::from)?;
        let now = self.services().clock.now();
        let mut tx = self.services().db.begin().await?;
        let new = NewCeremony {
            token_sha256: &hashed(word.expose_secret()),
            kind: kind.as_str(),
            user,
            state: &state,
            expires_at: now + DURATION,
        };
        ceremonies::insert(&mut tx, new, CEREMONIES_MAX, now).await?;
        Ok(tx.commit().await?)
    }

    /// Ends one of this person's, or of nobody's: whatever comes of it, it is used up.
    ///
    /// # Errors
    /// `auth.ceremony_ended` for one that has ended, or never was.
    pub(crate) async fn end_ceremony<T: DeserializeOwned>(
        &self,
        kind: Kind,
        user: Option<(TenantId, UserId)>,
        word: &SecretString,
    ) -> Result<T> {
        let mut tx = self.services().db.begin().await?;
        let taken = ceremonies::take(&mut tx, &hashed(word.expose_secret()), kind.as_str()).await?;
        tx.commit().await?;
        let now = self.services().clock.now();
        let of = user.map(|(tenant, user)| (tenant.0, user.0));
        let fits = taken.filter(|taken| taken.expires_at > now && taken.tenant_id.zip(taken.user_id) == of);
        let state = fits.and_then(|taken| serde_json::from_str(&taken.state).ok());
        let ended = "This has taken too long, or was done already. Begin again.";
        Ok(state.ok_or_else(|| Refusal::new(RefusalKind::Unauthenticated, "auth.ceremony_ended", ended))?)
    }
}
