//! What plugins may use up, and what they do: shown, set for a laboratory or for one plugin, and in force from the next
//! call on.

use std::{collections::BTreeMap, sync::Arc};

use mint_context::{Result, database};
use mint_domain::{
    Capability, Limits, Mode, Permission, Refusal, TenantId,
    lifecycle::Failure,
    limit::{Limit, LimitChanges, Modes, TABLE},
};
use mint_store::{
    Tx, audit,
    installations::{self, Installation},
    jobs, objects, operations,
    tenants::{self, Tenant},
};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::{
    Caller, Platform,
    operation::{busy, not_installed},
    running::Active,
};

/// What is to be set, by name; null says nothing of a limit any more.
pub type Edits = BTreeMap<String, Option<u64>>;

/// Limits that a process is given when it starts.
const OF_A_START: &[Limit] = &[
    Limit::process_memory_bytes_max,
    Limit::open_files_max,
    Limit::processes_max,
    Limit::files_bytes_max,
    Limit::cache_bytes_max,
    Limit::database_bytes_max,
];

/// One limit of a plugin, and what the plugin uses of it on this server.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LimitStatus {
    /// Its name.
    pub name: &'static str,
    /// What it bounds.
    pub about: &'static str,
    /// Its value.
    pub value: u64,
    /// Who said so: `platform`, `author`, `laboratory` or `administrator`.
    pub from: &'static str,
    /// Its greatest value.
    pub max: u64,
    /// Whether plugins in this one's mode are held to it.
    pub holds: bool,
    /// What there is instead, where they are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instead: Option<&'static str>,
    /// In use now; null where it is about single calls, or nothing was measured yet.
    pub current: Option<u64>,
    /// The most that was in use at once, or in one call, since the server started; null where nothing was measured yet.
    pub peak: Option<u64>,
    /// How often something was refused or ended because of it, since the server started.
    pub reached: u64,
}

/// A value that holds for all plugins of a laboratory of which nothing else is said.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LaboratoryLimit {
    /// Its name.
    pub name: &'static str,
    /// What it bounds.
    pub about: &'static str,
    /// What the laboratory says; null where it says nothing.
    pub value: Option<u64>,
    /// What the platform says by itself.
    pub default: u64,
    /// Its greatest value.
    pub max: u64,
    /// `both`, `shared` or `isolated`: the mode of the plugins that are held to it.
    #[schema(value_type = String)]
    pub modes: Modes,
}

/// What was set.
#[derive(Clone, Debug)]
pub struct LimitsSet {
    /// How they stand now.
    pub limits: Vec<LimitStatus>,
    /// Whether the plugin has to be started again for it: a process is given some of them when it starts.
    pub needs_start: bool,
}

/// What one plugin uses on this server.
#[derive(Clone, Debug)]
pub struct Metered {
    /// Slug of its tenant.
    pub tenant: String,
    /// Its slug.
    pub slug: String,
    /// Where it runs.
    pub mode: &'static str,
    /// Requests since its present start.
    pub requests: u64,
    /// Faults since its present start, by who has to do something about them.
    pub faults: [(&'static str, u64); 3],
    /// Its limits.
    pub limits: Vec<LimitStatus>,
}

/// Where a value may come from.
struct Levels<'a> {
    author: &'a LimitChanges,
    laboratory: &'a LimitChanges,
    administrator: &'a LimitChanges,
}

impl Levels<'_> {
    fn source(&self, limit: Limit) -> &'static str {
        let levels = [("administrator", self.administrator), ("laboratory", self.laboratory), ("author", self.author)];
        levels.into_iter().find(|(_, changes)| changes.get(limit).is_some()).map_or("platform", |(name, _)| name)
    }

    fn in_force(&self) -> Result<Limits, Refusal> {
        Limits::in_force(self.author, self.laboratory, self.administrator).map_err(|error| Refusal::invalid(error.to_string()))
    }
}

impl Platform {
    /// The limits of a plugin, and what it uses of them here.
    ///
    /// # Errors
    /// `NOT_FOUND`, `PERMISSION_DENIED`.
    pub async fn plugin_limits(&self, caller: &Caller, slug: &str) -> Result<Vec<LimitStatus>> {
        let _permit = caller.call(self.services()).permit_person(Permission::PluginsView)?;
        if let Some(active) = self.running().developed(caller.tenant, slug, None) {
            let nothing = LimitChanges::default();
            let levels = Levels { author: &nothing, laboratory: &nothing, administrator: &nothing };
            return Ok(statuses(&levels, active.authority.limits(), active.mode, &active));
        }
        let (installation, release) = self.find_installation(caller, slug).await?;
        let laboratory = self.limits_of(caller.tenant).await?;
        let levels = Levels { author: &release.manifest.limits, laboratory: &laboratory, administrator: &installation.limits };
        let limits = levels.in_force()?;
        self.measure(caller, &installation).await?;
        let meters = self.running().meters(installation.id);
        if let Some(active) = self.running().get(installation.id) {
            let _noted = active.admission.usage();
        }
        Ok(rows(&levels, limits, installation.mode(), &meters))
    }

    /// Changes what an administrator says of a plugin's limits. What does not need another start holds from the next call on.
    ///
    /// # Errors
    /// `VALIDATION_ERROR` by the limit's name; `CONFLICT` while an operation on the plugin runs; `NOT_FOUND`,
    /// `PERMISSION_DENIED`.
    pub async fn set_plugin_limits(&self, caller: &Caller, slug: &str, edits: &Edits) -> Result<LimitsSet> {
        let _permit = caller.call(self.services()).permit_person(Permission::PluginsConfigure)?;
        let (found, release) = self.find_installation(caller, slug).await?;
        let held = self.hold_terms().await;
        let mut tx = self.services().db.begin().await?;
        let row = self.lock_unchanging(&mut tx, caller, &found).await?;
        let laboratory = tenant_of(&mut tx, caller.tenant).await?.limits;
        let changes = edited(&row.limits, edits)?;
        let levels = |administrator| Levels { author: &release.manifest.limits, laboratory: &laboratory, administrator };
        let (before, after) = (levels(&row.limits).in_force()?, levels(&changes).in_force()?);
        let now = self.services().clock.now();
        installations::set_limits(&mut tx, caller.tenant, row.id, &changes, now).await?;
        self.note_change(&mut tx, caller, "plugin.limits", &format!("plugin:{slug}"), &json!(edits)).await?;
        tx.commit().await?;
        let mut changed = row;
        changed.limits = changes;
        self.follow_terms(&changed, &laboratory);
        drop(held);
        let differs = |limit: &&Limit| before.get(**limit) != after.get(**limit);
        let needs_start = changed.state.serves() && changed.mode() == Mode::Isolated && OF_A_START.iter().any(|l| differs(&l));
        Ok(LimitsSet { limits: self.plugin_limits(caller, slug).await?, needs_start })
    }

    /// What the caller's laboratory says of limits.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`.
    pub async fn laboratory_defaults(&self, caller: &Caller) -> Result<Vec<LaboratoryLimit>> {
        let _permit = caller.call(self.services()).permit_person(Permission::PluginsView)?;
        let said = self.limits_of(caller.tenant).await?;
        let row = |row: &mint_domain::limit::Row| LaboratoryLimit {
            name: row.name,
            about: row.about.trim(),
            value: said.get(row.limit),
            default: row.default,
            max: row.max,
            modes: row.modes,
        };
        Ok(TABLE.iter().map(row).collect())
    }

    /// Changes what the caller's laboratory says of limits. It holds for its plugins from the next call on, and for processes
    /// that are started from now on.
    ///
    /// # Errors
    /// `VALIDATION_ERROR` by the limit's name; `PERMISSION_DENIED`.
    pub async fn set_laboratory_defaults(&self, caller: &Caller, edits: &Edits) -> Result<Vec<LaboratoryLimit>> {
        let _permit = caller.call(self.services()).permit_person(Permission::PluginsConfigure)?;
        let held = self.hold_terms().await;
        let mut tx = self.services().db.begin().await?;
        let tenant = tenants::lock(&mut tx, caller.tenant).await?;
        let tenant = tenant.ok_or_else(|| Refusal::not_found("laboratory", caller.tenant))?;
        let changes = edited(&tenant.limits, edits)?;
        tenants::set_limits(&mut tx, caller.tenant, &changes).await?;
        self.note_change(&mut tx, caller, "laboratory.limits", "laboratory", &json!(edits)).await?;
        let rows = installations::list(&mut tx, caller.tenant).await?;
        tx.commit().await?;
        for row in &rows {
            self.follow_terms(row, &changes);
        }
        drop(held);
        self.laboratory_defaults(caller).await
    }

    /// What the plugins of the caller's tenant use on this server. Asks no database.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`.
    pub fn metered(&self, caller: &Caller) -> Result<Vec<Metered>> {
        let _permit = caller.call(self.services()).permit_person(Permission::PlatformViewLogs)?;
        let nothing = LimitChanges::default();
        let levels = Levels { author: &nothing, laboratory: &nothing, administrator: &nothing };
        let metered = |active: Arc<Active>| Metered {
            tenant: active.authority.tenant_slug.to_string(),
            slug: active.slug().to_string(),
            mode: active.mode.as_str(),
            requests: active.usage.requests(),
            faults: active.usage.faults(),
            limits: statuses(&levels, active.authority.limits(), active.mode, &active),
        };
        Ok(self.running().of_tenant(caller.tenant).into_iter().map(metered).collect())
    }

    /// What a laboratory says of limits. Its share of the server is put in force beside.
    pub(crate) async fn limits_of(&self, tenant: TenantId) -> Result<LimitChanges> {
        let row = tenant_of(&mut self.services().db.read().await?, tenant).await?;
        self.laboratories().obey(tenant, &row.share);
        Ok(row.limits)
    }

    /// The same, for a start.
    pub(crate) async fn laboratory_limits(&self, tenant: TenantId) -> Result<LimitChanges, Failure> {
        self.limits_of(tenant).await.map_err(|error| {
            let reason = format!("The limits of the laboratory could not be read: {}", error.public().message);
            Failure::new(database::OUTAGE, reason, "Reload the plugin when the database answers again.")
        })
    }

    /// Has what runs of an installation obey what its row, and its laboratory, say now.
    pub(crate) fn follow_terms(&self, row: &Installation, laboratory: &LimitChanges) {
        let running = self.running().get(row.id).filter(|active| active.generation == row.generation);
        let Some(active) = running else { return };
        // What a row says was checked when it was written.
        let Ok(limits) = Limits::in_force(&active.authority.manifest.limits, laboratory, &row.limits) else { return };
        obey(&active, mint_context::Terms { grants: Arc::new(row.grants.clone()), limits });
    }

    /// The row of an installation, locked, which no operation is about to change.
    pub(crate) async fn lock_unchanging(&self, tx: &mut Tx, caller: &Caller, found: &Installation) -> Result<Installation> {
        if let Some(running) = operations::running(tx, caller.tenant, &found.slug).await? {
            return Err(busy(Some(running), &found.slug).into());
        }
        let row = installations::lock(tx, caller.tenant, found.id).await?;
        Ok(row.ok_or_else(|| not_installed(&found.slug))?)
    }

    pub(crate) async fn note_change(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        action: &str,
        entity: &str,
        details: &serde_json::Value,
    ) -> Result<()> {
        let entry =
            audit::Entry { actor: &caller.actor.label(), action, entity, request_id: caller.request_id.as_str(), details };
        Ok(audit::record(tx, caller.tenant, &entry, self.services().clock.now()).await?)
    }

    /// Measures what only the databases know.
    async fn measure(&self, caller: &Caller, installation: &Installation) -> Result<()> {
        let meters = self.running().meters(installation.id);
        let mut tx = self.services().db.read().await?;
        meters.set(Limit::objects_bytes_max, objects::bytes_of(&mut tx, caller.tenant, &installation.slug).await?);
        if installation.grants.allow(&Capability::Jobs) {
            meters.set(Limit::jobs_queue_max, jobs::count_waiting(&mut tx, caller.tenant, installation.id).await?);
            meters.set(Limit::jobs_concurrency_max, jobs::count_running(&mut tx, caller.tenant, installation.id).await?);
        }
        drop(tx);
        if installation.grants.allow(&Capability::Database) {
            // Tables that do not answer are told of by the plugin's health, not by its limits.
            if let Ok(bytes) = database::size(self.services(), &caller.tenant_slug, &installation.slug).await {
                meters.set(Limit::database_bytes_max, bytes);
            }
        }
        Ok(())
    }
}

/// Puts terms in force for what runs.
pub(crate) fn obey(active: &Active, terms: mint_context::Terms) {
    if *active.authority.terms() == terms {
        return;
    }
    let limits = terms.limits;
    active.authority.obey(terms);
    active.admission.obey(&limits);
    active.log.obey(limits.log_bytes_per_minute_max);
    active.plugin.obey();
}

async fn tenant_of(tx: &mut Tx, tenant: TenantId) -> Result<Tenant> {
    let row = tenants::get(tx, tenant).await?;
    Ok(row.ok_or_else(|| Refusal::not_found("laboratory", tenant))?)
}

/// `changes` with `edits`, each within its bound.
fn edited(changes: &LimitChanges, edits: &Edits) -> Result<LimitChanges, Refusal> {
    let mut changed = changes.clone();
    for (name, value) in edits {
        let limit = Limit::named(name).ok_or_else(|| {
            let known: Vec<_> = TABLE.iter().map(|row| row.name).collect();
            Refusal::invalid(format!("There is no limit `{name}`. There are {}.", known.join(", ")))
        })?;
        changed.set(limit, *value);
    }
    Limits::default().merged(&changed).map_err(|error| Refusal::invalid(error.to_string()))?;
    Ok(changed)
}

fn statuses(levels: &Levels<'_>, limits: Limits, mode: Mode, active: &Active) -> Vec<LimitStatus> {
    let _noted = active.admission.usage();
    rows(levels, limits, mode, &active.authority.meters)
}

fn rows(levels: &Levels<'_>, limits: Limits, mode: Mode, meters: &mint_context::meters::Meters) -> Vec<LimitStatus> {
    let status = |row: &mint_domain::limit::Row| {
        let reading = meters.read(row.limit);
        LimitStatus {
            name: row.name,
            about: row.about.trim(),
            value: limits.get(row.limit),
            from: levels.source(row.limit),
            max: row.max,
            holds: row.modes.include(mode),
            instead: (!row.modes.include(mode)).then_some(row.elsewhere),
            current: reading.current,
            peak: reading.peak,
            reached: reading.reached,
        }
    };
    TABLE.iter().map(status).collect()
}
