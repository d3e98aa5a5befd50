//! The context of a call. Built once, at the door; there is no ambient "current" anything.

use std::{collections::BTreeMap, fmt, sync::Arc};

use arc_swap::ArcSwap;
use mint_domain::{
    Actor, Capability, Clock, Grants, InstallationId, Kind, Limits, Manifest, Permission, Refusal, RequestId, Service, Slug,
    TenantId, UserId,
    access::{Verdict, Visibility},
    limit::Limit,
    policy::{PluginType, Write},
    share::PARTS,
};
use mint_store::{Db, tables::PluginTables};
use tokio::time::Instant;

use crate::{
    blobs::Blobs,
    followers::Followers,
    jobs::{RunningJob, RunningJobs},
    logs::PluginLog,
    meters::Meters,
    secrets::Keys,
    storage::Storage,
    unstored::Unstored,
};

/// What the functions of this crate work with. One for the whole process.
#[derive(Debug)]
pub struct Services {
    /// The platform's database.
    pub db: Db,
    /// Tables of plugins.
    pub tables: PluginTables,
    /// Where blobs stand.
    pub storage: Storage,
    /// Those that are files of experiments.
    pub blobs: Blobs,
    /// Those that are bundles, as `<digest>.mint`.
    pub bundles: Blobs,
    /// Archives of installations.
    pub snapshots: Blobs,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Who is told of changes.
    pub followers: Arc<dyn Followers>,
    /// `MINT_PLUGIN_…` settings from the environment, by name.
    pub plugin_environment: BTreeMap<String, String>,
    /// Settings of plugins that are being developed.
    pub unstored: Unstored,
    /// What opens secrets that are stored.
    pub secrets: Keys,
    /// Who sees experiments.
    pub visibility: Visibility,
    /// Jobs that are being done here.
    pub jobs: Arc<RunningJobs>,
}

/// Who acts, where, through what, and until when.
#[derive(Clone)]
pub struct Call {
    /// What to work with.
    pub services: Arc<Services>,
    /// Whose data. Every query takes it from here.
    pub tenant: TenantId,
    /// Who acts.
    pub actor: Actor,
    /// The plugin through which the actor acts; none for a person at the REST API.
    pub plugin: Option<Arc<PluginAuthority>>,
    /// The program that asks the plugin, where no person does.
    pub service: Option<Arc<Service>>,
    /// The job this belongs to, where it is one.
    pub job: Option<Arc<RunningJob>>,
    /// The request this belongs to.
    pub request_id: RequestId,
    /// When the caller stops waiting.
    pub deadline: Instant,
}

/// What an installed plugin may do, whoever asks it.
#[derive(Debug)]
pub struct PluginAuthority {
    /// The installation.
    pub installation: InstallationId,
    /// Its tenant.
    pub tenant: TenantId,
    /// Slug of the tenant.
    pub tenant_slug: Slug,
    /// What the running release says of itself.
    pub manifest: Arc<Manifest>,
    /// What it uses up.
    pub meters: Arc<Meters>,
    /// Where it stands which limits it reached.
    pub log: Arc<PluginLog>,
    terms: ArcSwap<Terms>,
}

/// What an administrator can change while a plugin runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// What an administrator granted.
    pub grants: Arc<Grants>,
    /// What it may use up.
    pub limits: Limits,
}

impl PluginAuthority {
    /// That of an installation of `tenant`.
    pub fn new(
        installation: InstallationId,
        tenant: (TenantId, Slug),
        manifest: Arc<Manifest>,
        terms: Terms,
        log: Arc<PluginLog>,
    ) -> Self {
        let (tenant, tenant_slug) = tenant;
        let meters = log.meters().clone();
        Self { installation, tenant, tenant_slug, manifest, meters, log, terms: ArcSwap::from_pointee(terms) }
    }

    /// The same, under other limits.
    #[must_use]
    pub fn under(&self, limits: Limits) -> Self {
        let terms = Terms { grants: self.grants(), limits };
        let tenant = (self.tenant, self.tenant_slug.clone());
        Self::new(self.installation, tenant, self.manifest.clone(), terms, self.log.clone())
    }

    /// What an administrator granted, as it is now.
    pub fn grants(&self) -> Arc<Grants> {
        self.terms.load().grants.clone()
    }

    /// What it may use up, as it is now.
    pub fn limits(&self) -> Limits {
        self.terms.load().limits
    }

    /// Both, as they are now.
    pub fn terms(&self) -> Arc<Terms> {
        self.terms.load_full()
    }

    /// Counts and writes down the limit that a refusal names, if it names one.
    pub fn refused(&self, refusal: &Refusal) {
        let named = refusal.details.get("limit").and_then(serde_json::Value::as_str);
        let of_plugin = |name| Limit::named(name).map(Limit::name);
        let of_laboratory = |name| PARTS.iter().map(|part| part.name).find(|part| *part == name);
        if let Some(limit) = named.and_then(|name| of_plugin(name).or_else(|| of_laboratory(name))) {
            self.log.limit_reached(limit);
        }
    }

    /// Puts others in force, from the next call of the plugin on.
    pub fn obey(&self, terms: Terms) {
        self.terms.store(Arc::new(terms));
    }

    /// The plugin's slug.
    pub fn slug(&self) -> &Slug {
        &self.manifest.plugin.slug
    }

    fn plugin_type(&self) -> PluginType {
        self.manifest.plugin.plugin_type
    }
}

/// Proof that a check passed. Whatever acts asks for one, so that forgetting the check does not compile.
#[derive(Debug)]
#[must_use]
pub struct Permit {
    _private: (),
}

impl Call {
    /// Passes if the acting person's rights include `permission` and, through a plugin, the grants include `capability`.
    ///
    /// # Errors
    /// `auth.required` for nobody, `PERMISSION_DENIED` otherwise, naming what is missing.
    pub fn permit(&self, permission: Permission, capability: &Capability) -> Result<Permit, Refusal> {
        let _person = self.permit_person(permission)?;
        self.permit_plugin(capability)
    }

    /// Passes if the acting person's rights include `permission`.
    ///
    /// # Errors
    /// `auth.required` for nobody, `PERMISSION_DENIED` otherwise.
    pub fn permit_person(&self, permission: Permission) -> Result<Permit, Refusal> {
        if self.actor.may(permission) {
            return Ok(Permit { _private: () });
        }
        Err(match self.actor {
            Actor::Anonymous => nobody(),
            _ => Refusal::denied(
                permission.as_str(),
                format!("This needs the permission `{permission}`. Ask an administrator for a role that has it."),
            ),
        })
    }

    /// The person for whom something is read.
    ///
    /// # Errors
    /// `auth.required` where no person acts.
    pub(crate) fn reader(&self) -> Result<UserId, Refusal> {
        self.actor.user().map(|user| user.id).ok_or_else(nobody)
    }

    /// Passes if `verdict` allows what `wanted` is for.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`; `missing` for what is hidden.
    pub(crate) fn decided(
        &self,
        verdict: Verdict,
        wanted: Permission,
        missing: impl FnOnce() -> Refusal,
    ) -> Result<Permit, Refusal> {
        match verdict {
            Verdict::Allowed => Ok(Permit { _private: () }),
            Verdict::Denied => Err(Refusal::denied(
                wanted.as_str(),
                format!(
                    "This needs the permission `{wanted}`. Ask an administrator for a role that has it, or an owner for a part in it."
                ),
            )),
            Verdict::Hidden => Err(missing()),
        }
    }

    /// Passes if the call does not come through a plugin, or the plugin was granted `capability`.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`, naming the capability.
    pub fn permit_plugin(&self, capability: &Capability) -> Result<Permit, Refusal> {
        self.permit_change(matches!(capability, Capability::SettingsWrite | Capability::InstrumentsReport(_)))?;
        match &self.plugin {
            Some(plugin) if !plugin.grants().allow(capability) => Err(Refusal::denied(
                &capability.to_string(),
                format!("Plugin `{}` was not granted `{capability}`. An administrator can grant it.", plugin.slug()),
            )),
            Some(_) | None => Ok(Permit { _private: () }),
        }
    }

    /// Passes if nothing is changed, or the person's credential is not one that only reads. For changes that need no permission
    /// of the person.
    ///
    /// # Errors
    /// `auth.read_only_token`.
    pub fn permit_change(&self, is_change: bool) -> Result<(), Refusal> {
        if is_change && self.actor.user().is_some_and(mint_domain::User::is_read_only) {
            return Err(mint_domain::refusal::read_only());
        }
        Ok(())
    }

    /// Passes if the plugin's type allows the write, or no plugin is in between.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`.
    pub fn permit_write(&self, write: Write) -> Result<Permit, Refusal> {
        match &self.plugin {
            Some(plugin) if !plugin.plugin_type().allows(write) => Err(Refusal::denied(
                match write {
                    Write::Experiment => "experiment_crud",
                    Write::Design => "design_data_write",
                    Write::Result => "analysis_result_write",
                },
                format!(
                    "Plugins of the type of `{}` may not do this. The plugin's author can change `plugin_type`.",
                    plugin.slug()
                ),
            )),
            Some(_) | None => Ok(Permit { _private: () }),
        }
    }

    /// The plugin, for functions that only plugins call.
    ///
    /// # Errors
    /// `PERMISSION_DENIED` when a person calls directly.
    pub fn through_plugin(&self) -> Result<&Arc<PluginAuthority>, Refusal> {
        self.plugin.as_ref().ok_or_else(|| Refusal::denied("plugin", "Only a plugin can do this."))
    }

    /// The limits in force: the plugin's, or the platform's defaults for a person.
    pub fn limits(&self) -> Limits {
        self.plugin.as_ref().map_or_else(Limits::default, |plugin| plugin.limits())
    }
}

fn nobody() -> Refusal {
    Refusal::new(Kind::Unauthenticated, "auth.required", "Sign in first.")
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("tenant", &self.tenant)
            .field("actor", &self.actor.label())
            .field("plugin", &self.plugin.as_ref().map(|plugin| plugin.slug().as_str()))
            .field("request_id", &self.request_id)
            .finish_non_exhaustive()
    }
}
