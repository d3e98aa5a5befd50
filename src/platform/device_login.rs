//! Signing in a program that has no browser of its own (RFC 8628): it shows a code, and a person who is signed in elsewhere lets it
//! in.
//!
//! A code is for one laboratory, for minutes, and good once. Whoever types wrong ones is locked out of typing more.

use mint_context::{Result, identity::with_rights};
use mint_domain::{Actor, Kind, Refusal, RequestId, TenantId, UserId};
use mint_store::{
    audit,
    device_codes::{self, NewDeviceCode, Polled, Waiting},
    tenants, users,
};
use rand::{Rng as _, seq::IndexedRandom as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use serde_json::json;
use time::{Duration, OffsetDateTime};

use crate::{
    Caller, Platform,
    attempts::Account,
    frontends::Whose,
    people::{Origin, session_needed},
    sign_in::{Entrance, Signed, expect_in_use, hashed},
};

/// How long a program waits at the longest.
const DURATION: Duration = Duration::minutes(10);
/// Seconds between two questions of a program.
const INTERVAL_SECONDS: i64 = 5;
/// Programs that may wait at once.
const WAITING_MAX: i64 = 10_000;
/// What people type: no vowels, so that no words come out, and nothing that looks like something else.
const LETTERS: &[u8] = b"BCDFGHJKLMNPQRSTVWXZ";
/// Letters of a code that people type.
const LETTERS_COUNT: usize = 8;

/// What a program is told that wants to be let in.
#[derive(Debug)]
pub struct Begun {
    /// What it asks with.
    pub device_code: SecretString,
    /// What a person types.
    pub user_code: SecretString,
    /// Seconds until both end.
    pub expires_in: i64,
    /// Seconds between two questions.
    pub interval: i64,
}

/// What a program is told that asks whether it was let in.
#[derive(Debug)]
pub enum Answer {
    /// It was.
    Signed(Box<Signed>),
    /// Nobody has decided yet.
    Pending,
    /// Nobody has decided yet, and it asks too often.
    SlowDown,
    /// Somebody said no.
    Denied,
    /// The code has ended, was used, or never was one.
    Expired,
}

/// A program that waits.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct WaitingDevice {
    /// Whether it wants to change nothing.
    pub read_only: bool,
    /// The program, as it names itself.
    pub user_agent: Option<String>,
    /// From where it asks.
    pub address: Option<String>,
    /// Since when it waits.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// How long it waits at the longest.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
}

impl From<Waiting> for WaitingDevice {
    fn from(row: Waiting) -> Self {
        Self {
            read_only: row.is_read_only,
            user_agent: row.user_agent,
            address: row.address,
            created_at: row.created_at,
            expires_at: row.expires_at,
        }
    }
}

impl Platform {
    /// Has a program wait for somebody of a laboratory, which need not be named at its own host. Whether there is such a laboratory
    /// is not told.
    ///
    /// # Errors
    /// `rate_limit.exceeded`.
    pub async fn begin_device_login(
        &self,
        (whose, tenant): (&Whose, Option<&str>),
        read_only: bool,
        origin: &Origin,
    ) -> Result<Begun> {
        let tenant = whose.meant(tenant);
        self.attempts().admit_address(origin.address)?;
        let services = self.services();
        let (device_code, user_code) = (hex::encode(rand::rng().random::<[u8; 32]>()), fresh_user_code());
        let now = services.clock.now();
        let address = origin.address.map(|address| address.to_string());
        let mut tx = services.db.begin().await?;
        if device_codes::count(&mut tx, now).await? >= WAITING_MAX {
            let message = "Too many programs wait to be let in. Try again in some minutes, or sign in with a password.";
            return Err(Refusal::new(Kind::QuotaExceeded, "rate_limit.exceeded", message).retry_after(60).into());
        }
        let new = NewDeviceCode {
            device_sha256: &hashed(&device_code),
            user_sha256: &hashed(&user_code),
            tenant: tenants::find(&mut tx, tenant).await?.map(|tenant| tenant.id),
            is_read_only: read_only,
            user_agent: origin.user_agent.as_deref(),
            address: address.as_deref(),
            expires_at: now + DURATION,
            interval_seconds: INTERVAL_SECONDS,
        };
        device_codes::insert(&mut tx, new, now).await?;
        tx.commit().await?;
        let shown = user_code.split_at_checked(LETTERS_COUNT / 2).map_or_else(String::new, |(a, b)| format!("{a}-{b}"));
        Ok(Begun {
            device_code: device_code.into(),
            user_code: shown.into(),
            expires_in: DURATION.whole_seconds(),
            interval: INTERVAL_SECONDS,
        })
    }

    /// Which program waits under the code that the caller types.
    ///
    /// # Errors
    /// `NOT_FOUND`; `auth.session_required`; `rate_limit.exceeded`, `auth.locked`.
    pub async fn waiting_device(&self, caller: &Caller, user_code: &str, origin: &Origin) -> Result<WaitingDevice> {
        let (_, account) = self.admit_typing(caller, origin)?;
        let mut tx = self.services().db.read().await?;
        let now = self.services().clock.now();
        let found = device_codes::waiting(&mut tx, caller.tenant, &hashed(&typed(user_code)), now).await?;
        Ok(found.ok_or_else(|| self.mistyped(account))?.into())
    }

    /// Lets the program that waits under a code in as the caller, or refuses it.
    ///
    /// # Errors
    /// As [`waiting_device`](Self::waiting_device).
    pub async fn decide_device(&self, caller: &Caller, user_code: &str, allow: bool, origin: &Origin) -> Result<()> {
        let (user, account) = self.admit_typing(caller, origin)?;
        let now = self.services().clock.now();
        let mut tx = self.services().db.begin().await?;
        let code = hashed(&typed(user_code));
        let decided = device_codes::decide(&mut tx, caller.tenant, &code, allow.then_some(user), now).await?;
        let decided = decided.ok_or_else(|| self.mistyped(account))?;
        self.attempts().succeeded(account);
        let entry = audit::Entry {
            actor: &caller.actor.label(),
            action: if allow { "device.allow" } else { "device.deny" },
            entity: &format!("user:{user}"),
            request_id: caller.request_id.as_str(),
            details: &json!({
                "address": decided.address, "user_agent": decided.user_agent, "read_only": decided.is_read_only,
            }),
        };
        audit::record(&mut tx, caller.tenant, &entry, now).await?;
        Ok(tx.commit().await?)
    }

    /// Tells a program whether it was let in; the session that it then has is told once.
    ///
    /// # Errors
    /// `rate_limit.exceeded` for whoever tries codes; `tenant.suspended`; the database's.
    pub async fn poll_device(&self, device_code: &SecretString, origin: &Origin, request_id: &RequestId) -> Result<Answer> {
        let code = hashed(device_code.expose_secret());
        let now = self.services().clock.now();
        let mut tx = self.services().db.begin().await?;
        let Some(row) = device_codes::poll(&mut tx, &code).await? else {
            self.attempts().admit_address(origin.address)?;
            return Ok(Answer::Expired);
        };
        let answer = match &row {
            Polled { expires_at, .. } if *expires_at <= now => Answer::Expired,
            Polled { is_denied: true, .. } => Answer::Denied,
            Polled { user_id: Some(user), tenant_id: Some(tenant), is_read_only, .. } => {
                let (tenant, user) = (TenantId(*tenant), UserId(*user));
                let home = tenants::get(&mut tx, tenant).await?;
                expect_in_use(home.and_then(|home| home.suspended).as_deref())?;
                match users::get(&mut tx, tenant, user).await?.filter(|user| user.is_active) {
                    Some(row) => {
                        let user = with_rights(&mut tx, tenant, row.id, row.username, row.role).await?;
                        let entrance = Entrance::by("device").reading(*is_read_only);
                        let signed = self.open_session(&mut tx, tenant, user, entrance, origin, request_id).await?;
                        Answer::Signed(Box::new(signed))
                    }
                    None => Answer::Denied,
                }
            }
            Polled { polled_at: Some(last), interval_seconds, .. } if now - *last < Duration::seconds(*interval_seconds) => {
                device_codes::note(&mut tx, &code, interval_seconds + INTERVAL_SECONDS, now).await?;
                Answer::SlowDown
            }
            Polled { interval_seconds, .. } => {
                device_codes::note(&mut tx, &code, *interval_seconds, now).await?;
                Answer::Pending
            }
        };
        if matches!(answer, Answer::Signed(_) | Answer::Denied | Answer::Expired) {
            device_codes::delete(&mut tx, &code).await?;
        }
        tx.commit().await?;
        Ok(answer)
    }

    /// Only who signed in lets programs in: what a token may, is not a session's to have.
    fn admit_typing(&self, caller: &Caller, origin: &Origin) -> Result<(UserId, Account), Refusal> {
        let Actor::User(user) = &caller.actor else { return Err(session_needed()) };
        if caller.session.is_none() {
            return Err(session_needed());
        }
        let account = Account::new(caller.tenant_slug.as_str(), &format!("device:{}", user.id), origin.address);
        self.attempts().admit(origin.address, account)?;
        Ok((user.id, account))
    }

    fn mistyped(&self, account: Account) -> Refusal {
        self.attempts().failed(account);
        let message = "No program waits under this code. Type it as the program shows it; it is good for ten minutes, once.";
        Refusal::new(Kind::NotFound, "NOT_FOUND", message)
    }
}

fn fresh_user_code() -> String {
    let mut rng = rand::rng();
    (0..LETTERS_COUNT).filter_map(|_| LETTERS.choose(&mut rng)).map(|letter| char::from(*letter)).collect()
}

/// A code without what people put between its letters.
fn typed(user_code: &str) -> String {
    let letters = user_code.chars().take(4 * LETTERS_COUNT).filter(char::is_ascii_alphanumeric);
    letters.map(|letter| letter.to_ascii_uppercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_however_it_is_typed() {
        let code = fresh_user_code();
        assert_eq!((code.len(), code.bytes().all(|b| LETTERS.contains(&b))), (8, true), "{code}");
        for text in ["BCDF-GHJK", "bcdfghjk", " bcdf ghjk ", "b-c-d-f-g-h-j-k"] {
            assert_eq!(typed(text), "BCDFGHJK", "{text}");
        }
    }
}
