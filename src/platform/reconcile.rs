//! Makes what runs in this process equal what the rows want. Takes no input; runs at start and then by polling, so that
//! a change made through another replica arrives here too.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use futures_util::StreamExt as _;
use mint_context::{Error, Result, database::OUTAGE, objects, runtime::Release, settings};
use mint_domain::{InstallationId, Kind, Refusal, State, TenantId, Unsealed, lifecycle::Failure};
use mint_store::{
    installations::{self, Changes, Installation},
    tenants::{self, Tenant},
};
use rand::Rng as _;
use tokio::time::Instant;

use crate::{
    Caller, Platform,
    content::FETCH,
    home::FILES,
    platform::STOP_GRACE,
    running::{Active, Starting},
    start::SECRETS,
    tenants::Deletions,
};

/// Time between two looks at whether anything changed, before jitter.
const INTERVAL: Duration = Duration::from_secs(1);
/// Time after which everything is looked at, whether or not something changed.
const WHOLE_INTERVAL: Duration = Duration::from_secs(10);
/// Time after which a plugin that could not be started here, but runs elsewhere, is tried again.
const RETRY_INTERVAL: Duration = Duration::from_secs(30);
/// Time between two looks for what nobody uses.
const TIDY_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);
/// Plugins started at once.
const STARTS_AT_ONCE: usize = 2;

/// What was found by the last look that left nothing to do.
#[derive(Clone, Copy)]
struct Settled {
    changes: Changes,
    at: Instant,
}

/// A start that failed here, of a plugin that runs elsewhere.
#[derive(Clone, Debug)]
pub(crate) struct FailedHere {
    pub(crate) generation: i64,
    pub(crate) failure: Failure,
    at: Instant,
}

/// What is to be done about an installation.
enum Task {
    Start,
    Probe,
    Settings(Arc<Active>),
}

impl Platform {
    /// Starts what should run and takes up what was interrupted, and goes on looking until the platform ends.
    pub fn reconcile(self: &Arc<Self>) {
        self.report();
        self.obey_cancellations();
        self.do_jobs();
        let platform = self.clone();
        self.spawn(async move {
            let (mut tidied, mut settled, mut deletions) = (None, None, Deletions::default());
            loop {
                if let Err(error) = platform.delete_tenants(&mut deletions).await {
                    tracing::warn!(error = &error as &dyn std::error::Error, "no laboratory could be deleted");
                }
                if let Err(error) = platform.look_again(&mut settled).await {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the platform could not be reconciled");
                }
                if tidied.is_none_or(|at: Instant| at.elapsed() > TIDY_INTERVAL) {
                    tidied = Some(Instant::now());
                    platform.tidy().await;
                }
                let jitter = INTERVAL.mul_f64(rand::rng().random_range(0.8..1.2));
                tokio::time::sleep(jitter).await;
            }
        });
    }

    async fn look_again(self: &Arc<Self>, settled: &mut Option<Settled>) -> Result<()> {
        self.take_up_operations().await?;
        objects::sweep(self.services()).await?;
        let changes = installations::changes(&mut self.services().db.read().await?).await?;
        let is_settled = settled.is_some_and(|before| before.changes == changes && before.at.elapsed() < WHOLE_INTERVAL);
        if is_settled && !self.presence().must_look() {
            return Ok(());
        }
        let at = Instant::now();
        *settled = self.look().await?.then_some(Settled { changes, at });
        Ok(())
    }

    /// Starts, restarts and stops until this process runs what the rows want. False when something is left to do.
    async fn look(self: &Arc<Self>) -> Result<bool> {
        let held = self.hold_terms().await;
        let mut tx = self.services().db.read().await?;
        let tenants: HashMap<_, _> = tenants::list(&mut tx).await?.into_iter().map(|tenant| (tenant.id, tenant)).collect();
        let wanted = installations::list_all(&mut tx).await?;
        drop(tx);
        for tenant in tenants.values() {
            self.laboratories().obey(tenant.id, &tenant.share);
        }
        // What an operation of this process is changing is the operation's to start and stop.
        let changing: HashSet<(TenantId, String)> =
            self.operations_here().values().map(|here| (here.tenant, here.plugin.clone())).collect();
        let suspended = tenants.values().filter(|tenant| tenant.suspended.is_some()).map(|tenant| tenant.id).collect();
        self.stop_unwanted(&wanted, &changing, &suspended);
        let known: HashSet<InstallationId> = wanted.iter().map(|row| row.id).collect();
        self.running().keep_meters(|id| known.contains(&id));
        let (mine, others): (Vec<_>, Vec<_>) =
            wanted.into_iter().partition(|row| !changing.contains(&(row.tenant_id, row.slug.clone())));
        let tasks: Vec<_> = mine.into_iter().filter_map(|row| self.task(row, &tenants)).collect();
        drop(held);
        let is_settled = others.is_empty() && tasks.is_empty();
        futures_util::stream::iter(tasks)
            .for_each_concurrent(STARTS_AT_ONCE, |(caller, row, task)| async move {
                match task {
                    Task::Start => self.catch_up(&caller, row).await,
                    Task::Settings(active) => self.hand_over(&caller, row, &active).await,
                    Task::Probe => {
                        if let Err(error) = self.probe(caller, &row.slug).await {
                            tracing::warn!(plugin.slug = row.slug, error = %error, "a quarantined plugin could not be probed");
                        }
                    }
                }
            })
            .await;
        Ok(is_settled)
    }

    /// Takes down what no row wants any more. Each finishes what it has begun.
    fn stop_unwanted(
        self: &Arc<Self>,
        wanted: &[Installation],
        changing: &HashSet<(TenantId, String)>,
        suspended: &HashSet<TenantId>,
    ) {
        let known: HashMap<InstallationId, &Installation> = wanted.iter().map(|row| (row.id, row)).collect();
        // Nobody counts on a server that was silent for long: what it does not serve as the rows want it, it serves no longer.
        let must_look = self.presence().must_look();
        let unwanted = |active: &Arc<Active>| {
            known.get(&active.authority.installation).is_none_or(|row| match &row.state {
                _ if suspended.contains(&row.tenant_id) => !changing.contains(&(row.tenant_id, row.slug.clone())),
                State::Failed(_) => true,
                // Another process may be changing it in a way that nobody may answer through.
                state if !state.serves() => !changing.contains(&(row.tenant_id, row.slug.clone())),
                _ => must_look && row.generation != active.generation,
            })
        };
        // What a developer runs has no row, and ends with its developer.
        let installed = self.running().all().into_iter().filter(|active| active.developed.is_none());
        for active in installed.filter(unwanted) {
            let (tenant, id) = (active.authority.tenant, active.authority.installation);
            if let Some(removed) = self.running().remove(tenant, id, Some(active.generation)) {
                self.track(self.drain(removed));
            }
        }
        if must_look {
            self.presence().looked();
        }
    }

    /// What is to be done about an installation here, if anything.
    fn task(&self, row: Installation, tenants: &HashMap<TenantId, Tenant>) -> Option<(Caller, Installation, Task)> {
        let tenant = tenants.get(&row.tenant_id).filter(|tenant| tenant.suspended.is_none())?;
        let caller = Caller::system(row.tenant_id, tenant.slug.clone(), self.fresh_request_id());
        self.follow_terms(&row, &tenant.limits);
        let task = match &row.state {
            State::Ready => match self.running().get(row.id).filter(|active| active.generation == row.generation) {
                Some(active) => self.has_other_settings(&active, &row).then_some(Task::Settings(active))?,
                None if self.failed_lately(&row) => return None,
                None => Task::Start,
            },
            State::Failed(Failure { quarantine: Some(quarantine), .. })
                if quarantine.next_probe_at <= self.services().clock.now() =>
            {
                Task::Probe
            }
            _ => return None,
        };
        Some((caller, row, task))
    }

    fn failed_lately(&self, row: &Installation) -> bool {
        self.failed_here()
            .get(&row.id)
            .is_some_and(|failed| failed.generation == row.generation && failed.at.elapsed() < RETRY_INTERVAL)
    }

    fn has_other_settings(&self, active: &Active, row: &Installation) -> bool {
        // What does not open here is told where it is needed; the plugin goes on with what it has.
        self.effective(active, row).is_ok_and(|settings| active.given.differ(&settings, row.revision))
    }

    fn effective(&self, active: &Active, row: &Installation) -> Result<Unsealed, Refusal> {
        settings::in_force(self.services(), row.tenant_id, &active.authority.manifest, &row.settings)
    }

    /// Gives a plugin the settings that it was given elsewhere. One that refuses them is started with them.
    async fn hand_over(self: &Arc<Self>, caller: &Caller, row: Installation, active: &Active) {
        // It may have been given newer ones here since the row was read.
        let row = match self.find_installation(caller, &row.slug).await {
            Ok((now, _)) if now.id == row.id => now,
            Ok(_) | Err(_) => row,
        };
        let Ok(settings) = self.effective(active, &row) else { return };
        if active.given.are(&settings) {
            return;
        }
        match active.plugin.apply_settings(settings.clone()).await {
            Ok(()) => active.given.took(settings),
            Err(words) => {
                let (services, manifest) = (self.services(), &active.authority.manifest);
                let words = settings::without_secrets(services, row.tenant_id, manifest, &row.settings, &words);
                tracing::warn!(plugin.slug = row.slug, said = words, "a plugin refused settings that it took elsewhere");
                self.catch_up(caller, row).await;
            }
        }
    }

    /// Starts an installation that is Ready but does not run here at its present generation, unless it is changed meanwhile.
    pub(crate) async fn catch_up(self: &Arc<Self>, caller: &Caller, row: Installation) {
        let starting = self.running().begin_starting(row.id).await;
        match self.wanted(caller, &row).await {
            Ok(Some((row, release))) => self.bring_up(&starting, caller, row, &release).await,
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(
                    plugin.slug = row.slug,
                    error = &error as &dyn std::error::Error,
                    "a plugin could not be started yet"
                );
            }
        }
    }

    /// Starts an installation as its row says, and lets it answer.
    pub(crate) async fn bring_up(
        self: &Arc<Self>,
        starting: &Starting,
        caller: &Caller,
        mut row: Installation,
        release: &Arc<Release>,
    ) {
        let staged = async {
            self.bring(release).await?;
            self.obey_configuration(&mut row, release).await?;
            self.runtime(row.mode()).stage(release, &row.grants).await
        };
        let staged = tokio::select! {
            staged = staged => staged,
            () = starting.unwanted.cancelled() => return,
        };
        // What it does to its files and tables goes on when nobody waits for it, so this is waited for.
        let started = match staged {
            Ok(()) => self.start(caller, &row, release).await,
            Err(failure) => Err(failure),
        };
        match started {
            Ok(active) if starting.unwanted.is_cancelled() => active.plugin.stop(STOP_GRACE).await,
            Err(_) if starting.unwanted.is_cancelled() => {}
            Ok(active) => {
                self.failed_here().remove(&row.id);
                if let Some(old) = self.put_up(&Arc::new(active)) {
                    // Streams may take their time; the next look does not wait for them.
                    self.track(self.drain(old));
                }
            }
            // What is down may come back; what runs elsewhere is not broken.
            Err(failure)
                if matches!(failure.phase.as_str(), FETCH | OUTAGE | FILES | SECRETS)
                    || self.runs_elsewhere(row.id, row.generation).await =>
            {
                tracing::error!(tenant.id = %caller.tenant_slug, plugin.slug = row.slug, error = %failure,
                    "a plugin could not be started here; it will be tried again");
                self.failed_here().insert(row.id, FailedHere { generation: row.generation, failure, at: Instant::now() });
            }
            Err(failure) => {
                tracing::error!(tenant.id = %caller.tenant_slug, plugin.slug = row.slug, error = %failure, "a plugin could not be started");
                self.fault(row.tenant_id, row.id, failure).await;
            }
        }
    }

    /// What is to be started, if it is still wanted. The other servers know by then that it is about to be.
    async fn wanted(&self, caller: &Caller, row: &Installation) -> Result<Option<(Installation, Arc<Release>)>> {
        if self.services().db.is_shared() {
            self.tell().await?;
        }
        match self.find_installation(caller, &row.slug).await {
            Ok((now, release)) => {
                let is_wanted = now.id == row.id && now.generation == row.generation && now.state.serves();
                Ok(is_wanted.then_some((now, release)))
            }
            Err(Error::Refused(refusal)) if refusal.kind == Kind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether another server answers with this start, or whether that cannot be known.
    async fn runs_elsewhere(&self, id: InstallationId, generation: i64) -> bool {
        let Ok(others) = self.replicas().await else { return true };
        let mut others = others.iter().filter(|other| other.id != self.process_id());
        others.any(|other| other.serves.iter().any(|s| s.installation == id && s.generation == generation && s.release.is_some()))
    }
}
