//! Seals what is stored anew: what should be sealed and is not, or all that another key than the present one has sealed.

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error as StdError,
};

use mint_context::{
    Result, Services, roles,
    secrets::{Anew, keys_of},
    settings,
};
use mint_domain::{Refusal, TenantId};
use mint_store::{
    archives::{self, Archive},
    installations::{self, Installation},
    plugin_roles::{self, PluginRole},
    releases, snapshots,
};
use serde::Serialize;

/// What came of sealing.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Sealing {
    /// Documents that were sealed anew.
    pub sealed: u64,
    /// Those that could not be, each with the reason and what to do.
    pub locked: Vec<String>,
}

/// What one key is needed for: how many documents have something that it opens.
#[derive(Clone, Debug, Default, Serialize)]
pub struct KeyUse {
    /// Whether it is the present one.
    pub is_current: bool,
    /// Whether this server has it.
    pub is_here: bool,
    /// Settings of plugins.
    pub settings: u64,
    /// Settings that an uninstall has archived.
    pub archives: u64,
    /// What plugins keep of people.
    pub people: u64,
    /// Snapshots, which keep the seal that they were taken with until they are deleted.
    pub snapshots: u64,
}

/// Seals what stands there in clear, such as what was stored by a version of the platform that did not seal, and says which keys
/// are not here.
pub async fn seal_plain(services: &Services) {
    match seal(services, Anew::Plain).await {
        Ok(sealing) if sealing.sealed > 0 => {
            tracing::info!(documents = sealing.sealed, "secrets that were stored in clear are sealed")
        }
        Ok(_) => {}
        Err(error) => tracing::error!(error = &error as &dyn StdError, "it could not be looked for secrets in clear"),
    }
    let missing =
        keys(services).await.unwrap_or_default().into_iter().filter(|(_, key)| !key.is_here && !key.is_for_snapshots_only());
    for (key, _) in missing {
        tracing::warn!(
            key,
            "secrets were sealed with a key that this server does not have; `mint secrets status` shows how many"
        );
    }
}

/// Seals all that wants it. Servers may run meanwhile: nothing changes for who reads it with the present key.
///
/// # Errors
/// The database's.
pub async fn seal(services: &Services, what: Anew) -> Result<Sealing> {
    let mut tx = services.db.read().await?;
    let (installed, archived) = (installations::list_all(&mut tx).await?, archives::list_all(&mut tx).await?);
    let kept = plugin_roles::with_fields(&mut tx).await?;
    drop(tx);
    let mut sealing = Sealing::default();
    for row in &installed {
        sealing.note(&format!("settings of `{}`", row.slug), settings_anew(services, row, what).await)?;
    }
    for row in &archived {
        sealing.note(&format!("archive {}", row.name), archive_anew(services, row, what).await)?;
    }
    for (tenant, row) in &kept {
        let name = format!("what `{}` keeps of user {}", row.plugin, row.user_id);
        sealing.note(&name, fields_anew(services, *tenant, row, what).await)?;
    }
    Ok(sealing)
}

/// Which keys there are, and what they are needed for, by name.
///
/// # Errors
/// The database's.
pub async fn keys(services: &Services) -> Result<BTreeMap<String, KeyUse>> {
    let mut keys: BTreeMap<String, KeyUse> = BTreeMap::new();
    for id in services.secrets.ids() {
        let key = keys.entry(id.to_owned()).or_default();
        (key.is_here, key.is_current) = (true, services.secrets.current() == Some(id));
    }
    let mut count = |needed: BTreeSet<String>, which: fn(&mut KeyUse) -> &mut u64| {
        for id in needed {
            *which(keys.entry(id).or_default()) += 1;
        }
    };
    let mut tx = services.db.read().await?;
    for row in installations::list_all(&mut tx).await? {
        count(keys_of(&row.settings), |key| &mut key.settings);
    }
    for row in archives::list_all(&mut tx).await? {
        count(keys_of(&row.settings), |key| &mut key.archives);
    }
    for (_, row) in plugin_roles::with_fields(&mut tx).await? {
        count(keys_of(&row.fields), |key| &mut key.people);
    }
    for needed in snapshots::secret_keys(&mut tx).await? {
        count(needed, |key| &mut key.snapshots);
    }
    Ok(keys)
}

impl KeyUse {
    fn is_for_snapshots_only(&self) -> bool {
        self.settings + self.archives + self.people == 0
    }
}

impl Sealing {
    fn note(&mut self, name: &str, done: Result<Result<bool, Refusal>>) -> Result<()> {
        match done? {
            Ok(sealed) => self.sealed += u64::from(sealed),
            Err(refusal) => self.locked.push(format!("{name}: {}", refusal.message)),
        }
        Ok(())
    }
}

async fn settings_anew(services: &Services, row: &Installation, what: Anew) -> Result<Result<bool, Refusal>> {
    let mut tx = services.db.begin().await?;
    let Some(release) = releases::get(&mut tx, row.release_id).await? else { return Ok(Ok(false)) };
    let seal = |stored| settings::sealed(services, row.tenant_id, &release.manifest, stored, what);
    match seal(&row.settings) {
        Err(refusal) => return Ok(Err(refusal)),
        Ok(None) => return Ok(Ok(false)),
        Ok(Some(_)) => {}
    }
    // Others may have changed it since it was listed.
    let Some(locked) = installations::lock(&mut tx, row.tenant_id, row.id).await? else { return Ok(Ok(false)) };
    let sealed = match seal(&locked.settings) {
        Err(refusal) => return Ok(Err(refusal)),
        Ok(sealed) => sealed,
    };
    if let Some(sealed) = &sealed {
        let now = services.clock.now();
        installations::swap_settings(&mut tx, row.tenant_id, row.id, &locked.settings, sealed, now).await?;
        tx.commit().await?;
    }
    Ok(Ok(sealed.is_some()))
}

async fn archive_anew(services: &Services, row: &Archive, what: Anew) -> Result<Result<bool, Refusal>> {
    let sealed = match settings::archived(services, row.tenant_id, row.name.plugin(), &row.settings, what) {
        Err(refusal) => return Ok(Err(refusal)),
        Ok(None) => return Ok(Ok(false)),
        Ok(Some(sealed)) => sealed,
    };
    // An archive that is adopted meanwhile is no row any more.
    let mut tx = services.db.begin().await?;
    let swapped = archives::swap_settings(&mut tx, row, &sealed).await?;
    tx.commit().await?;
    Ok(Ok(swapped))
}

async fn fields_anew(services: &Services, tenant: TenantId, row: &PluginRole, what: Anew) -> Result<Result<bool, Refusal>> {
    let chest = roles::chest(services, tenant, &row.plugin, row.user_id);
    match chest.anew(None, &row.fields, what) {
        Err(refusal) => return Ok(Err(refusal)),
        Ok(None) => return Ok(Ok(false)),
        Ok(Some(_)) => {}
    }
    let mut tx = services.db.begin().await?;
    let Some(locked) = plugin_roles::lock(&mut tx, tenant, &row.plugin, row.user_id).await? else { return Ok(Ok(false)) };
    let sealed = match chest.anew(None, &locked.fields, what) {
        Err(refusal) => return Ok(Err(refusal)),
        Ok(sealed) => sealed,
    };
    if let Some(sealed) = &sealed {
        plugin_roles::set_fields(&mut tx, tenant, &row.plugin, row.user_id, sealed, locked.updated_at).await?;
        tx.commit().await?;
    }
    Ok(Ok(sealed.is_some()))
}
