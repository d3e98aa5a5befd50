//! Settings of an installation: defaults of the schema < stored < environment. Those that are secret are sealed where they are
//! stored; the plugin gets them opened, and people get references.

use std::collections::BTreeMap;

use mint_domain::{Capability, InstallationId, Kind, Manifest, Permission, Refusal, Slug, TenantId, Unsealed};
use mint_store::{Tx, installations};
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::{
    Call, Result, Services, schema,
    secrets::{Anew, By, Chest, scrubbed, shown},
};

/// The setting by which an administrator says on which types of experiments a plugin may work: a list of texts. It
/// belongs to the platform: a schema of the plugin need not know it, and the plugin cannot change it.
pub const ALLOWED_TYPES: &str = "allowed_experiment_types";

/// Most bytes of settings as JSON.
const SETTINGS_BYTES_MAX: usize = 1 << 20;

/// Settings at one moment, as people see them. A secret is a reference, `{"$secret": "sec_…"}`, which may be sent back to keep it;
/// without an id, it is the plugin's default or the environment's.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Snapshot {
    /// Opaque; changes when the stored settings change.
    pub revision: String,
    /// What is in force: a JSON object.
    pub settings: Value,
    /// What is stored: a JSON object.
    pub stored_settings: Value,
    /// Names that the environment sets and that cannot be changed here.
    pub locked: Vec<String>,
}

/// Settings at one moment, as the plugin sees them.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// As [`Snapshot::revision`].
    pub revision: String,
    /// What is in force: a JSON object.
    pub settings: Unsealed,
    /// What is stored: a JSON object.
    pub stored: Unsealed,
}

/// The settings in force for the plugin.
///
/// # Errors
/// `secrets.locked`, the database's.
pub async fn load(call: &Call) -> Result<Loaded> {
    let plugin = call.through_plugin()?;
    loaded(call, &plugin.manifest, &read(call, plugin.installation).await?)
}

/// The settings of an installation, for a person who may configure plugins.
///
/// # Errors
/// `PERMISSION_DENIED`, `NOT_FOUND`.
pub async fn inspect(call: &Call, installation: InstallationId, manifest: &Manifest) -> Result<Snapshot> {
    let _permit = call.permit_person(Permission::PluginsView)?;
    Ok(snapshot(call, manifest, &read(call, installation).await?))
}

/// Replaces the stored settings of the plugin that calls, if they are still at `revision`.
///
/// # Errors
/// `CONFLICT` when they are not, `VALIDATION_ERROR` from the schema, `PERMISSION_DENIED` without `settings:write`.
pub async fn compare_and_swap(call: &Call, revision: &str, values: Value) -> Result<Loaded> {
    let plugin = call.through_plugin()?;
    let _permit = call.permit_plugin(&Capability::SettingsWrite)?;
    let stored = read(call, plugin.installation).await?;
    if stored.get(ALLOWED_TYPES) != values.get(ALLOWED_TYPES) {
        let message = format!("`{ALLOWED_TYPES}` is for an administrator to set.");
        return Err(Refusal::denied(Permission::PluginsConfigure.as_str(), message).into());
    }
    let values = swap(call, plugin.installation, &plugin.manifest, (revision, &values, By::Plugin)).await?;
    loaded(call, &plugin.manifest, &values)
}

/// Replaces the stored settings of an installation, for a person who may configure plugins.
///
/// # Errors
/// As [`compare_and_swap`], with the permission `plugins.configure`.
pub async fn configure(
    call: &Call,
    installation: InstallationId,
    manifest: &Manifest,
    revision: &str,
    values: &Value,
) -> Result<Snapshot> {
    let _permit = call.permit_person(Permission::PluginsConfigure)?;
    let values = swap(call, installation, manifest, (revision, values, By::Person)).await?;
    Ok(snapshot(call, manifest, &values))
}

/// A change of settings that is allowed: what stands there, and what is to. Both as they are stored.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// What stands there.
    pub present: Value,
    /// What is to be stored: a JSON object.
    pub values: Value,
    /// What would be in force then: a JSON object.
    effective: Unsealed,
}

/// Looks whether stored settings that are at `revision` may become `values`, as a person wants it.
///
/// # Errors
/// `CONFLICT` when they are not, `VALIDATION_ERROR` from the schema.
pub async fn propose(
    call: &Call,
    installation: InstallationId,
    manifest: &Manifest,
    revision: &str,
    values: &Value,
) -> Result<Proposal> {
    proposed(call, installation, manifest, (revision, values, By::Person)).await
}

async fn proposed(
    call: &Call,
    installation: InstallationId,
    manifest: &Manifest,
    (expected_revision, values, by): (&str, &Value, By),
) -> Result<Proposal> {
    if !values.is_object() {
        return Err(Refusal::invalid("Settings must be a JSON object.").into());
    }
    if values.to_string().len() > SETTINGS_BYTES_MAX {
        return Err(Refusal::invalid(format!("Settings have at most {SETTINGS_BYTES_MAX} bytes as JSON.")).into());
    }
    let present = read(call, installation).await?;
    if revision(&present) != expected_revision {
        return Err(stale(&present).into());
    }
    if let Some(settings_schema) = &manifest.settings_schema {
        schema::admit(settings_schema, values, "settings")?;
    }
    let chest = chest(&call.services, call.tenant, manifest);
    let values = chest.take(manifest.settings_schema.as_ref(), &present, values, by)?;
    let effective = in_force(&call.services, call.tenant, manifest, &values)?;
    check(manifest, &effective)?;
    Ok(Proposal { present, values, effective })
}

impl Proposal {
    /// Hands it to the plugin where that runs. A refusal of its own keeps the old settings, stored and running alike.
    ///
    /// # Errors
    /// The plugin's own words when it refuses them, without the secrets that it may have put into them.
    pub async fn hand_over(&self, call: &Call, installation: InstallationId, manifest: &Manifest) -> Result<()> {
        let handed = call.services.followers.settings_changed(call, installation, self.effective.clone()).await;
        handed.map_err(|refusal| Refusal { message: self.scrubbed(call, manifest, &refusal.message), ..refusal }.into())
    }

    /// Words of the plugin's about these settings, without its secrets.
    pub fn scrubbed(&self, call: &Call, manifest: &Manifest, words: &str) -> String {
        without_secrets(&call.services, call.tenant, manifest, &self.values, words)
    }

    /// The settings as they are once it is stored.
    pub fn stored(&self, call: &Call, manifest: &Manifest) -> Snapshot {
        snapshot(call, manifest, &self.values)
    }

    /// The names of what it would change.
    pub fn changed(&self) -> Vec<&String> {
        let (old, new) = (self.present.as_object(), self.values.as_object());
        let mut names: Vec<_> = old.into_iter().chain(new).flat_map(Map::keys).collect();
        names.sort();
        names.dedup();
        names.retain(|name| self.present.get(*name) != self.values.get(*name));
        names
    }

    /// The change back.
    #[must_use]
    pub fn reversed(self) -> Self {
        Self { present: self.values, values: self.present, ..self }
    }

    /// Stores it within a transaction.
    ///
    /// # Errors
    /// `CONFLICT` when the settings changed meanwhile.
    pub async fn store(&self, tx: &mut Tx, call: &Call, installation: InstallationId) -> Result<()> {
        let row = installations::lock(tx, call.tenant, installation).await?;
        let row = row.ok_or_else(|| Refusal::not_found("installation", installation))?;
        // That a secret was sealed with another key is no change.
        if revision(&row.settings) != revision(&self.present) {
            return Err(stale(&row.settings).into());
        }
        let now = call.services.clock.now();
        installations::swap_settings(tx, call.tenant, installation, &row.settings, &self.values, now).await?;
        Ok(())
    }
}

/// The box for the secrets of an installation's settings.
fn chest<'a>(services: &'a Services, tenant: TenantId, manifest: &Manifest) -> Chest<'a> {
    services.secrets.chest(tenant, format_args!("settings {}", manifest.plugin.slug))
}

/// What is in force for the plugin: a JSON object.
///
/// # Errors
/// `secrets.locked`.
pub fn in_force(services: &Services, tenant: TenantId, manifest: &Manifest, stored: &Value) -> Result<Unsealed, Refusal> {
    let stored = chest(services, tenant, manifest).open(stored)?;
    let (values, _) = merged(manifest, &stored, &services.plugin_environment);
    Ok(Unsealed::new(Value::Object(values)))
}

/// Passes if `stored` settings, with the environment's, are what `manifest` wants.
///
/// # Errors
/// `VALIDATION_ERROR`, `secrets.locked`.
pub fn fit(services: &Services, tenant: TenantId, manifest: &Manifest, stored: &Value) -> Result<(), Refusal> {
    let effective = in_force(services, tenant, manifest, stored)?;
    check(manifest, &effective)
}

/// Stored settings with everything sealed that a release wants to be; none where that is so.
///
/// # Errors
/// `secrets.locked`.
pub fn sealed(
    services: &Services,
    tenant: TenantId,
    manifest: &Manifest,
    stored: &Value,
    what: Anew,
) -> Result<Option<Value>, Refusal> {
    chest(services, tenant, manifest).anew(manifest.settings_schema.as_ref(), stored, what)
}

/// Settings of a developer's, as they are kept while their plugin answers.
///
/// # Errors
/// `VALIDATION_ERROR` for references, which nothing stands behind.
pub fn first(services: &Services, tenant: TenantId, manifest: &Manifest, values: &Value) -> Result<Value, Refusal> {
    let nothing = Value::Object(Map::new());
    chest(services, tenant, manifest).take(manifest.settings_schema.as_ref(), &nothing, values, By::Person)
}

/// Settings that an archive has, sealed anew where another key opens them; none where that is so.
///
/// # Errors
/// `secrets.locked`.
pub fn archived(
    services: &Services,
    tenant: TenantId,
    plugin: &Slug,
    stored: &Value,
    what: Anew,
) -> Result<Option<Value>, Refusal> {
    services.secrets.chest(tenant, format_args!("settings {plugin}")).anew(None, stored, what)
}

/// Words of a plugin's about its settings, without their secrets.
pub fn without_secrets(services: &Services, tenant: TenantId, manifest: &Manifest, stored: &Value, words: &str) -> String {
    scrubbed(words, &chest(services, tenant, manifest), stored)
}

/// Stored settings without the secrets that do not open for this installation, and the names of these.
pub fn without_locked(services: &Services, tenant: TenantId, manifest: &Manifest, stored: &Value) -> (Value, Vec<String>) {
    chest(services, tenant, manifest).without_locked(stored)
}

/// What is in force, from what is stored and the environment. The second part names what the environment sets.
pub fn merged(manifest: &Manifest, stored: &Value, environment: &BTreeMap<String, String>) -> (Map<String, Value>, Vec<String>) {
    let mut values = manifest.settings_schema.as_ref().map(schema::defaults).unwrap_or_default();
    values.extend(stored.as_object().cloned().unwrap_or_default());
    let mut locked = Vec::new();
    for (name, value) in from_environment(&manifest.plugin.slug, manifest.settings_schema.as_ref(), environment) {
        values.insert(name.clone(), value);
        locked.push(name);
    }
    (values, locked)
}

/// Passes if settings in force are what `manifest` wants.
///
/// # Errors
/// `VALIDATION_ERROR`.
pub fn check(manifest: &Manifest, effective: &Value) -> Result<(), Refusal> {
    let Some(settings_schema) = &manifest.settings_schema else { return Ok(()) };
    schema::check(settings_schema, &without_platforms(effective), "settings")
}

/// As they are stored.
async fn read(call: &Call, installation: InstallationId) -> Result<Value> {
    if let Some(stored) = call.services.unstored.get(installation) {
        return Ok(stored);
    }
    let mut tx = call.services.db.read().await?;
    let row = installations::get(&mut tx, call.tenant, installation).await?;
    Ok(row.ok_or_else(|| Refusal::not_found("installation", installation))?.settings)
}

/// Gives what is stored then.
async fn swap(call: &Call, installation: InstallationId, manifest: &Manifest, new: (&str, &Value, By)) -> Result<Value> {
    // The plugin is asked first, and outside a transaction, since it may take its time and write.
    let proposal = proposed(call, installation, manifest, new).await?;
    proposal.hand_over(call, installation, manifest).await?;
    let stored = store(call, installation, &proposal).await;
    if stored.is_err() {
        take_back(call, installation, manifest).await;
    }
    stored?;
    Ok(proposal.values)
}

fn stale(present: &Value) -> Refusal {
    Refusal::new(Kind::Conflict, "CONFLICT", "The settings changed meanwhile. Load them again and repeat the change.")
        .with(serde_json::json!({ "entity": "settings", "conflict_field": "revision", "revision": revision(present) }))
}

fn without_platforms(settings: &Value) -> Value {
    let mut settings = settings.clone();
    if let Some(values) = settings.as_object_mut() {
        values.remove(ALLOWED_TYPES);
    }
    settings
}

async fn store(call: &Call, installation: InstallationId, proposal: &Proposal) -> Result<()> {
    if let Some(swapped) = call.services.unstored.swap(installation, &proposal.present, &proposal.values) {
        return if swapped { Ok(()) } else { Err(stale(&proposal.present).into()) };
    }
    let mut tx = call.services.db.begin().await?;
    proposal.store(&mut tx, call, installation).await?;
    Ok(tx.commit().await?)
}

/// Hands the plugin the settings that are stored, after it was given some that then were not.
pub async fn take_back(call: &Call, installation: InstallationId, manifest: &Manifest) {
    let restored = async {
        let kept = in_force(&call.services, call.tenant, manifest, &read(call, installation).await?)?;
        Ok::<_, crate::Error>(call.services.followers.settings_changed(call, installation, kept).await?)
    };
    if let Err(error) = restored.await {
        tracing::error!(installation.id = %installation, error = &error as &dyn std::error::Error,
            "a plugin runs with settings that could not be stored; reload it");
    }
}

/// Of references, so that it stays when a secret is sealed anew, and tells nothing of any.
fn revision(stored: &Value) -> String {
    format!("sha256-{}", hex::encode(Sha256::digest(shown(None, stored, |_| false).to_string())))
}

fn loaded(call: &Call, manifest: &Manifest, stored: &Value) -> Result<Loaded> {
    let settings = in_force(&call.services, call.tenant, manifest, stored)?;
    let opened = chest(&call.services, call.tenant, manifest).open(stored)?;
    Ok(Loaded { revision: revision(stored), settings, stored: opened })
}

fn snapshot(call: &Call, manifest: &Manifest, stored: &Value) -> Snapshot {
    let (values, locked) = merged(manifest, stored, &call.services.plugin_environment);
    let schema = manifest.settings_schema.as_ref();
    let is_locked = |path: &str| path.split('/').nth(1).is_some_and(|name| locked.iter().any(|locked| locked == name));
    Snapshot {
        revision: revision(stored),
        settings: shown(schema, &Value::Object(values), is_locked),
        stored_settings: shown(schema, stored, |_| false),
        locked,
    }
}

/// `MINT_PLUGIN_<NAME>__<FIELD>`, and the older form with one underscore; the former wins. Where the schema does not say
/// that a field is a text, a value that reads as JSON is taken as that.
fn from_environment(slug: &Slug, schema: Option<&Value>, environment: &BTreeMap<String, String>) -> BTreeMap<String, Value> {
    let name = slug.environment_name();
    let mut values = BTreeMap::new();
    for prefix in [format!("MINT_PLUGIN_{name}_"), format!("MINT_PLUGIN_{name}__")] {
        for (variable, text) in environment.range(prefix.clone()..).take_while(|(variable, _)| variable.starts_with(&prefix)) {
            let Some(field) = variable.strip_prefix(&prefix).filter(|field| !field.is_empty() && !field.starts_with('_')) else {
                continue;
            };
            let field = field.to_lowercase();
            let declared = schema.and_then(|schema| schema.pointer(&format!("/properties/{field}/type"))).and_then(Value::as_str);
            let value = match declared {
                Some("string") => Value::String(text.clone()),
                _ => serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone())),
            };
            values.insert(field, value);
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn environment_beats_stored_beats_default() {
        let manifest = Manifest::parse(
            json!({
                "format_version": 2, "plugin": {"slug": "my-plugin", "version": "1"}, "component": "c",
                "files": {"c": mint_domain::Digest::of(b"").to_string()},
                "settings_schema": {"type": "object", "properties": {
                    "greeting": {"type": "string", "default": "Hello"},
                    "count": {"type": "integer", "default": 1},
                    "kept": {"type": "string", "default": "d"},
                }},
            })
            .to_string()
            .as_bytes(),
        )
        .unwrap();
        let environment = BTreeMap::from(
            [
                ("MINT_PLUGIN_MY_PLUGIN_GREETING", "old form"),
                ("MINT_PLUGIN_MY_PLUGIN__GREETING", "7"),
                ("MINT_PLUGIN_MY_PLUGIN__COUNT", "3"),
                ("MINT_PLUGIN_OTHER__KEPT", "no"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        let (values, locked) = merged(&manifest, &json!({"count": 2, "kept": "s"}), &environment);
        assert_eq!(Value::Object(values), json!({"greeting": "7", "count": 3, "kept": "s"}));
        assert_eq!(locked, ["count", "greeting"]);
    }
}
