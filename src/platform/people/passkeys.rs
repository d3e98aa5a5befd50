//! Passkeys: keys that a person's device keeps, and shows to this server's own pages only. Whoever shows one has been recognised by
//! the device as well, so that it stands for a password and a second factor.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use mint_context::{Result, identity::with_rights};
use mint_domain::{Kind as RefusalKind, Refusal, RequestId, UserId};
use mint_store::{Tx, passkeys, users};
use secrecy::SecretString;
use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;
use webauthn_rs::{
    Webauthn, WebauthnBuilder,
    prelude::{
        DiscoverableAuthentication, DiscoverableKey, Passkey as Credential, PasskeyRegistration, PublicKeyCredential,
        RegisterPublicKeyCredential, WebauthnError,
    },
};

use super::{
    policy::Origin,
    rules::{Noted, expect_line, note, session_needed},
    sessions::whose,
    users::{entity, no_user, target},
};
use crate::{
    Caller, Platform,
    ceremony::{self, Kind},
    frontends::Whose,
    sign_in::{Entrance, Signed, expect_in_use},
};

/// What browsers show people of this server.
const RELYING_PARTY: &str = "MINT";
/// Longest name, in characters.
const NAME_CHARACTERS_MAX: usize = 100;
/// Passkeys of one person.
const PASSKEYS_MAX: i64 = 20;

/// A passkey, without its key.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Passkey {
    /// Identifier.
    pub id: i64,
    /// What its person calls it.
    pub name: String,
    /// When it was added.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When somebody last signed in with it.
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_used_at: Option<OffsetDateTime>,
}

impl From<passkeys::Passkey> for Passkey {
    fn from(row: passkeys::Passkey) -> Self {
        Self { id: row.id, name: row.name, created_at: row.created_at, last_used_at: row.last_used_at }
    }
}

/// What a browser is to ask an authenticator.
#[derive(Debug)]
pub struct BegunPasskey {
    /// The word by which it is ended.
    pub ceremony: SecretString,
    /// For `navigator.credentials.create` or `get`, as JSON.
    pub options: Value,
}

/// What an authenticator has answered.
#[derive(Debug)]
pub struct ShownPasskey {
    /// As it was begun.
    pub ceremony: SecretString,
    /// A `PublicKeyCredential`, as its `toJSON` gives it.
    pub credential: Value,
}

/// A passkey that is to be added.
#[derive(Debug)]
pub struct NewPasskey {
    /// What its person calls it.
    pub name: String,
    /// What the authenticator has answered.
    pub shown: ShownPasskey,
}

impl Platform {
    /// Begins to add a passkey to the caller's.
    ///
    /// # Errors
    /// `auth.session_required`, `QUOTA_EXCEEDED`, `server.no_address`.
    pub async fn begin_passkey(&self, caller: &Caller, whose: &Whose) -> Result<BegunPasskey> {
        let user = caller.actor.user().filter(|_| caller.session.is_some()).ok_or_else(session_needed)?;
        let mut tx = self.services().db.read().await?;
        let held = passkeys::held(&mut tx, caller.tenant, user.id).await?;
        drop(tx);
        expect_room(i64::try_from(held.len()).unwrap_or(i64::MAX))?;
        let handle = held.first().and_then(|held| held.user_handle.parse().ok()).unwrap_or_else(Uuid::new_v4);
        let known = held.iter().filter_map(|held| URL_SAFE_NO_PAD.decode(&held.credential_id).ok());
        let webauthn = self.webauthn(whose)?;
        let begun = webauthn.start_passkey_registration(handle, &user.username, &user.username, Some(known.collect()));
        let (options, state) = begun.map_err(|error| broken(&error))?;
        let mut options = serde_json::to_value(options.public_key).map_err(std::io::Error::from)?;
        // One that is found by the authenticator: nobody types a name, by which one could ask who exists.
        if let Some(Value::Object(selection)) = options.get_mut("authenticatorSelection") {
            selection.insert("residentKey".to_owned(), json!("required"));
            selection.insert("requireResidentKey".to_owned(), json!(true));
        }
        let state = Registration { handle, state };
        let ceremony = ceremony::fresh();
        self.begin_ceremony(Kind::AddPasskey, &ceremony, Some((caller.tenant, user.id)), &state).await?;
        Ok(BegunPasskey { ceremony, options })
    }

    /// Adds a passkey to the caller's.
    ///
    /// # Errors
    /// `auth.ceremony_ended`, `auth.passkey` for one that cannot be checked, `CONFLICT` for one that is somebody's already,
    /// `VALIDATION_ERROR`, `QUOTA_EXCEEDED`.
    pub async fn add_passkey(&self, caller: &Caller, whose: &Whose, new: NewPasskey) -> Result<Passkey> {
        let user = caller.actor.user().filter(|_| caller.session.is_some()).ok_or_else(session_needed)?;
        expect_line("name", &new.name, NAME_CHARACTERS_MAX)?;
        let of = Some((caller.tenant, user.id));
        let begun: Registration = self.end_ceremony(Kind::AddPasskey, of, &new.shown.ceremony).await?;
        let shown: RegisterPublicKeyCredential = serde_json::from_value(new.shown.credential).map_err(|_| unchecked())?;
        let webauthn = self.webauthn(whose)?;
        let credential = webauthn.finish_passkey_registration(&shown, &begun.state).map_err(|error| refused(&error))?;
        let services = self.services();
        let now = services.clock.now();
        let mut tx = services.db.begin().await?;
        users::lock(&mut tx, caller.tenant).await?;
        expect_room(passkeys::count(&mut tx, caller.tenant, user.id).await?)?;
        let row = passkeys::NewPasskey {
            name: &new.name,
            credential_id: &URL_SAFE_NO_PAD.encode(credential.cred_id()),
            user_handle: &begun.handle.to_string(),
            credential: &serde_json::to_string(&credential).map_err(std::io::Error::from)?,
        };
        let row = passkeys::insert(&mut tx, caller.tenant, user.id, row, now).await?;
        let details = json!({ "passkey": row.id, "name": row.name });
        note(&mut tx, caller, Noted { action: "passkey.add", entity: entity(user.id), details }, now).await?;
        tx.commit().await?;
        Ok(row.into())
    }

    /// A person's passkeys, the oldest first; the caller's own, where nobody is named.
    ///
    /// # Errors
    /// `NOT_FOUND`, `PERMISSION_DENIED`.
    pub async fn list_passkeys(&self, caller: &Caller, of: Option<UserId>) -> Result<Vec<Passkey>> {
        let user = whose(caller, of)?;
        let mut tx = self.services().db.read().await?;
        users::get(&mut tx, caller.tenant, user).await?.ok_or_else(|| no_user(user))?;
        Ok(passkeys::list(&mut tx, caller.tenant, user).await?.into_iter().map(Into::into).collect())
    }

    /// Removes a passkey, the caller's own or, for who manages people, another's.
    ///
    /// # Errors
    /// `NOT_FOUND`, `PERMISSION_DENIED`, `auth.session_required`, `auth.last_way_in`.
    pub async fn remove_passkey(&self, caller: &Caller, of: Option<UserId>, id: i64) -> Result<()> {
        let user = whose(caller, of)?;
        let services = self.services();
        let now = services.clock.now();
        let mut tx = services.db.begin().await?;
        expect_own_session(caller, user)?;
        users::lock(&mut tx, caller.tenant).await?;
        target(&mut tx, caller, user).await?;
        let name = passkeys::delete(&mut tx, caller.tenant, user, id).await?;
        let name = name.ok_or_else(|| Refusal::not_found("passkey", id))?;
        expect_way_in(&mut tx, caller, user).await?;
        let details = json!({ "passkey": id, "name": name });
        note(&mut tx, caller, Noted { action: "passkey.remove", entity: entity(user), details }, now).await?;
        Ok(tx.commit().await?)
    }

    /// Begins a sign-in by a passkey of whoever it is.
    ///
    /// # Errors
    /// `rate_limit.exceeded`, `server.no_address`.
    pub async fn begin_sign_in_by_passkey(&self, whose: &Whose, origin: &Origin) -> Result<BegunPasskey> {
        self.attempts().admit_address(origin.address)?;
        let (options, state) = self.webauthn(whose)?.start_discoverable_authentication().map_err(|error| broken(&error))?;
        let ceremony = ceremony::fresh();
        self.begin_ceremony(Kind::ShowPasskey, &ceremony, None, &state).await?;
        Ok(BegunPasskey { ceremony, options: serde_json::to_value(options.public_key).map_err(std::io::Error::from)? })
    }

    /// Begins a session of whoever shows their passkey.
    ///
    /// # Errors
    /// `rate_limit.exceeded`; `auth.ceremony_ended`; `auth.passkey` for one that is unknown, or cannot be checked; `tenant.suspended`.
    pub async fn sign_in_by_passkey(
        &self,
        whose: &Whose,
        shown: ShownPasskey,
        origin: &Origin,
        request_id: &RequestId,
    ) -> Result<Signed> {
        self.attempts().admit_address(origin.address)?;
        let state: DiscoverableAuthentication = self.end_ceremony(Kind::ShowPasskey, None, &shown.ceremony).await?;
        let credential: PublicKeyCredential = serde_json::from_value(shown.credential).map_err(|_| unchecked())?;
        let webauthn = self.webauthn(whose)?;
        let (handle, id) = webauthn.identify_discoverable_authentication(&credential).map_err(|error| refused(&error))?;
        let now = self.services().clock.now();
        let mut tx = self.services().db.begin().await?;
        let found = passkeys::find(&mut tx, &URL_SAFE_NO_PAD.encode(id), now).await?;
        let found = found.filter(|found| whose.admits(&found.tenant_slug) && found.user_handle == handle.to_string());
        let found = found.ok_or_else(unchecked)?;
        let mut known: Credential = serde_json::from_str(&found.credential).map_err(std::io::Error::from)?;
        let checked = webauthn.finish_discoverable_authentication_v2(&credential, state, DiscoverableKey::from(&known));
        let checked = checked.map_err(|error| refused(&error))?;
        expect_in_use(found.suspended.as_deref())?;
        if known.update_credential(&checked) == Some(true) {
            let known = serde_json::to_string(&known).map_err(std::io::Error::from)?;
            passkeys::update(&mut tx, found.tenant_id, found.id, &known).await?;
        }
        let row = users::get(&mut tx, found.tenant_id, found.user_id).await?.ok_or_else(unchecked)?;
        let user = with_rights(&mut tx, found.tenant_id, row.id, row.username, row.role).await?;
        let signed = self.open_session(&mut tx, found.tenant_id, user, Entrance::by("passkey"), origin, request_id).await?;
        tx.commit().await?;
        Ok(signed)
    }

    fn webauthn(&self, whose: &Whose) -> Result<Webauthn> {
        let party = self.public_address().relying_party(whose)?;
        let built = WebauthnBuilder::new(&party.id, &party.origin).and_then(|builder| builder.rp_name(RELYING_PARTY).build());
        Ok(built.map_err(|error| broken(&error))?)
    }
}

/// What is to be known when a passkey is added.
#[derive(serde::Serialize, serde::Deserialize)]
struct Registration {
    handle: Uuid,
    state: PasskeyRegistration,
}

/// Refuses a token what only a session may do with one's own ways to sign in.
pub(super) fn expect_own_session(caller: &Caller, user: UserId) -> Result<(), Refusal> {
    if super::rules::is_self(caller, user) && caller.session.is_none() {
        return Err(session_needed());
    }
    Ok(())
}

/// Refuses to take the last way to sign in from somebody. The caller has the lock of the tenant's people.
pub(super) async fn expect_way_in(tx: &mut Tx, caller: &Caller, user: UserId) -> Result<()> {
    if users::count_ways_in(tx, caller.tenant, user).await? == 0 {
        let message =
            "Without it there would be no way left to sign in. Add another one first, or ask an administrator for a password.";
        return Err(Refusal::new(RefusalKind::Conflict, "auth.last_way_in", message).into());
    }
    Ok(())
}

fn expect_room(count: i64) -> Result<(), Refusal> {
    if count >= PASSKEYS_MAX {
        return Err(Refusal::quota(
            "passkeys_max",
            format!("You have {PASSKEYS_MAX} passkeys. Remove one that you do not need."),
        ));
    }
    Ok(())
}

/// The answer is the same, whatever is wrong with it; the log has the reason.
fn refused(error: &WebauthnError) -> Refusal {
    tracing::info!(error = %error, "a passkey was refused");
    unchecked()
}

fn unchecked() -> Refusal {
    let message = "This passkey is not known here, or could not be checked. Try again, or sign in another way.";
    Refusal::new(RefusalKind::Unauthenticated, "auth.passkey", message)
}

fn broken(error: &WebauthnError) -> Refusal {
    tracing::error!(error = %error, "passkeys cannot be used");
    Refusal::new(RefusalKind::Unavailable, "auth.unavailable", "Passkeys cannot be used at the moment. Sign in another way.")
}
