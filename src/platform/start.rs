//! From what is installed, or developed, to a generation that can answer.

use std::{fmt, sync::Arc, time::Duration};

use http::HeaderValue;
use mint_context::{
    PluginAuthority, database,
    logs::{Level, PluginLog},
    runtime::{Activation, Generation, Release},
    settings,
};
use mint_domain::{
    Grants, InstallationId, Limits, Mode, Prefix,
    lifecycle::Failure,
    limit::{LimitChanges, LimitOutOfRange},
};
use mint_store::installations::Installation;
use serde_json::Value;
use tokio::time::Instant;

use crate::{
    Caller, Platform,
    admission::{Admission, Laboratory},
    health::Watch,
    running::{Active, Developed, Given, Usage},
};

/// Longest time for what a plugin does on its own account while it starts.
const START_CALL: Duration = Duration::from_secs(60);

/// The phase in which it lacks a key of its secrets, which this server may be given.
pub(crate) const SECRETS: &str = "secrets";

/// What decides how a release runs for a tenant.
#[derive(Debug)]
pub(crate) struct Terms<'a> {
    pub(crate) id: InstallationId,
    pub(crate) prefix: &'a str,
    pub(crate) grants: &'a Grants,
    pub(crate) limits: &'a LimitChanges,
    /// What holds for all plugins of the tenant.
    pub(crate) laboratory: &'a LimitChanges,
    /// As stored.
    pub(crate) settings: &'a Value,
    pub(crate) generation: i64,
    /// Of the row, where there is one.
    pub(crate) revision: i64,
}

impl<'a> Terms<'a> {
    /// Those of an installation.
    pub(crate) fn of(installation: &'a Installation, laboratory: &'a LimitChanges) -> Self {
        Self {
            id: installation.id,
            prefix: &installation.prefix,
            grants: &installation.grants,
            limits: &installation.limits,
            laboratory,
            settings: &installation.settings,
            generation: installation.generation,
            revision: installation.revision,
        }
    }
}

/// All of an [`Active`] but the plugin itself.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) activation: Activation,
    laboratory: Arc<Laboratory>,
    prefix: Prefix,
    forwarded_prefix: HeaderValue,
    generation: i64,
    revision: i64,
}

impl Platform {
    /// Starts a generation. It answers nobody until it is put up.
    pub(crate) async fn start(
        &self,
        caller: &Caller,
        installation: &Installation,
        release: &Arc<Release>,
    ) -> Result<Active, Failure> {
        let laboratory = self.laboratory_limits(caller.tenant).await?;
        let prepared = self.prepare(caller, &Terms::of(installation, &laboratory), release)?;
        self.expect_files_to_start(&installation.grants).await?;
        database::prepare(self.services(), &prepared.activation.authority).await?;
        let plugin = self.runtime(installation.mode()).start(prepared.activation.clone()).await?;
        if let Some(place) = plugin.frontend() {
            let why = match self.follow_frontend(release, place.to_owned()).await {
                Ok(true) => None,
                Ok(false) => Some("nothing of that is in its wheel".to_owned()),
                Err(error) => Some(error.public().message),
            };
            if let Some(why) = why {
                let words = format!("get_frontend_dir: the front-end cannot be taken from `{place}`: {why}");
                prepared.activation.log.line(Level::Warn, "platform", None, &words);
            }
        }
        Ok(prepared.active(installation.mode(), plugin, None))
    }

    /// Everything that a start needs.
    ///
    /// # Errors
    /// A [`Failure`] that names what cannot be used.
    pub(crate) fn prepare(&self, caller: &Caller, terms: &Terms<'_>, release: &Arc<Release>) -> Result<Prepared, Failure> {
        let broken = |what: &str, error: &dyn fmt::Display| {
            Failure::new("start", format!("{what}: {error}."), "Correct it and reload the plugin.")
        };
        let manifest = release.manifest.clone();
        let prefix: Prefix = terms.prefix.parse().map_err(|error| broken("Its route prefix cannot be used", &error))?;
        let forwarded_prefix =
            HeaderValue::try_from(prefix.public()).map_err(|error| broken("Its route prefix cannot be used", &error))?;
        let limits = Limits::in_force(&manifest.limits, terms.laboratory, terms.limits)
            .map_err(|error: LimitOutOfRange| broken("Its limits cannot be used", &error))?;
        let in_force = mint_context::Terms { grants: Arc::new(terms.grants.clone()), limits };
        let whose = (caller.tenant, caller.tenant_slug.clone());
        let (slug, version) = (manifest.plugin.slug.clone(), manifest.plugin.version.clone());
        let log = PluginLog::new(caller.tenant_slug.clone(), slug, version, terms.id, limits.log_bytes_per_minute_max);
        let log = Arc::new(log.metered(self.running().meters(terms.id)));
        let authority = Arc::new(PluginAuthority::new(terms.id, whose, manifest.clone(), in_force, log.clone()));
        let settings = settings::in_force(self.services(), caller.tenant, &manifest, terms.settings)
            .map_err(|refusal| Failure::new(SECRETS, refusal.message, "Then it starts by itself within a minute."))?;
        let system = Caller::system(caller.tenant, caller.tenant_slug.clone(), caller.request_id.clone());
        let activation = Activation {
            release: release.clone(),
            authority: authority.clone(),
            generation: terms.generation.unsigned_abs(),
            settings,
            data_directory: self.layout().plugin_data(&caller.tenant_slug, manifest.plugin.slug.as_str()),
            log,
            call: system.call_through(self.services(), authority, Instant::now() + START_CALL),
        };
        let laboratory = self.laboratories().of(caller.tenant);
        Ok(Prepared { activation, laboratory, prefix, forwarded_prefix, generation: terms.generation, revision: terms.revision })
    }
}

impl Prepared {
    /// With the plugin that was started; `developed` where a developer did that.
    pub(crate) fn active(self, mode: Mode, plugin: Arc<dyn Generation>, developed: Option<Developed>) -> Active {
        let Activation { authority, log, settings, release, .. } = self.activation;
        Active {
            admission: Admission::new(&authority.limits(), authority.meters.clone(), self.laboratory),
            authority,
            release: release.digest,
            prefix: self.prefix,
            forwarded_prefix: self.forwarded_prefix,
            generation: self.generation,
            mode,
            plugin,
            log,
            usage: Usage::default(),
            watch: Watch::default(),
            given: Given::new(settings, self.revision),
            developed,
        }
    }
}
