//! Plugins that are being developed: their developer's own server answers in the place of an installed release, for as long
//! as the developer holds it, or a file names it. Requests come to it as to every plugin.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use mint_context::{
    Result,
    runtime::{Attachment, Release},
    settings,
};
use mint_domain::{
    Capability, Digest, Grants, InstallationId, Kind, Manifest, Permission, Prefix, Refusal, Slug, TenantId, limit::LimitChanges,
    manifest::PluginInfo, mode::Mode,
};
use mint_store::{audit, installations, tenants};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use crate::{
    Caller, Platform,
    developments::Named,
    running::{Active, Developed},
};

/// Most of them at once, of all tenants.
const DEVELOPED_MAX: usize = 64;

/// A plugin that its developer wants to run.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDevelopment {
    /// Who the plugin is, as in the manifest of a bundle.
    #[schema(value_type = Object)]
    pub plugin: PluginInfo,
    /// Where its server listens, or will: a loopback address and a port.
    #[schema(value_type = String)]
    pub address: SocketAddr,
    /// The name by which it calls back, where that is not its slug.
    #[serde(default)]
    pub name: Option<String>,
    /// Where it has its routes, with `/api`, where that is not where they are to stand.
    #[serde(default)]
    pub own_prefix: Option<String>,
    /// Whether its SDK is from before MINT's first release.
    #[serde(default)]
    pub is_mld: bool,
    /// What it may do; by default everything that has no target.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    pub grants: Option<Vec<Capability>>,
    /// The settings that it begins with. They end with it.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub settings: Map<String, Value>,
}

/// What a developer needs to start the server.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Development {
    /// Slug.
    pub plugin: String,
    /// Public path of its routes.
    pub api_prefix: String,
    /// Variables to start the server with.
    pub environment: BTreeMap<String, String>,
}

/// A server that a file names.
#[derive(Clone, Debug, PartialEq)]
pub struct DevServer {
    /// Who the plugin is.
    pub plugin: PluginInfo,
    /// Where its server listens.
    pub address: SocketAddr,
}

/// A plugin for as long as its developer holds it; ends when dropped.
#[derive(Debug)]
pub struct Held {
    platform: Arc<Platform>,
    active: Arc<Active>,
    /// What the developer needs.
    pub development: Development,
}

impl Held {
    /// Cancelled when the server ends, and this with it.
    pub fn ending(&self) -> &CancellationToken {
        &self.platform.development().ending
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.platform.end_development(&self.active);
    }
}

/// How one is begun.
struct Begin<'a> {
    caller: &'a Caller,
    plugin: PluginInfo,
    attachment: Attachment,
    grants: Grants,
    settings: Value,
    by: String,
}

impl Platform {
    /// Lets a developer's server answer for the caller's tenant until the answer is dropped.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`; `plugin.dev_off` where this server does not want that; `CONFLICT` where another plugin has the
    /// slug or the prefix; `VALIDATION_ERROR`.
    pub async fn develop(self: &Arc<Self>, caller: &Caller, new: NewDevelopment) -> Result<Held> {
        let _permit = caller.call(self.services()).permit_person(Permission::PluginsInstall)?;
        if !self.development().allowed {
            let message = "This server does not let developers' own servers answer. An administrator can set `plugins.dev` to \
                           true; by default it is so where the server listens on a loopback address only.";
            return Err(Refusal::new(Kind::Denied, "plugin.dev_off", message).into());
        }
        let (address, slug) = (new.address, new.plugin.slug.clone());
        let begin = Begin {
            caller,
            plugin: new.plugin,
            attachment: Attachment { address, name: new.name, own_prefix: new.own_prefix, is_mld: new.is_mld, calls_back: true },
            grants: Grants::new(new.grants.unwrap_or_else(|| Capability::plain().collect())),
            settings: Value::Object(new.settings),
            by: format!("`mint dev` of {} has it at {address}.", caller.actor.label()),
        };
        let named = self.development().named.lock().await;
        let (active, environment) = self.begin_development(begin).await?;
        drop(named);
        let development = Development { plugin: slug.to_string(), api_prefix: active.prefix.public(), environment };
        // From here on it ends whatever happens.
        let held = Held { platform: self.clone(), active, development };
        self.record_development(caller, &slug, address).await?;
        Ok(held)
    }

    /// Lets exactly the servers that a file names answer, for every tenant, without secrets of the platform. Gives a sentence
    /// for each that cannot. They are tried again when this is called again.
    ///
    /// # Errors
    /// The database's.
    pub async fn set_dev_servers(&self, wanted: &[DevServer]) -> Result<Vec<String>> {
        let mut named = self.development().named.lock().await;
        let gone = named.extract_if(.., |named| !wanted.contains(&named.server));
        for gone in gone {
            self.end_development(&gone.active);
        }
        let mut refused = Vec::new();
        if wanted.is_empty() {
            return Ok(refused);
        }
        let mut tx = self.services().db.read().await?;
        let tenants = tenants::list(&mut tx).await?;
        drop(tx);
        for tenant in tenants {
            let caller = Caller::system(tenant.id, tenant.slug, self.fresh_request_id());
            for server in wanted {
                if named.iter().any(|named| named.tenant == tenant.id && named.server == *server) {
                    continue;
                }
                match self.begin_named(&caller, server).await {
                    Ok(active) => named.push(Named { tenant: tenant.id, server: server.clone(), active }),
                    Err(error) => refused.push(format!("{}: {}", server.plugin.slug, error.public().message)),
                }
            }
        }
        refused.dedup();
        Ok(refused)
    }

    /// Ends all that developers run; part of the end of the server.
    pub fn end_developments(&self) {
        self.development().ending.cancel();
    }

    /// Passes if nobody develops a plugin under this slug or prefix.
    ///
    /// # Errors
    /// `CONFLICT`, with what to do.
    pub(crate) fn refuse_where_developed(&self, tenant: TenantId, slug: &str, prefix: &Prefix) -> Result<(), Refusal> {
        let Some(active) = self.running().developed(tenant, slug, Some(prefix)) else { return Ok(()) };
        let by = active.developed.as_ref().map_or_else(String::new, |developed| developed.by.clone());
        let message =
            format!("`{}` is being developed here, under {}. {by} End that first.", active.slug(), active.prefix.public());
        Err(Refusal::conflict("installation", "routes_prefix", message))
    }

    async fn begin_named(&self, caller: &Caller, server: &DevServer) -> Result<Arc<Active>> {
        let begin = Begin {
            caller,
            plugin: server.plugin.clone(),
            attachment: Attachment { address: server.address, name: None, own_prefix: None, is_mld: false, calls_back: false },
            grants: Grants::default(),
            settings: Value::Object(Map::new()),
            by: format!("A file of this server says that it is at {}.", server.address),
        };
        Ok(self.begin_development(begin).await?.0)
    }

    /// Begins one. Whoever calls holds the lock of [`Developments`](crate::developments::Developments).
    async fn begin_development(&self, begin: Begin<'_>) -> Result<(Arc<Active>, BTreeMap<String, String>)> {
        let Begin { caller, plugin, attachment, grants, settings, by } = begin;
        if !attachment.address.ip().is_loopback() {
            let message =
                format!("{} is not on this machine: a development server listens on 127.0.0.1 or ::1.", attachment.address);
            return Err(Refusal::invalid(message).into());
        }
        let manifest = Manifest::of_development(plugin).map_err(|error| Refusal::invalid(error.to_string()))?;
        let prefix = manifest.prefix().map_err(|error| Refusal::invalid(error.to_string()))?;
        let slug = manifest.plugin.slug.clone();
        self.refuse_where_installed(caller.tenant, &slug, &prefix).await?;
        self.refuse_where_developed(caller.tenant, slug.as_str(), &prefix)?;
        if self.running().all().iter().filter(|active| active.developed.is_some()).count() >= DEVELOPED_MAX {
            let message = format!("{DEVELOPED_MAX} plugins are being developed on this server, which is the most.");
            return Err(Refusal::new(Kind::Busy, "plugin.dev_full", message).into());
        }
        let settings = settings::first(self.services(), caller.tenant, &manifest, &settings)?;
        let id = self.development().fresh_id();
        let release = Arc::new(Release { manifest: Arc::new(manifest), digest: Digest::of(&[]), directory: PathBuf::new() });
        let limits = LimitChanges::default();
        let terms = crate::start::Terms {
            id,
            prefix: prefix.as_str(),
            grants: &grants,
            limits: &limits,
            laboratory: &limits,
            settings: &settings,
            generation: 1,
            revision: 0,
        };
        let refuse = |failure: mint_domain::lifecycle::Failure| Refusal::invalid(failure.to_string());
        let prepared = self.prepare(caller, &terms, &release).map_err(refuse)?;
        self.services().unstored.keep(id, settings);
        let attached = self.runtime(Mode::Isolated).attach(prepared.activation.clone(), attachment).await;
        let attached = attached.map_err(|failure| {
            self.services().unstored.forget(id);
            refuse(failure)
        })?;
        let developed = Developed { by, since: self.services().clock.now() };
        let active = Arc::new(prepared.active(Mode::Isolated, attached.generation, Some(developed)));
        self.running().switch(&active);
        tracing::info!(tenant.id = %caller.tenant_slug, plugin.slug = %slug, "a development server answers under {}", prefix.public());
        Ok((active, attached.environment))
    }

    fn end_development(&self, active: &Arc<Active>) {
        let authority = &active.authority;
        let id: InstallationId = authority.installation;
        self.running().remove(authority.tenant, id, None);
        self.services().unstored.forget(id);
        active.admission.leaving().cancel();
        tracing::info!(tenant.id = %authority.tenant_slug, plugin.slug = %authority.slug(), "a development server answers no more");
        let active = active.clone();
        self.track(async move { active.plugin.stop(Duration::ZERO).await });
    }

    async fn refuse_where_installed(&self, tenant: TenantId, slug: &Slug, prefix: &Prefix) -> Result<()> {
        let mut tx = self.services().db.read().await?;
        let installed = installations::list(&mut tx, tenant).await?;
        let Some(other) = installed.iter().find(|other| other.slug == slug.as_str() || other.prefix == prefix.as_str()) else {
            return Ok(());
        };
        let message = format!(
            "The plugin `{0}` is installed here, under /api{1}. Remove it first (`mint plugin uninstall {0}` keeps its data), or \
             develop under another slug and prefix.",
            other.slug, other.prefix
        );
        Err(Refusal::conflict("installation", "routes_prefix", message).into())
    }

    async fn record_development(&self, caller: &Caller, slug: &Slug, address: SocketAddr) -> Result<()> {
        let (entity, details) = (format!("plugin:{slug}"), json!({ "address": address.to_string() }));
        let entry = audit::Entry {
            actor: &caller.actor.label(),
            action: "plugin.develop",
            entity: &entity,
            request_id: caller.request_id.as_str(),
            details: &details,
        };
        let mut tx = self.services().db.begin().await?;
        audit::record(&mut tx, caller.tenant, &entry, self.services().clock.now()).await?;
        Ok(tx.commit().await?)
    }
}
