//! Signing in at another server that a laboratory trusts with that (OpenID Connect): its people are known there by an issuer and a
//! subject, and here by what those two are linked to.
//!
//! Nobody is linked by a name or an address that another server says: only a person who is signed in here links their own. Whom
//! nobody knows is refused, or becomes somebody new where the laboratory wants that.

mod http;
mod provider;

use std::{collections::BTreeMap, fmt};

use mint_context::{Result, https, identity::with_rights};
use mint_domain::{Actor, Kind as RefusalKind, Refusal, RequestId, TenantId, UserId};
use mint_store::{
    Tx,
    external_identities::{self, Subject},
    tenants, users,
};
use openidconnect::{Nonce, PkceCodeVerifier};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;
use subtle::ConstantTimeEq as _;
use time::OffsetDateTime;
use url::Url;

use self::{
    http::Asker,
    provider::{Failure, Person, Provider},
};
use super::{
    passkeys::{expect_own_session, expect_way_in},
    policy::Origin,
    profile::{NewUser, check},
    rules::{Noted, note, session_needed},
    sessions::whose as whose_credentials,
    users::{entity, insert, no_user, target},
};
use crate::{
    Caller, Platform,
    ceremony::{self, Kind},
    frontends::Whose,
    sign_in::{Entrance, Signed, expect_in_use},
};

pub use self::provider::ProviderOptions;
pub use openidconnect::IssuerUrl;

/// Other servers that know one person.
const IDENTITIES_MAX: usize = 20;
/// Names that are tried for somebody new.
const NAMES_MAX: u32 = 20;
/// Longest code that another server gives.
const CODE_BYTES_MAX: usize = 4_096;

/// Other servers at which people may sign in, by name.
#[derive(Debug, Default)]
pub struct Providers(BTreeMap<String, Provider>);

/// One of them, for whoever is to choose.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Choice {
    /// Names it in addresses.
    pub id: String,
    /// What people call it.
    pub name: String,
}

/// In which ways one may sign in.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Methods {
    /// With a name and a password.
    pub password: bool,
    /// With a passkey.
    pub passkey: bool,
    /// At other servers.
    pub providers: Vec<Choice>,
}

/// By whom else a person is known.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct ExternalIdentity {
    /// Identifier.
    pub id: i64,
    /// The server, by its configured name.
    pub provider: String,
    /// The server, as it names itself.
    pub issuer: String,
    /// What it calls the person.
    pub subject: String,
    /// When it was linked.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When the person last signed in by it.
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_used_at: Option<OffsetDateTime>,
}

impl From<external_identities::ExternalIdentity> for ExternalIdentity {
    fn from(row: external_identities::ExternalIdentity) -> Self {
        Self {
            id: row.id,
            provider: row.provider,
            issuer: row.issuer,
            subject: row.subject,
            created_at: row.created_at,
            last_used_at: row.last_used_at,
        }
    }
}

/// By whom else a person is known, and could be.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct ExternalIdentities {
    /// Those that are linked, the oldest first.
    pub linked: Vec<ExternalIdentity>,
    /// Servers at which people of the laboratory may sign in.
    pub providers: Vec<Choice>,
}

/// Where a browser is to go.
#[derive(Debug)]
pub struct Departure {
    /// The other server.
    pub url: Url,
    /// What the browser keeps, and shows when it is back: else others could send it back as themselves.
    pub state: SecretString,
}

/// What a browser came back with.
#[derive(Debug)]
pub struct Arrival {
    /// What the browser has kept.
    pub kept: Option<SecretString>,
    /// What the other server gave it back.
    pub state: SecretString,
    /// What proves to the other server who asks for whom.
    pub code: SecretString,
    /// The other server, where it says so (RFC 9207).
    pub issuer: Option<String>,
}

/// What is to be known when somebody comes back.
#[derive(Serialize, Deserialize)]
struct Journey {
    provider: String,
    nonce: Nonce,
    verifier: PkceCodeVerifier,
}

impl Providers {
    /// Those that are configured. None is asked before somebody signs in there.
    ///
    /// # Errors
    /// There are no certificates to begin with.
    pub fn new(configured: Vec<ProviderOptions>) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let with = |options: ProviderOptions| {
            let asker = Asker::new(https::connector()?, is_here(options.issuer.url()));
            Ok((options.id.to_string(), Provider::new(options, asker)))
        };
        configured.into_iter().map(with).collect::<Result<_, _>>().map(Self)
    }

    fn choices(&self, tenant: &str) -> Vec<Choice> {
        let own = self.0.values().map(|provider| &provider.options).filter(|options| options.tenant.as_str() == tenant);
        own.map(|options| Choice { id: options.id.to_string(), name: options.name.clone() }).collect()
    }

    /// The one of a name, where people of its laboratory may sign in at this host.
    fn find(&self, id: &str, whose: &Whose) -> Result<&Provider, Refusal> {
        let found = self.0.get(id).filter(|provider| whose.admits(&provider.options.tenant));
        found.ok_or_else(|| Refusal::not_found("sign-in server", id))
    }
}

/// Whether a server is on this machine, where nobody listens between.
pub fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

impl Platform {
    /// In which ways the people of a laboratory may sign in, which need not be named at its own host. One that there is not has
    /// those of one without servers of its own.
    pub fn sign_in_methods(&self, whose: &Whose, tenant: Option<&str>) -> Methods {
        Methods {
            password: true,
            passkey: self.public_address().relying_party(whose).is_ok(),
            providers: self.providers().choices(whose.meant(tenant)),
        }
    }

    /// Sends a browser to another server, to sign in here by it.
    ///
    /// # Errors
    /// `NOT_FOUND`, `rate_limit.exceeded`, `auth.provider_unreachable`, `server.no_address`.
    pub async fn depart(&self, whose: &Whose, provider: &str, origin: &Origin) -> Result<Departure> {
        let provider = self.providers().find(provider, whose)?;
        self.attempts().admit_address(origin.address)?;
        self.send(provider, Kind::SignIn, None).await
    }

    /// The same, to link what the other server knows of the caller.
    ///
    /// # Errors
    /// `auth.session_required`, and those of [`Platform::depart`].
    pub async fn depart_to_link(&self, caller: &Caller, provider: &str, origin: &Origin) -> Result<Departure> {
        let user = caller.actor.user().filter(|_| caller.session.is_some()).ok_or_else(session_needed)?;
        let provider = self.providers().find(provider, &Whose::Laboratory(caller.tenant_slug.clone()))?;
        self.attempts().admit_address(origin.address)?;
        self.send(provider, Kind::Link, Some((caller.tenant, user.id))).await
    }

    /// Begins a session of whoever comes back.
    ///
    /// # Errors
    /// `NOT_FOUND`, `rate_limit.exceeded`; `auth.ceremony_ended`; `auth.external` when nothing is proved; `auth.not_linked` for whom
    /// nobody knows here; `tenant.suspended`.
    pub async fn arrive(
        &self,
        whose: &Whose,
        provider: &str,
        arrival: Arrival,
        origin: &Origin,
        request_id: &RequestId,
    ) -> Result<Signed> {
        let provider = self.providers().find(provider, whose)?;
        self.attempts().admit_address(origin.address)?;
        let person = self.receive(provider, Kind::SignIn, None, arrival).await?;
        let now = self.services().clock.now();
        let mut tx = self.services().db.begin().await?;
        let none = || Refusal::not_found("sign-in server", &provider.options.id);
        let tenant = tenants::find(&mut tx, provider.options.tenant.as_str()).await?.ok_or_else(none)?;
        expect_in_use(tenant.suspended.as_deref())?;
        let subject = provider.subject(&person);
        let user = match external_identities::sign_in(&mut tx, tenant.id, subject, now).await? {
            Some(user) => user,
            None => newcomer(&mut tx, tenant.id, provider, &person, request_id, now).await?,
        };
        let row = users::get(&mut tx, tenant.id, user).await?.filter(|row| row.is_active);
        let row = row.ok_or_else(|| not_linked(provider))?;
        let user = with_rights(&mut tx, tenant.id, row.id, row.username, row.role).await?;
        let entrance = format!("external:{}", provider.options.id);
        let signed = self.open_session(&mut tx, tenant.id, user, Entrance::by(&entrance), origin, request_id).await?;
        tx.commit().await?;
        Ok(signed)
    }

    /// Links whom the other server knows to the caller.
    ///
    /// # Errors
    /// `auth.session_required`, `auth.ceremony_ended`, `auth.external`, `QUOTA_EXCEEDED`; `CONFLICT` when they are somebody's.
    pub async fn arrive_to_link(&self, caller: &Caller, provider: &str, arrival: Arrival) -> Result<ExternalIdentity> {
        let user = caller.actor.user().filter(|_| caller.session.is_some()).ok_or_else(session_needed)?;
        let provider = self.providers().find(provider, &Whose::Laboratory(caller.tenant_slug.clone()))?;
        let person = self.receive(provider, Kind::Link, Some((caller.tenant, user.id)), arrival).await?;
        let now = self.services().clock.now();
        let mut tx = self.services().db.begin().await?;
        users::lock(&mut tx, caller.tenant).await?;
        if external_identities::list(&mut tx, caller.tenant, user.id).await?.len() >= IDENTITIES_MAX {
            let message = format!("You are linked to {IDENTITIES_MAX} others. Remove one that you do not need.");
            return Err(Refusal::quota("external_identities_max", message).into());
        }
        let row = external_identities::insert(&mut tx, caller.tenant, user.id, provider.subject(&person), now).await?;
        note(&mut tx, caller, noted("identity.link", user.id, &row), now).await?;
        tx.commit().await?;
        Ok(row.into())
    }

    /// By whom else a person is known; the caller, where nobody is named.
    ///
    /// # Errors
    /// `NOT_FOUND`, `PERMISSION_DENIED`.
    pub async fn external_identities(&self, caller: &Caller, of: Option<UserId>) -> Result<ExternalIdentities> {
        let user = whose_credentials(caller, of)?;
        let mut tx = self.services().db.read().await?;
        users::get(&mut tx, caller.tenant, user).await?.ok_or_else(|| no_user(user))?;
        let linked = external_identities::list(&mut tx, caller.tenant, user).await?.into_iter().map(Into::into).collect();
        Ok(ExternalIdentities { linked, providers: self.providers().choices(caller.tenant_slug.as_str()) })
    }

    /// Forgets by whom a person is known, the caller or, for who manages people, another.
    ///
    /// # Errors
    /// `NOT_FOUND`, `PERMISSION_DENIED`, `auth.session_required`, `auth.last_way_in`.
    pub async fn unlink_external_identity(&self, caller: &Caller, of: Option<UserId>, id: i64) -> Result<()> {
        let user = whose_credentials(caller, of)?;
        expect_own_session(caller, user)?;
        let now = self.services().clock.now();
        let mut tx = self.services().db.begin().await?;
        users::lock(&mut tx, caller.tenant).await?;
        target(&mut tx, caller, user).await?;
        let removed = external_identities::delete(&mut tx, caller.tenant, user, id).await?;
        let removed = removed.ok_or_else(|| Refusal::not_found("external identity", id))?;
        expect_way_in(&mut tx, caller, user).await?;
        note(&mut tx, caller, noted("identity.unlink", user, &removed), now).await?;
        Ok(tx.commit().await?)
    }

    async fn send(&self, provider: &Provider, kind: Kind, user: Option<(TenantId, UserId)>) -> Result<Departure> {
        let (redirect, state) = (self.way_back(provider)?, ceremony::fresh());
        let sent = provider.send(redirect, &state).await.map_err(|failure| provider.refused(&failure))?;
        let journey = Journey { provider: provider.options.id.to_string(), nonce: sent.nonce, verifier: sent.verifier };
        self.begin_ceremony(kind, &state, user, &journey).await?;
        Ok(Departure { url: sent.url, state })
    }

    async fn receive(
        &self,
        provider: &Provider,
        kind: Kind,
        user: Option<(TenantId, UserId)>,
        arrival: Arrival,
    ) -> Result<Person> {
        let kept = arrival.kept.as_ref().map(|kept| kept.expose_secret().as_bytes()).unwrap_or_default();
        if !bool::from(kept.ct_eq(arrival.state.expose_secret().as_bytes())) {
            let message = "This browser did not begin this. Begin again, in this browser.";
            return Err(Refusal::new(RefusalKind::Denied, "auth.another_browser", message).into());
        }
        let journey: Journey = self.end_ceremony(kind, user, &arrival.state).await?;
        let is_other_issuer = arrival.issuer.is_some_and(|issuer| issuer != provider.options.issuer.as_str());
        let code = arrival.code.expose_secret();
        if journey.provider != provider.options.id.as_str() || is_other_issuer || code.len() > CODE_BYTES_MAX {
            return Err(provider.refused(&Failure::Unproven("the answer is another server's".to_owned())).into());
        }
        let redirect = self.way_back(provider)?;
        let received = provider.receive(redirect, code.to_owned(), &journey.nonce, journey.verifier).await;
        Ok(received.map_err(|failure| provider.refused(&failure))?)
    }

    /// The address that is registered with a server.
    fn way_back(&self, provider: &Provider) -> Result<Url, Refusal> {
        let mut url = self.public_address().of(&provider.options.tenant)?;
        url.set_path(&format!("/auth/external/{}", provider.options.id));
        Ok(url)
    }
}

impl Provider {
    fn subject<'a>(&'a self, person: &'a Person) -> Subject<'a> {
        Subject { provider: self.options.id.as_str(), issuer: self.options.issuer.as_str(), subject: &person.subject }
    }

    /// What a person reads; the operator has the rest in the log.
    fn refused(&self, failure: &Failure) -> Refusal {
        tracing::warn!(provider = %self.options.id, error = %failure, "a sign-in at another server failed");
        let name = &self.options.name;
        match failure {
            Failure::Unreachable(_) => {
                let message = format!("{name} does not answer as it should. Try again later, or sign in another way.");
                Refusal::new(RefusalKind::Unavailable, "auth.provider_unreachable", message).retry_after(30)
            }
            Failure::Unproven(_) => {
                let message = format!("What {name} answered does not prove who you are. Try again, or sign in another way.");
                Refusal::new(RefusalKind::Unauthenticated, "auth.external", message)
            }
        }
    }
}

impl fmt::Debug for Journey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journey").field("provider", &self.provider).finish_non_exhaustive()
    }
}

/// Makes somebody of whom nobody knows here, where the laboratory wants that.
async fn newcomer(
    tx: &mut Tx,
    tenant: TenantId,
    provider: &Provider,
    person: &Person,
    request_id: &RequestId,
    now: OffsetDateTime,
) -> Result<UserId> {
    let role = provider.options.newcomers.clone().ok_or_else(|| not_linked(provider))?;
    let caller = Caller {
        actor: Actor::System,
        tenant,
        tenant_slug: provider.options.tenant.clone(),
        request_id: request_id.clone(),
        session: None,
        is_platform_admin: false,
    };
    users::lock(tx, tenant).await?;
    let username = free_name(tx, tenant, person).await?;
    let told = NewUser {
        email: person.email.clone(),
        first_name: person.first_name.clone(),
        last_name: person.last_name.clone(),
        ..NewUser::named(username.clone(), role.clone())
    };
    // Nobody stays outside for a name that is too long.
    let new = if check(&told.fields()).is_ok() { told } else { NewUser::named(username, role) };
    let made = insert(tx, &caller, &new, None, now).await?;
    let row = external_identities::insert(tx, tenant, made.id, provider.subject(person), now).await?;
    note(tx, &caller, noted("identity.link", made.id, &row), now).await?;
    Ok(made.id)
}

fn noted(action: &'static str, user: UserId, row: &external_identities::ExternalIdentity) -> Noted<'static> {
    let details = json!({ "provider": row.provider, "issuer": row.issuer, "subject": row.subject });
    Noted { action, entity: entity(user), details }
}

fn not_linked(provider: &Provider) -> Refusal {
    let message = format!(
        "{} knows you, but nobody here is linked to you. Sign in another way and link it at /auth/account, or ask an administrator of \
         the laboratory for an account.",
        provider.options.name
    );
    Refusal::new(RefusalKind::Denied, "auth.not_linked", message)
}

/// A name that nobody has yet, as close as can be to what the other server calls the person.
async fn free_name(tx: &mut Tx, tenant: TenantId, person: &Person) -> Result<String> {
    let said = person.username.as_ref().or(person.email.as_ref()).unwrap_or(&person.subject);
    let name = plain_name(said);
    for number in 1..=NAMES_MAX {
        let tried = if number == 1 { name.clone() } else { format!("{name}-{number}") };
        if users::find(tx, tenant, &tried).await?.is_none() {
            return Ok(tried);
        }
    }
    let message = format!("There are too many people here who are called `{name}`. Ask an administrator of the laboratory.");
    Err(Refusal::conflict("user", &name, message).into())
}

/// What may be a name to sign in with.
fn plain_name(said: &str) -> String {
    // With a number behind it, it is one still.
    const BYTES_MAX: usize = 96;
    let mut plain = String::new();
    for c in said.chars().filter(|c| !c.is_control() && !c.is_whitespace()) {
        if plain.len() + c.len_utf8() > BYTES_MAX {
            break;
        }
        plain.push(c);
    }
    if plain.is_empty() { "person".to_owned() } else { plain }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_server_calls_somebody_is_a_name_here() {
        let long = "\u{1d7d8}".repeat(1_000);
        for (said, expected) in [("ada", "ada"), ("Ada Lovelace", "AdaLovelace"), ("\u{0}\n ", "person"), ("", "person")] {
            assert_eq!(plain_name(said), expected, "{said:?}");
        }
        assert!(check(&NewUser::named(format!("{}-{NAMES_MAX}", plain_name(&long)), "viewer").fields()).is_ok());
    }

    #[test]
    fn who_is_on_this_machine() {
        for (url, expected) in [
            ("http://localhost:8080", true),
            ("http://127.0.0.1", true),
            ("http://[::1]:1/", true),
            ("http://localhost.example.org", false),
            ("http://192.0.2.1", false),
        ] {
            assert_eq!(is_here(&url.parse().unwrap()), expected, "{url}");
        }
    }
}
