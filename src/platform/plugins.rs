//! What people see of plugins.

use std::{collections::HashMap, sync::Arc};

use mint_context::{Result, runtime::HealthStatus};
use mint_domain::{
    Digest, Grants, InstallationId, Limits, Manifest, Permission, Situation, State, TenantId,
    manifest::PluginInfo,
    plan::Findings,
    situation::{Here, UnderWay},
};
use mint_store::{Tx, installations, operations, releases};
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

use crate::{Caller, Platform, health::Checked, migrations::SchemaStatus, operation::not_installed, running::Active};

/// An installed plugin, in a line.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct PluginSummary {
    /// Slug.
    pub name: String,
    /// Version of the active release.
    pub version: String,
    /// Name shown to people.
    pub display_name: String,
    /// One sentence.
    pub description: String,
    /// Free text, such as `lcms`.
    pub analysis_type: String,
    /// `static`, `analysis`, `experiment_design`, `full` or `workflow`.
    #[schema(value_type = String)]
    pub plugin_type: mint_domain::policy::PluginType,
    /// Public path of its routes.
    pub api_prefix: String,
    /// Path of its front-end; null where it has none.
    pub frontend: Option<String>,
    /// `shared` or `isolated`; `dev` for one that is not installed, but run by its developer.
    pub mode: &'static str,
    /// Why it runs where it runs.
    pub mode_reason: String,
    /// How it stands: `state`, `phase`, `reason`, `hint` and `waits_for`; for `failed` also the log excerpt.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub situation: Situation,
    /// Since when.
    #[serde(with = "time::serde::rfc3339")]
    pub state_since: OffsetDateTime,
    /// What it last said of its health: `healthy`, `degraded`, `unhealthy` or `unknown`; null before the first answer, and
    /// while it does not run here.
    #[schema(value_type = Option<String>)]
    pub health_status: Option<HealthStatus>,
}

/// An installed plugin, in full.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct PluginDetails {
    /// The line.
    #[serde(flatten)]
    pub summary: PluginSummary,
    /// Digest of the bundle; null for one that has none, being developed.
    #[schema(value_type = Option<String>)]
    pub digest: Option<mint_domain::Digest>,
    /// What it asks for, with the author's reasons.
    #[schema(value_type = Vec<Object>)]
    pub requested: Vec<mint_domain::manifest::CapabilityRequest>,
    /// What was granted.
    #[schema(value_type = Vec<String>)]
    pub grants: Grants,
    /// Limits in force.
    #[schema(value_type = Object)]
    pub limits: Limits,
    /// What the mode was decided on: wishes, what components do not carry, clashes.
    #[schema(value_type = Object)]
    pub plan: Findings,
    /// Counters of the present start; null while it does not run here.
    pub usage: Value,
    /// What its runtime tells of it; null while it does not run here.
    pub runtime: Value,
    /// How its tables stand.
    #[serde(flatten)]
    pub schema: SchemaStatus,
    /// Its own opinion, asked now; null while it does not run here.
    pub health: Option<Checked>,
    /// Its last lines.
    pub log: Vec<String>,
}

impl Platform {
    /// Plugins of the caller's tenant by slug.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`.
    pub async fn list_plugins(&self, caller: &Caller) -> Result<Vec<PluginSummary>> {
        let _permit = caller.call(self.services()).permit_person(Permission::PluginsView)?;
        let mut tx = self.services().db.read().await?;
        let under_way = changes(&mut tx, caller.tenant).await?;
        let mut plugins = Vec::new();
        for installation in installations::list(&mut tx, caller.tenant).await? {
            if !caller.actor.sees_plugin(&installation.slug) {
                continue;
            }
            if let Some(release) = releases::get(&mut tx, installation.release_id).await? {
                let change = under_way.get(&installation.slug);
                plugins.push(self.summary(installation, change, &release.digest, &release.manifest));
            }
        }
        drop(tx);
        let developed = self.running().of_tenant(caller.tenant);
        let seen = developed.iter().filter(|active| caller.actor.sees_plugin(active.slug().as_str()));
        plugins.extend(seen.filter_map(|active| developed_summary(active)));
        Ok(plugins)
    }

    /// One plugin, in full.
    ///
    /// # Errors
    /// `NOT_FOUND`, `PERMISSION_DENIED`.
    pub async fn show_plugin(&self, caller: &Caller, slug: &str) -> Result<PluginDetails> {
        let _permit = caller.call(self.services()).permit_person(Permission::PluginsView)?;
        if let Some(active) = self.developed(caller, slug) {
            return self.developed_details(&active).await;
        }
        let (installation, release) = self.find_installation(caller, slug).await?;
        let manifest = &release.manifest;
        let laboratory = self.limits_of(caller.tenant).await?;
        let change = changes(&mut self.services().db.read().await?, caller.tenant).await?.remove(slug);
        let limits = Limits::in_force(&manifest.limits, &laboratory, &installation.limits);
        let active = self.running().get(installation.id);
        if let Some(active) = &active {
            self.check_health(active).await;
        }
        Ok(PluginDetails {
            digest: Some(release.digest),
            requested: manifest.capabilities.clone(),
            grants: installation.grants.clone(),
            limits: limits.unwrap_or_default(),
            schema: self.look_at_migrations(caller, &installation, &release).await?.status,
            plan: installation.findings.clone(),
            usage: active.as_ref().map_or(Value::Null, |active| active.usage.as_json(&active.admission)),
            runtime: active.as_ref().map_or(Value::Null, |active| active.plugin.status()),
            health: active.as_ref().and_then(|active| active.watch.last()),
            log: active.map(|active| active.log.recent()).unwrap_or_default(),
            summary: self.summary(installation, change.as_ref(), &release.digest, manifest),
        })
    }

    /// Whose settings are meant, and what it says of them.
    pub(crate) async fn whose_settings(&self, caller: &Caller, slug: &str) -> Result<(InstallationId, Arc<Manifest>)> {
        if let Some(active) = self.developed(caller, slug) {
            return Ok((active.authority.installation, active.authority.manifest.clone()));
        }
        let (installation, release) = self.find_installation(caller, slug).await?;
        Ok((installation.id, release.manifest.clone()))
    }

    /// Whether an installation is none of the database, but a developer's.
    pub(crate) fn is_developed(&self, installation: InstallationId) -> bool {
        self.running().get(installation).is_some_and(|active| active.developed.is_some())
    }

    /// A plugin that its developer runs, and the caller may see.
    fn developed(&self, caller: &Caller, slug: &str) -> Option<Arc<Active>> {
        self.running().developed(caller.tenant, slug, None).filter(|_| caller.actor.sees_plugin(slug))
    }

    async fn developed_details(&self, active: &Active) -> Result<PluginDetails> {
        self.check_health(active).await;
        let manifest = &active.authority.manifest;
        let summary = developed_summary(active).ok_or_else(|| not_installed(active.slug().as_str()))?;
        Ok(PluginDetails {
            digest: None,
            requested: manifest.capabilities.clone(),
            grants: Grants::clone(&active.authority.grants()),
            limits: active.authority.limits(),
            schema: SchemaStatus::default(),
            plan: Findings::default(),
            usage: active.usage.as_json(&active.admission),
            runtime: active.plugin.status(),
            health: active.watch.last(),
            log: active.log.recent(),
            summary,
        })
    }

    fn summary(
        &self,
        installation: installations::Installation,
        under_way: Option<&UnderWay>,
        digest: &Digest,
        manifest: &Manifest,
    ) -> PluginSummary {
        let plugin = &manifest.plugin;
        let active = self.running().get(installation.id);
        let here = match (&active, self.failure_here(&installation)) {
            (Some(active), _) if active.generation == installation.generation => Here::Answers,
            (_, Some(failure)) => Here::Failed(failure),
            (Some(_), None) if under_way.is_some() => Here::Answers,
            (_, None) => Here::NotYet,
        };
        let last = active.and_then(|active| active.watch.last());
        PluginSummary {
            name: installation.slug.clone(),
            version: plugin.version.clone(),
            display_name: display_name(plugin),
            description: plugin.description.clone(),
            analysis_type: plugin.analysis_type.clone(),
            plugin_type: plugin.plugin_type,
            frontend: self.layout().has_frontend(digest).then(|| format!("{}/", installation.prefix)),
            api_prefix: format!("/api{}", installation.prefix),
            mode: installation.mode().as_str(),
            mode_reason: installation.mode_reason.clone(),
            situation: Situation::of(&installation.state, under_way, here),
            state_since: installation.state_since,
            health_status: last.map(|last| last.health.status),
        }
    }
}

/// What goes on of a tenant, by the plugin that it changes.
async fn changes(tx: &mut Tx, tenant: TenantId) -> Result<HashMap<String, UnderWay>> {
    let mut changes = HashMap::new();
    for operation in operations::under_way(tx).await?.into_iter().filter(|operation| operation.tenant_id == tenant) {
        let steps = operations::steps(tx, operation.id).await?.into_iter();
        // One of before a crash may be written down as running, too.
        let step = steps.filter(|step| step.status == "running").max_by_key(|step| step.began_at);
        let change =
            UnderWay { operation: operation.id, kind: operation.kind, step: step.map(|step| step.name), actor: operation.actor };
        changes.insert(operation.plugin, change);
    }
    Ok(changes)
}

/// The line of a plugin that its developer runs; none for an installed one.
fn developed_summary(active: &Active) -> Option<PluginSummary> {
    let developed = active.developed.as_ref()?;
    let plugin = &active.authority.manifest.plugin;
    let is_away = active.plugin.status().get("server").is_some_and(|server| server == "away");
    Some(PluginSummary {
        name: plugin.slug.to_string(),
        version: plugin.version.clone(),
        display_name: display_name(plugin),
        description: plugin.description.clone(),
        analysis_type: plugin.analysis_type.clone(),
        plugin_type: plugin.plugin_type,
        api_prefix: active.prefix.public(),
        // Its developer's own tools serve it.
        frontend: None,
        mode: "dev",
        mode_reason: developed.by.clone(),
        situation: Situation::of(&State::Ready, None, Here::Answers),
        state_since: developed.since,
        health_status: is_away.then_some(HealthStatus::Unhealthy),
    })
}

fn display_name(plugin: &PluginInfo) -> String {
    if plugin.display_name.is_empty() { plugin.slug.to_string() } else { plugin.display_name.clone() }
}
