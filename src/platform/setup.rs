//! The first administrator of a new installation.
//!
//! Where nobody can sign in, a starting server makes a token that is good once and for a day, and writes a link with it into a
//! file of its data directory that nobody else can read: not into the log, which is often sent elsewhere. The token is worth
//! nothing as soon as there is a user, however that one was made.

use std::{
    fs, io,
    io::Write as _,
    net::{IpAddr, SocketAddr},
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
};

use mint_context::Result;
use mint_domain::{Kind, Refusal, RequestId, Slug, permission::SystemRole, slug::InvalidSlug};
use mint_store::{Tx, audit, setup, tenants, users};
use rand::Rng as _;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use time::Duration;

use crate::{
    Caller, Platform,
    attempts::Account,
    layout::Layout,
    passwords,
    people::{self, NewUser, Origin, expect_line},
    sign_in::hashed,
};

/// How long a token is good.
const DURATION: Duration = Duration::days(1);
/// Characters of a laboratory's name.
const NAME_CHARACTERS_MAX: usize = 100;

/// The first laboratory and its administrator.
#[derive(Debug)]
pub struct Setup {
    /// The token of the link.
    pub token: SecretString,
    /// Slug of the laboratory.
    pub tenant: String,
    /// What the laboratory is called.
    pub laboratory: Option<String>,
    /// Name of the administrator to sign in with.
    pub username: String,
    /// Their password.
    pub password: SecretString,
}

impl Platform {
    /// A token by which the first administrator is made; none where there is somebody.
    ///
    /// # Errors
    /// The database's.
    pub async fn offer_setup(&self) -> Result<Option<SecretString>> {
        if self.has_users().await? {
            self.layout().forget_setup_link();
            return Ok(None);
        }
        let token = hex::encode(rand::rng().random::<[u8; 32]>());
        let now = self.services().clock.now();
        let mut tx = self.services().db.begin().await?;
        setup::insert(&mut tx, &hashed(&token), now + DURATION, now).await?;
        tx.commit().await?;
        Ok(Some(token.into()))
    }

    /// Makes the first laboratory's administrator.
    ///
    /// # Errors
    /// `setup.done` where somebody can sign in; `setup.token` for a token that is wrong or has ended; `rate_limit.exceeded`,
    /// `auth.locked`; `VALIDATION_ERROR`.
    pub async fn set_up(&self, wanted: Setup, origin: &Origin, request_id: &RequestId) -> Result<mint_context::identity::User> {
        let account = Account::new("", "setup", origin.address);
        self.attempts().admit(origin.address, account)?;
        let services = self.services();
        let hash = hashed(wanted.token.expose_secret());
        let mut tx = services.db.read().await?;
        expect_nobody(&mut tx).await?;
        if !setup::is_good(&mut tx, &hash, services.clock.now()).await? {
            self.attempts().failed(account);
            return Err(bad_token().into());
        }
        drop(tx);
        let slug: Slug = wanted
            .tenant
            .parse()
            .map_err(|error: InvalidSlug| Refusal::invalid(error.to_string()).with(json!({ "field": "tenant" })))?;
        let name = wanted.laboratory.unwrap_or_else(|| slug.to_string());
        expect_line("laboratory", &name, NAME_CHARACTERS_MAX)?;
        let password = passwords::hash(&wanted.password).await?;
        let now = services.clock.now();
        let mut tx = services.db.begin().await?;
        if !setup::take(&mut tx, &hash, now).await? {
            return Err(bad_token().into());
        }
        expect_nobody(&mut tx).await?;
        let tenant = match tenants::find(&mut tx, slug.as_str()).await? {
            Some(tenant) => tenant,
            None => tenants::insert(&mut tx, &slug, &name, now).await?,
        };
        let platform = Caller::system(tenant.id, tenant.slug, request_id.clone());
        let new = NewUser::named(wanted.username, SystemRole::Admin.as_str());
        let user = people::insert(&mut tx, &platform, &new, Some(&password), now).await?;
        let entry = audit::Entry {
            actor: &platform.actor.label(),
            action: "platform.setup",
            entity: &format!("user:{}", user.id),
            request_id: request_id.as_str(),
            details: &json!({ "address": origin.address.map(|address| address.to_string()), "user_agent": origin.user_agent }),
        };
        audit::record(&mut tx, tenant.id, &entry, now).await?;
        tx.commit().await?;
        self.attempts().succeeded(account);
        self.layout().forget_setup_link();
        Ok(user.into())
    }
}

async fn expect_nobody(tx: &mut Tx) -> Result<()> {
    if users::count_all(tx).await? == 0 {
        return Ok(());
    }
    let message = "This installation has its people already. Sign in, or ask its administrator.";
    Err(Refusal::new(Kind::Conflict, "setup.done", message).into())
}

fn bad_token() -> Refusal {
    let message = "This is not the link of this server, or it has ended: it is good once, for a day. A server that starts anew \
                   writes another one into `setup-link` in its data directory.";
    Refusal::new(Kind::Denied, "setup.token", message)
}

impl Layout {
    /// The file with the link by which the first administrator is made.
    fn setup_link(&self) -> PathBuf {
        self.data().join("setup-link")
    }

    /// Writes it, for its owner's eyes only, over whatever was there. Gives where it stands.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_setup_link(&self, address: SocketAddr, token: &SecretString) -> io::Result<PathBuf> {
        let path = self.setup_link();
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let host = match address.ip() {
            ip if ip.is_unspecified() => "localhost".to_owned(),
            IpAddr::V4(v4) => v4.to_string(),
            IpAddr::V6(v6) => format!("[{v6}]"),
        };
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        // What follows `#` is sent to no server, and stands in no log of one.
        writeln!(file, "http://{host}:{}/auth/setup#{}", address.port(), token.expose_secret())?;
        file.sync_all()?;
        Ok(path)
    }

    /// Removes it, where it is: it leads nowhere any more.
    pub fn forget_setup_link(&self) {
        if let Err(error) = fs::remove_file(self.setup_link())
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %self.setup_link().display(), %error, "a link that leads nowhere could not be removed");
        }
    }
}
