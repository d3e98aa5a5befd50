//! One history: compared, applied, taken back. Each migration has a transaction, a lock and a look at what was applied of its own.

use std::{sync::Arc, time::Duration};

use mint_context::{
    PluginAuthority, Services, database, migration_ops,
    migration_ops::Record,
    runtime::{Migrations, Release},
};
use mint_domain::{
    Capability, Refusal,
    lifecycle::Failure,
    limit::Limit,
    migration::{self, AppliedMigration, Direction, Migration, Mismatch, Pending},
};
use mint_store::installations::Installation;
use tokio::time::Instant;

use crate::{Caller, Platform, progress::Meter, start::Terms};

/// How long the note of a failure, and a look at what was applied, may take.
const NOTE_TIMEOUT: Duration = Duration::from_secs(10);

/// The history of a release's tables, beside what was done to those of an installation.
#[derive(Debug)]
pub(crate) struct History {
    services: Arc<Services>,
    authority: Arc<PluginAuthority>,
    code: Box<dyn Migrations>,
    /// What the release declares.
    pub(crate) declared: Vec<Migration>,
    /// What was tried.
    pub(crate) applied: Vec<AppliedMigration>,
}

impl Platform {
    /// The history of a staged release for an installation; none where it has no tables, or no history.
    ///
    /// # Errors
    /// A [`Failure`] when the release does not say, or the database does not answer.
    pub(crate) async fn history(
        &self,
        caller: &Caller,
        installation: &Installation,
        release: &Arc<Release>,
    ) -> Result<Option<History>, Failure> {
        if !installation.grants.allow(&Capability::Database) {
            return Ok(None);
        }
        let laboratory = self.laboratory_limits(caller.tenant).await?;
        let mut activation = self.prepare(caller, &Terms::of(installation, &laboratory), release)?.activation;
        database::prepare(self.services(), &activation.authority).await?;
        let mut limits = activation.authority.limits();
        // A migration is no request: it computes and waits for as long as its own limit says.
        limits.cpu_ms_max = limits.migration_ms_max;
        limits.wall_ms_max = limits.migration_ms_max;
        let authority = Arc::new(activation.authority.under(limits));
        activation.authority = Arc::clone(&authority);
        activation.call.plugin = Some(Arc::clone(&authority));
        let services = Arc::clone(self.services());
        let applied = migration_ops::applied(&services, &authority, Instant::now() + NOTE_TIMEOUT).await.map_err(unanswered)?;
        let Some(code) = self.runtime(installation.mode()).migrations(activation).await? else {
            // A release without a history can go back to nothing that takes something away.
            migration::pending(&[], &applied).map_err(|mismatch| refused(&mismatch))?;
            return Ok(None);
        };
        let declared = migration::numbered(code.list().await?, &applied);
        Ok(Some(History { services, authority, code, declared, applied }))
    }
}

impl History {
    /// What is missing.
    ///
    /// # Errors
    /// [`Mismatch`] of what is there and what the release knows.
    pub(crate) fn pending(&self) -> Result<Pending, Mismatch> {
        migration::pending(&self.declared, &self.applied)
    }

    /// Lets the release look at tables that it did not make, or whose history is complete. What it takes over is written down: nothing
    /// was changed for it, so earlier code goes on with it.
    ///
    /// # Errors
    /// It cannot go on from them.
    pub(crate) async fn look(&mut self) -> Result<usize, Failure> {
        let is_done =
            |one: &Migration| self.applied.iter().any(|then| then.error.is_none() && then.migration.version == one.version);
        let done = self.declared.iter().filter(|one| is_done(one)).count();
        if !self.declared.iter().any(|one| one.named) || !(done == 0 || done == self.declared.len()) {
            return Ok(0);
        }
        let begun = migration_ops::begin(&self.services, &self.authority, false, self.deadline()).await;
        let (ops, applied) = begun.map_err(unanswered)?;
        let looked = self.call(self.code.look(&applied, ops.clone())).await;
        let applied_at = self.services.clock.now();
        let adopted = |one: &Migration| {
            let migration = Migration { destructive: false, named: false, ..one.clone() };
            AppliedMigration { migration, applied_at, error: None }
        };
        let found = looked.map(|count| self.declared.iter().take(count).map(adopted).collect::<Vec<_>>());
        let noted = match &found {
            Ok(found) if !found.is_empty() => ops.finish(Record::Adopted(found.clone())).await.map_err(unanswered),
            _ => Ok(()),
        };
        ops.abandon().await;
        noted?;
        let found = found.map_err(|words| strange(&words))?;
        self.applied.extend(found.iter().cloned());
        Ok(found.len())
    }

    /// Applies migrations, one after the other, and counts them. Gives how many others had not applied meanwhile.
    ///
    /// # Errors
    /// The first that failed: it is noted, and nothing of it is left; those before it stay.
    pub(crate) async fn apply(&mut self, migrations: &[Migration], meter: &Meter) -> Result<usize, Failure> {
        let mut count = 0;
        meter.expect(migrations.len() as u64);
        for migration in migrations {
            let began = self.deadline();
            let begun = migration_ops::begin(&self.services, &self.authority, migration.destructive, began).await;
            let (ops, applied) = begun.map_err(unanswered)?;
            if let Err(mismatch) = migration::pending(&self.declared, &applied) {
                ops.abandon().await;
                return Err(refused(&mismatch));
            }
            if applied.iter().any(|one| one.error.is_none() && one.migration.version == migration.version) {
                ops.abandon().await;
                meter.add(1);
                continue;
            }
            let tried = |error| {
                let (migration, applied_at) = (migration.clone(), self.services.clock.now());
                Record::Tried(AppliedMigration { migration, applied_at, error })
            };
            let done = match self.call(self.code.apply(migration, Direction::Up, ops.clone())).await {
                Ok(()) => ops.finish(tried(None)).await.map_err(|error| error.public().message),
                Err(words) => Err(words),
            };
            ops.abandon().await;
            if let Err(words) = done {
                let noting = Instant::now() + NOTE_TIMEOUT;
                let record = tried(Some(words.clone()));
                if let Err(error) = migration_ops::note(&self.services, &self.authority, record, noting).await {
                    tracing::error!(plugin.slug = %self.authority.slug(), error = %error, "a failed migration could not be noted");
                }
                return Err(failed(migration, &words));
            }
            tracing::info!(tenant.id = %self.authority.tenant_slug, plugin.slug = %self.authority.slug(), version = migration.version, name = migration.name, "a migration was applied");
            meter.add(1);
            count += 1;
        }
        Ok(count)
    }

    /// Takes one back.
    ///
    /// # Errors
    /// Nothing of it was taken back.
    pub(crate) async fn revert(&mut self, migration: &Migration) -> Result<(), Failure> {
        let (ops, _) = migration_ops::begin(&self.services, &self.authority, true, self.deadline()).await.map_err(unanswered)?;
        let done = match self.call(self.code.apply(migration, Direction::Down, ops.clone())).await {
            Ok(()) => ops.finish(Record::Reverted(migration.version)).await.map_err(|error| error.public().message),
            Err(words) => Err(words),
        };
        ops.abandon().await;
        done.map_err(|words| {
            let reason = format!("Migration {} (`{}`) cannot be taken back: {words}", migration.version, migration.name);
            Failure::new("reset", reason, "Reload the plugin, to go on with the release that is installed.")
        })
    }

    async fn call<T>(&self, work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
        let time = Duration::from_millis(self.authority.limits().migration_ms_max);
        let began = Instant::now();
        let applied = tokio::time::timeout(time, work).await;
        let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.authority.meters.observe(Limit::migration_ms_max, ms);
        if began.elapsed() >= time {
            self.authority.log.limit_reached(Limit::migration_ms_max.name());
        }
        match applied {
            Ok(done) => done,
            Err(_) => Err(format!("It took longer than {} s, its limit migration_ms_max.", time.as_secs_f64())),
        }
    }

    fn deadline(&self) -> Instant {
        Instant::now() + Duration::from_millis(self.authority.limits().migration_ms_max)
    }
}

/// What is there and what a release knows do not fit.
pub(crate) fn refused(mismatch: &Mismatch) -> Failure {
    Failure::new("migrate", mismatch.to_string(), mismatch.hint())
}

fn failed(migration: &Migration, words: &str) -> Failure {
    let words = words.trim_end_matches('.');
    Failure::new(
        "migrate",
        format!("Migration {} (`{}`) failed: {words}. Nothing of it was kept.", migration.version, migration.name),
        "Install a release in which it is mended, or mend what it met and reload the plugin.",
    )
}

fn strange(words: &str) -> Failure {
    let words = words.trim_end_matches('.');
    Failure::new(
        "migrate",
        format!("The release cannot go on from the plugin's tables: {words}. Nothing was changed."),
        "Install a release that can, or mend the tables and reload the plugin.",
    )
}

fn unanswered(error: mint_context::Error) -> Failure {
    let Refusal { message, .. } = error.public();
    if error.is_fault() {
        tracing::error!(error = &error as &dyn std::error::Error, "the tables of a plugin could not be migrated");
    }
    Failure::new("migrate", message, "Try again; the server's log tells more.")
}
