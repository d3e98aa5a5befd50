//! The way from the platform to a plugin's front-end: a code that is good once, for a moment, for one plugin and one
//! session.

use mint_context::Result;
use mint_domain::{Kind, Permission, Refusal, Slug, State};
use mint_store::{
    Tx,
    frontends::{self, Admission, Mount},
    sessions,
};
use rand::Rng as _;
use secrecy::SecretString;
use time::{Duration, OffsetDateTime};

use super::OriginName;
use crate::{Caller, Platform, not_ready::disabled, routes, sign_in::hashed};

/// How long a code is good: a browser follows at once.
const CODE_DURATION: Duration = Duration::seconds(30);
/// Browsers of one session that are let in to one plugin; an earlier one enters again.
const BROWSERS_MAX: i64 = 8;

/// Where a person wants to go.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// The token of the person's session.
    pub token: &'a str,
    /// The host at which the platform was reached.
    pub host: &'a str,
    /// Path and query under a plugin's prefix.
    pub target: &'a str,
}

/// A browser that was let in.
#[derive(Debug)]
pub struct Entered {
    /// What it shows with every request; the platform keeps only its hash.
    pub token: SecretString,
    /// The plugin's prefix, without `/api`.
    pub prefix: String,
}

impl Platform {
    /// Gives the address by which a signed-in person gets to a front-end; none when no plugin of the tenant is installed
    /// under the path.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`; `NOT_FOUND` when the plugin has no front-end; `frontend.no_origin` when there is no place for it;
    /// `plugin.disabled`.
    pub async fn enter_frontend(&self, caller: &Caller, entry: Entry<'_>) -> Result<Option<String>> {
        let _permit = caller.call(self.services()).permit_person(Permission::PluginsUse)?;
        if caller.session.is_none() {
            let message = "Pages of plugins are for who is signed in with a session. A token reaches their routes.";
            return Err(Refusal::new(Kind::Denied, "auth.session_required", message).into());
        }
        let path = entry.target.split('?').next().unwrap_or_default();
        if !routes::is_plain(path) {
            return Ok(None);
        }
        let mut tx = self.services().db.read().await?;
        let mounts = frontends::mounts(&mut tx, caller.tenant).await?;
        drop(tx);
        let below = mounts.into_iter().filter(|mount| routes::is_below(path, &mount.prefix));
        let longest = below.max_by_key(|mount| mount.prefix.len());
        let Some(mount) = longest.filter(|mount| caller.actor.sees_plugin(&mount.slug)) else { return Ok(None) };
        if mount.state == State::Disabled {
            return Err(disabled(&mount.slug).into());
        }
        if !self.layout().has_frontend(&mount.digest) {
            return Err(Refusal::new(
                Kind::NotFound,
                "resource.not_found",
                format!("The plugin `{}` has no front-end. Its routes stand under `/api{}`.", mount.slug, mount.prefix),
            )
            .into());
        }
        let (origin, platform_origin) = self.origin_of(caller, &mount, entry.host)?;
        let session_sha256 = hashed(entry.token);
        let now = self.services().clock.now();
        let mut tx = self.services().db.begin().await?;
        if sessions::find(&mut tx, &session_sha256, now, now - self.credentials().idle).await?.is_none() {
            return Err(Refusal::new(Kind::Unauthenticated, "auth.unauthorized", "The session has ended. Sign in again.").into());
        }
        let code = fresh_secret();
        let admission = Admission { session_sha256, installation_id: mount.installation_id, platform_origin };
        frontends::insert_code(&mut tx, &hashed(&code), &admission, now, now + CODE_DURATION).await?;
        tx.commit().await?;
        let query =
            form_urlencoded::Serializer::new(String::new()).append_pair("code", &code).append_pair("to", entry.target).finish();
        Ok(Some(format!("{origin}/_mint/enter?{query}")))
    }

    /// Lets a browser in at a plugin's origin. None when the code is not good for it; it is used up all the same.
    ///
    /// # Errors
    /// The database's.
    pub async fn use_frontend_code(&self, name: &OriginName, code: &str) -> Result<Option<Entered>> {
        let now = self.services().clock.now();
        let mut tx = self.services().db.begin().await?;
        let entered = let_in(&mut tx, name, code, now, self.credentials().idle).await?;
        tx.commit().await?;
        Ok(entered)
    }

    /// The origins of a plugin and of the platform, for somebody who reached this one at `host`.
    fn origin_of(&self, caller: &Caller, mount: &Mount, host: &str) -> Result<(String, String), Refusal> {
        let origins = self.origins();
        let plugin: Option<Slug> = mount.slug.parse().ok();
        let name = plugin.map(|plugin| OriginName { plugin, tenant: caller.tenant_slug.clone() });
        name.and_then(|name| origins.of(&name, host)).zip(origins.of_platform(host)).ok_or_else(|| {
            let message = "There is no origin for this front-end. An administrator sets `server.pluginDomain` to a domain whose \
                           sub-domains lead to this server; at the machine of the server itself, ask it at `localhost`. The \
                           slugs of plugin and laboratory together may have 61 characters.";
            Refusal::new(Kind::Unavailable, "frontend.no_origin", message)
        })
    }
}

async fn let_in(tx: &mut Tx, name: &OriginName, code: &str, now: OffsetDateTime, idle: Duration) -> Result<Option<Entered>> {
    let Some(admission) = frontends::take_code(tx, &hashed(code), now).await? else { return Ok(None) };
    let session = sessions::find(tx, &admission.session_sha256, now, now - idle).await?;
    let Some(session) = session.filter(|session| session.tenant_slug == name.tenant) else { return Ok(None) };
    let mount = frontends::mount(tx, session.tenant_id, admission.installation_id).await?;
    let Some(mount) = mount.filter(|mount| mount.slug == name.plugin.as_str()) else { return Ok(None) };
    let token = fresh_secret();
    frontends::insert_session(tx, &hashed(&token), &admission, BROWSERS_MAX, now).await?;
    Ok(Some(Entered { token: token.into(), prefix: mount.prefix }))
}

/// What nobody can guess.
fn fresh_secret() -> String {
    hex::encode(rand::rng().random::<[u8; 32]>())
}
