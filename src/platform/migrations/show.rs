//! What people see of a history.

use std::{io, sync::Arc, time::Duration};

use mint_context::{
    PluginAuthority, Result, database, migration_ops,
    runtime::{Activation, Release},
};
use mint_domain::{
    Mode, Permission,
    lifecycle::Failure,
    limit::LimitChanges,
    migration::{self, AppliedMigration, Migration, Pending},
};
use mint_store::installations::Installation;
use serde::Serialize;
use tempfile::TempDir;
use time::OffsetDateTime;
use tokio::time::Instant;

use super::refused;
use crate::{Caller, Platform, start::Terms};

/// How long the database may take to tell.
const LOOK_TIMEOUT: Duration = Duration::from_secs(10);

/// How a migration stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MigrationState {
    /// In force.
    Applied,
    /// The release brings it, and it was not applied.
    Pending,
    /// It was tried and failed.
    Failed,
    /// In force, and the release does not know it.
    Unknown,
}

/// A migration of a plugin.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct MigrationStatus {
    /// Place in the order.
    pub version: u32,
    /// What it does.
    pub name: String,
    /// Whether code of before cannot work with the tables after it.
    pub destructive: bool,
    /// How it stands.
    pub state: MigrationState,
    /// When it was tried last; null for one that never was.
    #[serde(with = "time::serde::rfc3339::option")]
    pub applied_at: Option<OffsetDateTime>,
    /// Why it failed.
    pub error: Option<String>,
}

/// How the tables of a plugin stand.
#[derive(Clone, Debug, Default, Serialize, utoipa::ToSchema)]
pub struct SchemaStatus {
    /// The last migration that was applied; zero for none.
    pub schema_version: u32,
    /// How many the release brings that were not applied; null while it cannot be asked.
    pub pending_migrations: Option<usize>,
    /// Why the last one failed.
    pub migration_error: Option<String>,
}

/// How the tables of a plugin stand, migration by migration.
#[derive(Clone, Debug, Default, Serialize, utoipa::ToSchema)]
pub struct PluginMigrations {
    /// In short.
    #[serde(flatten)]
    pub status: SchemaStatus,
    /// All of them, in order.
    pub migrations: Vec<MigrationStatus>,
}

impl Platform {
    /// The history of a plugin's tables.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`, `NOT_FOUND`; the database does not answer.
    pub async fn plugin_migrations(&self, caller: &Caller, slug: &str) -> Result<PluginMigrations> {
        let _permit = caller.call(self.services()).permit_person(Permission::PluginsView)?;
        let (installation, release) = self.find_installation(caller, slug).await?;
        self.look_at_migrations(caller, &installation, &release).await
    }

    pub(crate) async fn look_at_migrations(
        &self,
        caller: &Caller,
        installation: &Installation,
        release: &Arc<Release>,
    ) -> Result<PluginMigrations> {
        if !installation.grants.allow(&mint_domain::Capability::Database) {
            let status = SchemaStatus { pending_migrations: Some(0), ..SchemaStatus::default() };
            return Ok(PluginMigrations { status, migrations: Vec::new() });
        }
        let unchanged = LimitChanges::default();
        let terms = Terms::of(installation, &unchanged);
        let declared = self.declared(caller, &terms, installation.mode(), release).await;
        let Ok(prepared) = self.prepare(caller, &terms, release) else {
            return Ok(PluginMigrations::default());
        };
        let authority: &PluginAuthority = &prepared.activation.authority;
        let applied = migration_ops::applied(self.services(), authority, Instant::now() + LOOK_TIMEOUT).await?;
        let declared = declared.map(|declared| migration::numbered(declared.to_vec(), &applied));
        Ok(status(declared.as_deref(), &applied))
    }

    /// What a staged release would still do to the tables of an installation, which need not be there yet. None while it cannot be
    /// asked.
    ///
    /// # Errors
    /// It cannot go on from what was done to them; the database does not answer.
    pub(crate) async fn foresee_migrations(
        &self,
        caller: &Caller,
        terms: &Terms<'_>,
        mode: Mode,
        release: &Arc<Release>,
    ) -> Result<Option<Pending>, Failure> {
        let outage = |error: mint_context::Error| Failure::new("migrate", error.public().message, "Try again.");
        let Some(declared) = self.declared(caller, terms, mode, release).await else { return Ok(None) };
        let slug = release.manifest.plugin.slug.as_str();
        let applied = match database::exist(self.services(), &caller.tenant_slug, slug).await.map_err(outage)? {
            false => Vec::new(),
            true => {
                let authority = self.prepare(caller, terms, release)?.activation.authority;
                let asked = migration_ops::applied(self.services(), &authority, Instant::now() + LOOK_TIMEOUT).await;
                asked.map_err(outage)?
            }
        };
        migration::pending(&migration::numbered(declared.to_vec(), &applied), &applied)
            .map(Some)
            .map_err(|mismatch| refused(&mismatch))
    }

    /// What a release declares. It never changes, so it is asked once; none while it cannot be asked.
    async fn declared(
        &self,
        caller: &Caller,
        terms: &Terms<'_>,
        mode: Mode,
        release: &Arc<Release>,
    ) -> Option<Arc<Vec<Migration>>> {
        if let Some(known) = self.declared_migrations().get(&release.digest) {
            return Some(known);
        }
        let mut activation = self.prepare(caller, terms, release).ok()?.activation;
        let asked = async {
            let _stands_in = stand_in(&mut activation).map_err(|error| {
                Failure::new("migrate", format!("There is no room to ask the release in: {error}."), "Make some, and try again.")
            })?;
            match self.runtime(mode).migrations(activation).await? {
                Some(code) => code.list().await,
                None => Ok(Vec::new()),
            }
        };
        match asked.await {
            Ok(declared) => {
                let declared = Arc::new(declared);
                self.declared_migrations().insert(release.digest, Arc::clone(&declared));
                Some(declared)
            }
            Err(failure) => {
                tracing::info!(plugin.slug = %release.manifest.plugin.slug, error = %failure, "a release does not tell its migrations");
                None
            }
        }
    }
}

/// How the names of directories begin in which releases are only asked. One that stays was left by a server that died.
pub(crate) const STAND_IN: &str = ".asked-";

/// A directory in the place of the installation's own, which a release that is only asked is not to make: beside it, so that
/// nobody who has a user of their own gets somebody else's.
fn stand_in(activation: &mut Activation) -> io::Result<Option<TempDir>> {
    let (home, Some(beside)) = (&activation.data_directory, activation.data_directory.parent()) else { return Ok(None) };
    if home.exists() {
        return Ok(None);
    }
    std::fs::create_dir_all(beside)?;
    let directory = tempfile::Builder::new().prefix(STAND_IN).tempdir_in(beside)?;
    activation.data_directory = directory.path().to_owned();
    Ok(Some(directory))
}

fn status(declared: Option<&[Migration]>, applied: &[AppliedMigration]) -> PluginMigrations {
    let known = declared.unwrap_or_default();
    let mut migrations: Vec<MigrationStatus> = applied
        .iter()
        .map(|one| {
            let is_known = declared.is_none() || known.iter().any(|known| known.version == one.migration.version);
            let state = match (&one.error, is_known) {
                (Some(_), _) => MigrationState::Failed,
                (None, true) => MigrationState::Applied,
                (None, false) => MigrationState::Unknown,
            };
            line(&one.migration, state, Some(one))
        })
        .collect();
    let untried = known.iter().filter(|known| applied.iter().all(|one| one.migration.version != known.version));
    migrations.extend(untried.map(|one| line(one, MigrationState::Pending, None)));
    migrations.sort_by_key(|one| one.version);
    let in_force = applied.iter().filter(|one| one.error.is_none()).map(|one| one.migration.version);
    let waiting = |one: &&MigrationStatus| {
        one.state == MigrationState::Pending
            || (one.state == MigrationState::Failed && known.iter().any(|known| known.version == one.version))
    };
    let status = SchemaStatus {
        schema_version: in_force.max().unwrap_or(0),
        pending_migrations: declared.map(|_| migrations.iter().filter(waiting).count()),
        migration_error: migrations.iter().rev().find_map(|one| one.error.clone()),
    };
    PluginMigrations { status, migrations }
}

fn line(migration: &Migration, state: MigrationState, tried: Option<&AppliedMigration>) -> MigrationStatus {
    MigrationStatus {
        version: migration.version,
        name: migration.name.clone(),
        destructive: migration.destructive,
        state,
        applied_at: tried.map(|one| one.applied_at),
        error: tried.and_then(|one| one.error.clone()),
    }
}
