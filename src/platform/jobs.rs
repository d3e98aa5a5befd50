//! Who does which job now. Every server looks for jobs whose time has come, claims those of the plugins that answer here, and renews
//! its claims until their attempts have ended. What a server that is gone had claimed is taken back when the claim has run out.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use mint_context::{
    Call, Result, identity,
    jobs::{Cut, RunningJob, UnderWay},
    logs::Level,
    runtime::{Blame, Fault, Work, Worked},
};
use mint_domain::{
    Actor, Capability, InstallationId, Permission, RequestId, TenantId, UserId,
    job::{self, CANCEL_GRACE, DOCUMENT_BYTES_MAX, ERROR_LENGTH_MAX},
    limit::Limit,
};
use mint_store::jobs::{self, Attempt, Claim, Due, Job, Outcome};
use rand::{Rng as _, seq::SliceRandom as _};
use serde::de::IgnoredAny;
use tokio::time::{Instant, sleep, sleep_until};

use crate::{Platform, admission::JobSeat, dispatch::note, running::Active};

/// How often a server looks for jobs, if nobody wakes it.
const INTERVAL: Duration = Duration::from_secs(1);
/// A claim is renewed, and it is asked whether the job is still wanted, in such a part of the time that it holds …
const KEEP_PART: u32 = 10;
/// … and given up so long before its end, in such a part of it, by a server that cannot renew it.
const MARGIN_PART: u32 = 3;
/// What a job may take beyond its time before its host calls end too, which would tell its end in other words.
const OVERTIME: Duration = Duration::from_secs(10);
/// How often it is read what the person may do for whom a job acts.
const RIGHTS_INTERVAL: Duration = Duration::from_secs(5);
/// Time before another attempt where this one ended for want of room, or because the plugin did not run.
const ROOM_PAUSE: Duration = Duration::from_secs(5);
/// How often ended jobs are looked through for old ones.
const PRUNE_INTERVAL: Duration = Duration::from_secs(60);
/// How long whoever takes a plugin down waits until its jobs are written down as interrupted.
const CUT_PATIENCE: Duration = Duration::from_secs(5);

const LOST: &str = "The server on which it ran ended, or could not be reached.";

/// What a server remembers from one look to the next.
struct Looks {
    kept_at: Instant,
    pruned_at: Option<Instant>,
    /// Installations, and laboratories, of which a job waits for the end of another.
    held: HashSet<InstallationId>,
    held_laboratories: HashSet<TenantId>,
}

/// How an attempt ended here.
enum End {
    Completed(Option<String>),
    /// In words, and whether another attempt is of no use.
    Failed(String, bool),
    Cancelled,
    Interrupted(Duration),
    NotOurs,
}

/// Under whose name an attempt acts.
enum Person {
    Acts(Actor),
    Not(String),
    Unknown,
}

impl Platform {
    /// Does jobs until the platform ends.
    pub(crate) fn do_jobs(self: &Arc<Self>) {
        let platform = self.clone();
        self.spawn(async move {
            let mut looks =
                Looks { kept_at: Instant::now(), pruned_at: None, held: HashSet::new(), held_laboratories: HashSet::new() };
            // An earlier life of this server may have left some.
            while let Err(error) = platform.take_back_jobs(Some(platform.process_id())).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "the jobs of before could not be taken back yet");
                sleep(INTERVAL).await;
            }
            loop {
                if let Err(error) = platform.look_for_jobs(&mut looks).await {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the jobs could not be looked through");
                }
                if looks.kept_at.elapsed() > platform.lease_length() - platform.lease_length() / MARGIN_PART {
                    platform.services().jobs.cut(Cut::NotOurs, |_| true);
                }
                let pause = INTERVAL.mul_f64(rand::rng().random_range(0.8..1.2));
                tokio::select! {
                    () = sleep(pause) => {}
                    () = platform.services().jobs.woken() => {}
                }
            }
        });
    }

    /// Cuts off the jobs of a generation that is about to end. They are done anew by what takes its place.
    pub(crate) async fn interrupt_jobs(&self, active: &Active) {
        let (installation, generation) = (active.authority.installation, active.generation);
        let of_active = |job: &RunningJob| job.installation == installation && job.generation == generation;
        self.services().jobs.cut(Cut::Interrupted, of_active);
        self.services().jobs.none_left(Instant::now() + CUT_PATIENCE, of_active).await;
    }

    /// How many jobs of a generation are being done here.
    pub(crate) fn jobs_of(&self, active: &Active) -> usize {
        let (installation, generation) = (active.authority.installation, active.generation);
        self.services().jobs.count(|job| job.installation == installation && job.generation == generation)
    }

    async fn look_for_jobs(self: &Arc<Self>, looks: &mut Looks) -> Result<()> {
        self.keep_jobs(looks).await?;
        let now = self.services().clock.now();
        let mut tx = self.services().db.read().await?;
        let any_run_out = jobs::any_run_out(&mut tx, now).await?;
        let due = jobs::due(&mut tx, now).await?;
        drop(tx);
        if any_run_out {
            self.take_back_jobs(None).await?;
        }
        if looks.pruned_at.is_none_or(|at| at.elapsed() > PRUNE_INTERVAL) {
            looks.pruned_at = Some(Instant::now());
            let mut tx = self.services().db.begin().await?;
            jobs::prune(&mut tx, now - job::KEPT_FOR).await?;
            tx.commit().await?;
        }
        looks.held.retain(|held| due.iter().any(|due| due.installation_id == *held));
        looks.held_laboratories.retain(|held| due.iter().any(|due| due.tenant_id == *held));
        self.begin_jobs(due, looks).await
    }

    /// Begins what can be begun, one job of each plugin after the other; those of laboratories that have the fewest here come first.
    async fn begin_jobs(self: &Arc<Self>, mut due: Vec<Due>, looks: &mut Looks) -> Result<()> {
        due.shuffle(&mut rand::rng());
        while !due.is_empty() {
            let mut busy: HashMap<TenantId, usize> = HashMap::new();
            for job in self.services().jobs.all() {
                *busy.entry(job.tenant).or_default() += 1;
            }
            if busy.values().sum::<usize>() >= self.jobs_max() {
                return Ok(());
            }
            due.sort_by_key(|due| busy.get(&due.tenant_id).copied().unwrap_or_default());
            let mut more = Vec::new();
            for due in due {
                if self.begin_job(due, looks).await? {
                    more.push(due);
                }
            }
            due = more;
        }
        Ok(())
    }

    /// Begins the next job of a plugin. False when it has none that may begin now.
    async fn begin_job(self: &Arc<Self>, due: Due, looks: &mut Looks) -> Result<bool> {
        let may = |active: &Arc<Active>| active.authority.grants().allow(&Capability::Jobs);
        let Some(active) = self.running().get(due.installation_id).filter(may) else { return Ok(false) };
        if self.services().jobs.count(|_| true) >= self.jobs_max() {
            return Ok(false);
        }
        let laboratory = self.laboratories().of(due.tenant_id);
        let Some(seat) = laboratory.begin_job() else {
            if looks.held_laboratories.insert(due.tenant_id) {
                laboratory.jobs_reached();
                active.log.limit_reached("laboratory_jobs_max");
            }
            return Ok(false);
        };
        let (limits, now) = (active.authority.limits(), self.services().clock.now());
        let mut tx = self.services().db.begin().await?;
        let whose = (due.tenant_id, due.installation_id);
        let claimed =
            jobs::claim(&mut tx, whose, limits.jobs_concurrency_max, (self.process_id(), now + self.lease_length()), now).await?;
        tx.commit().await?;
        match claimed {
            Claim::Job(row, running) => {
                active.authority.meters.set(Limit::jobs_concurrency_max, running);
                looks.held.remove(&due.installation_id);
                let job = RunningJob::new(&row, due.tenant_id, active.generation);
                let under_way = self.services().jobs.begin(job);
                let platform = self.clone();
                self.track(async move { platform.attempt(&active, &row, under_way, seat).await });
                Ok(true)
            }
            Claim::Full => {
                if looks.held.insert(due.installation_id) {
                    active.log.limit_reached(Limit::jobs_concurrency_max.name());
                }
                Ok(false)
            }
            Claim::Nothing => Ok(false),
        }
    }

    /// Renews the claims of what is being done here, and of nothing else: a claim that nobody works on is to run out. Tells its jobs
    /// what became of them, and writes down how far they are.
    async fn keep_jobs(&self, looks: &mut Looks) -> Result<()> {
        let running = self.services().jobs.all();
        if running.is_empty() {
            looks.kept_at = Instant::now();
            return Ok(());
        }
        let told: Vec<_> = running.iter().map(|job| job.progress()).collect();
        let is_news = told.iter().any(|(_, is_new)| *is_new);
        if !is_news && looks.kept_at.elapsed() < self.lease_length() / KEEP_PART {
            return Ok(());
        }
        let (at, until) = (Instant::now(), self.services().clock.now() + self.lease_length());
        let mut tx = self.services().db.begin().await?;
        let mut kept = Vec::with_capacity(running.len());
        for (job, (progress, _)) in running.iter().zip(&told) {
            kept.push(jobs::keep(&mut tx, self.attempt_of(job), progress, until).await?);
        }
        tx.commit().await?;
        looks.kept_at = at;
        for (job, kept) in running.iter().zip(kept) {
            match kept {
                Some(true) => job.cancel(),
                Some(false) => {}
                // It is somebody else's, or its plugin or person is gone. One that ended in this moment has no more use for it.
                None => job.cut(Cut::NotOurs),
            }
        }
        Ok(())
    }

    async fn take_back_jobs(&self, owner: Option<&str>) -> Result<()> {
        let mut tx = self.services().db.begin().await?;
        let taken = jobs::take_back(&mut tx, owner, LOST, self.services().clock.now()).await?;
        tx.commit().await?;
        if taken > 0 {
            tracing::warn!(jobs = taken, "jobs were taken back from a server that ended, or could not be reached");
        }
        Ok(())
    }

    fn attempt_of<'a>(&'a self, job: &RunningJob) -> Attempt<'a> {
        Attempt { tenant: job.tenant, job: job.id, owner: self.process_id(), number: job.attempt }
    }

    /// Does a job once, and writes down how that ended.
    async fn attempt(self: &Arc<Self>, active: &Active, row: &Job, under_way: UnderWay, seat: JobSeat) {
        let (job, began) = (&under_way.job, Instant::now());
        let request_id = RequestId::parse(&row.request_id).unwrap_or_else(|| self.fresh_request_id());
        let end = self.work(active, row, job, &request_id).await;
        // What goes on for a moment tells nothing any more.
        job.cut(Cut::NotOurs);
        let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        active.authority.meters.observe(Limit::job_ms_max, took);
        self.write_end(active, row, job, &request_id, end).await;
        drop(seat);
        drop(under_way);
        active.authority.meters.set(Limit::jobs_concurrency_max, self.jobs_of(active) as u64);
    }

    async fn work(&self, active: &Active, row: &Job, job: &Arc<RunningJob>, request_id: &RequestId) -> End {
        let actor = match self.person_of(active, row).await {
            Person::Acts(actor) => actor,
            Person::Not(why) => return End::Failed(why, true),
            Person::Unknown => return End::Interrupted(ROOM_PAUSE),
        };
        let time = Duration::from_millis(active.authority.limits().job_ms_max);
        let deadline = Instant::now() + time;
        let call = Call {
            services: self.services().clone(),
            tenant: active.authority.tenant,
            actor: actor.clone(),
            plugin: Some(active.authority.clone()),
            service: None,
            job: Some(job.clone()),
            request_id: request_id.clone(),
            // Its end is told here, in the same words for every plugin.
            deadline: deadline + OVERTIME,
        };
        let work = Work { kind: row.kind.clone(), payload: row.payload.clone() };
        tokio::select! {
            biased;
            worked = active.plugin.run_job(call, work) => match worked {
                _ if job.is_cancelled() => End::Cancelled,
                Ok(Worked::Done(outcome)) => checked(outcome),
                Ok(Worked::Failed { message, is_final }) => End::Failed(message, is_final),
                Err(fault) => broken(active, request_id, &fault),
            },
            why = job.is_cut() => match why {
                Cut::Interrupted => End::Interrupted(Duration::ZERO),
                Cut::NotOurs => End::NotOurs,
            },
            () = self.stopping().cancelled() => End::Interrupted(Duration::ZERO),
            () = unwanted(job) => End::Cancelled,
            () = job.silent() => {
                let promised = job.heartbeat.unwrap_or_default().as_secs();
                End::Failed(format!("It gave no sign of life for the {promised} s that it promised one within."), false)
            }
            () = sleep_until(deadline) => {
                active.log.limit_reached(Limit::job_ms_max.name());
                End::Failed(format!("It took longer than the {} s that a job may take.", time.as_secs_f64()), false)
            }
            () = self.other_rights(active, row, &actor) => End::Interrupted(Duration::ZERO),
        }
    }

    /// For whom the plugin acts, with what they may do now.
    async fn person_of(&self, active: &Active, row: &Job) -> Person {
        let plugin = active.slug();
        let Some(id) = row.user_id.map(UserId) else { return Person::Acts(Actor::Plugin(plugin.clone())) };
        match identity::person(self.services(), active.authority.tenant, id).await {
            Ok(Some(user)) => {
                let bound = row.permissions.as_ref().map(|permissions| permissions.0.as_slice());
                let actor = Actor::User(Arc::new(user.bounded(false, bound)));
                if actor.may(Permission::PluginsUse) && actor.sees_plugin(plugin.as_str()) {
                    return Person::Acts(actor);
                }
                Person::Not("Whoever asked for it may not use this plugin any more.".to_owned())
            }
            Ok(None) => Person::Not("Whoever asked for it may not sign in any more.".to_owned()),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "it could not be read for whom a job acts");
                Person::Unknown
            }
        }
    }

    /// Waits until the person may do other things than when the attempt began. It is then begun anew, with what they may do.
    async fn other_rights(&self, active: &Active, row: &Job, before: &Actor) {
        if row.user_id.is_none() {
            return std::future::pending().await;
        }
        loop {
            sleep(RIGHTS_INTERVAL).await;
            match self.person_of(active, row).await {
                Person::Acts(now) if now == *before => {}
                Person::Unknown => {}
                Person::Acts(_) | Person::Not(_) => return,
            }
        }
    }

    /// Writes down how an attempt ended. Where the database does not answer for longer than the claim holds, whoever finds that it
    /// has run out begins the job anew.
    async fn write_end(&self, active: &Active, row: &Job, job: &RunningJob, request_id: &RequestId, end: End) {
        let end = match end {
            End::Failed(message, is_final) => End::Failed(kept(&message), is_final),
            other => other,
        };
        let now = self.services().clock.now();
        let failures = u32::try_from(row.failures).unwrap_or(u32::MAX).saturating_add(1);
        let outcome = match &end {
            End::NotOurs => return,
            End::Completed(outcome) => Outcome::Completed(outcome.as_deref()),
            End::Cancelled => Outcome::Cancelled,
            End::Interrupted(pause) => Outcome::Interrupted(now + *pause),
            End::Failed(message, is_final) if *is_final || i64::from(failures) > row.retries => Outcome::Failed(message),
            End::Failed(message, _) => {
                Outcome::Retried(message, now + job::pause(failures).mul_f64(rand::rng().random_range(0.9..1.1)))
            }
        };
        if let End::Failed(message, _) = &end {
            let line = format!("attempt {} at job {} (`{}`) failed: {message}", job.attempt, job.id, row.kind);
            active.log.line(Level::Warn, "platform", Some(request_id), &line);
        }
        let given_up = Instant::now() + self.lease_length();
        loop {
            match self.write_outcome(job, outcome).await {
                Ok(_) => return,
                Err(error) if Instant::now() >= given_up => {
                    tracing::error!(job.id = %job.id, error = &error as &dyn std::error::Error, "the end of a job could not be written down");
                    return;
                }
                Err(_) => sleep(INTERVAL).await,
            }
        }
    }

    async fn write_outcome(&self, job: &RunningJob, outcome: Outcome<'_>) -> Result<bool> {
        let attempt = self.attempt_of(job);
        let mut tx = self.services().db.begin().await?;
        let (progress, _) = job.progress();
        let is_ours = jobs::finish(&mut tx, attempt, &progress, outcome, self.services().clock.now()).await?;
        tx.commit().await?;
        Ok(is_ours)
    }
}

/// Waits until a job goes on for too long that nobody wants.
async fn unwanted(job: &RunningJob) {
    job.cancelled().await;
    sleep(CANCEL_GRACE).await;
}

/// What came of a job, if it can be kept.
fn checked(outcome: Option<String>) -> End {
    let Some(outcome) = outcome else { return End::Completed(None) };
    if outcome.len() > DOCUMENT_BYTES_MAX {
        let message = format!("It is done, but what it gave has {} bytes; at most {DOCUMENT_BYTES_MAX} are kept.", outcome.len());
        return End::Failed(message, true);
    }
    match serde_json::from_str::<IgnoredAny>(&outcome) {
        Ok(_) => End::Completed(Some(outcome)),
        Err(error) => End::Failed(format!("It is done, but what it gave is not JSON: {error}."), true),
    }
}

/// What is kept of a plugin's words. One of the databases has no zero bytes.
fn kept(message: &str) -> String {
    message.chars().filter(|character| *character != '\0').take(ERROR_LENGTH_MAX).collect()
}

/// How an attempt ended that the plugin does not say the end of.
fn broken(active: &Active, request_id: &RequestId, fault: &Fault) -> End {
    let refusal = note(active, request_id, fault);
    match fault {
        Fault::Full | Fault::Down(_) | Fault::NotStarted(_) => End::Interrupted(ROOM_PAUSE),
        other if other.blame() == Blame::Client => End::Interrupted(ROOM_PAUSE),
        _ => End::Failed(refusal.message, false),
    }
}
