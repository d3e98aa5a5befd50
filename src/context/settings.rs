//! Settings of an installation: defaults of the schema < stored < environment.

use std::collections::BTreeMap;

use mint_domain::{Capability, InstallationId, Kind, Manifest, Permission, Refusal, Slug};
use mint_store::{Tx, installations};
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::{Call, Result, schema};

/// The setting by which an administrator says on which types of experiments a plugin may work: a list of texts. It
/// belongs to the platform: a schema of the plugin need not know it, and the plugin cannot change it.
pub const ALLOWED_TYPES: &str = "allowed_experiment_types";

/// Settings at one moment.
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

/// The settings in force for the plugin.
///
/// # Errors
/// The database's.
pub async fn load(call: &Call) -> Result<Snapshot> {
    let plugin = call.through_plugin()?;
    read(call, plugin.installation, &plugin.manifest).await
}

/// The settings of an installation, for a person who may configure plugins.
///
/// # Errors
/// `PERMISSION_DENIED`, `NOT_FOUND`.
pub async fn inspect(call: &Call, installation: InstallationId, manifest: &Manifest) -> Result<Snapshot> {
    let _permit = call.permit_person(Permission::PluginsView)?;
    read(call, installation, manifest).await
}

/// Replaces the stored settings of the plugin that calls, if they are still at `revision`.
///
/// # Errors
/// `CONFLICT` when they are not, `VALIDATION_ERROR` from the schema, `PERMISSION_DENIED` without `settings:write`.
pub async fn compare_and_swap(call: &Call, revision: &str, values: Value) -> Result<Snapshot> {
    let plugin = call.through_plugin()?;
    let _permit = call.permit_plugin(&Capability::SettingsWrite)?;
    let stored = read(call, plugin.installation, &plugin.manifest).await?.stored_settings;
    if stored.get(ALLOWED_TYPES) != values.get(ALLOWED_TYPES) {
        let message = format!("`{ALLOWED_TYPES}` is for an administrator to set.");
        return Err(Refusal::denied(Permission::PluginsConfigure.as_str(), message).into());
    }
    swap(call, plugin.installation, &plugin.manifest, revision, values).await
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
    values: Value,
) -> Result<Snapshot> {
    let _permit = call.permit_person(Permission::PluginsConfigure)?;
    swap(call, installation, manifest, revision, values).await
}

/// A change of settings that is allowed: what stands there, and what is to.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// What stands there.
    pub present: Snapshot,
    /// What is to be stored: a JSON object.
    pub values: Value,
    /// What would be in force then: a JSON object.
    pub effective: Value,
}

/// Looks whether stored settings that are at `revision` may become `values`.
///
/// # Errors
/// `CONFLICT` when they are not, `VALIDATION_ERROR` from the schema.
pub async fn propose(
    call: &Call,
    installation: InstallationId,
    manifest: &Manifest,
    revision: &str,
    values: Value,
) -> Result<Proposal> {
    if !values.is_object() {
        return Err(Refusal::invalid("Settings must be a JSON object.").into());
    }
    let present = read(call, installation, manifest).await?;
    if present.revision != revision {
        return Err(stale(&present).into());
    }
    let (effective, _) = merged(manifest, &values, &call.services.plugin_environment);
    check(manifest, &values, &call.services.plugin_environment)?;
    Ok(Proposal { present, values, effective: Value::Object(effective) })
}

impl Proposal {
    /// Hands it to the plugin where that runs. A refusal of its own keeps the old settings, stored and running alike.
    ///
    /// # Errors
    /// The plugin's own words when it refuses them.
    pub async fn hand_over(&self, call: &Call, installation: InstallationId) -> Result<()> {
        Ok(call.services.followers.settings_changed(call, installation, self.effective.clone()).await?)
    }

    /// The settings as they are once it is stored.
    pub fn stored(&self, call: &Call, manifest: &Manifest) -> Snapshot {
        snapshot(call, manifest, self.values.clone())
    }

    /// Stores it within a transaction.
    ///
    /// # Errors
    /// `CONFLICT` when the settings changed meanwhile.
    pub async fn store(&self, tx: &mut Tx, call: &Call, installation: InstallationId) -> Result<()> {
        let (from, now) = (&self.present.stored_settings, call.services.clock.now());
        match installations::swap_settings(tx, call.tenant, installation, from, &self.values, now).await? {
            true => Ok(()),
            false => Err(stale(&self.present).into()),
        }
    }
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

/// Passes if `stored` settings, with the environment's, are what `manifest` wants.
///
/// # Errors
/// `VALIDATION_ERROR`.
pub fn check(manifest: &Manifest, stored: &Value, environment: &BTreeMap<String, String>) -> Result<(), Refusal> {
    let Some(settings_schema) = &manifest.settings_schema else { return Ok(()) };
    let (effective, _) = merged(manifest, stored, environment);
    schema::check(settings_schema, &without_platforms(&Value::Object(effective)), "settings")
}

async fn read(call: &Call, installation: InstallationId, manifest: &Manifest) -> Result<Snapshot> {
    if let Some(stored) = call.services.unstored.get(installation) {
        return Ok(snapshot(call, manifest, stored));
    }
    let mut tx = call.services.db.read().await?;
    let row = installations::get(&mut tx, call.tenant, installation).await?;
    let stored = row.ok_or_else(|| Refusal::not_found("installation", installation))?.settings;
    Ok(snapshot(call, manifest, stored))
}

async fn swap(
    call: &Call,
    installation: InstallationId,
    manifest: &Manifest,
    expected_revision: &str,
    values: Value,
) -> Result<Snapshot> {
    // The plugin is asked first, and outside a transaction, since it may take its time and write.
    let proposal = propose(call, installation, manifest, expected_revision, values).await?;
    proposal.hand_over(call, installation).await?;
    let stored = store(call, installation, &proposal).await;
    if stored.is_err() {
        take_back(call, installation, manifest).await;
    }
    stored?;
    Ok(snapshot(call, manifest, proposal.values))
}

fn stale(present: &Snapshot) -> Refusal {
    Refusal::new(Kind::Conflict, "CONFLICT", "The settings changed meanwhile. Load them again and repeat the change.")
        .with(serde_json::json!({ "entity": "settings", "conflict_field": "revision", "revision": present.revision }))
}

fn without_platforms(settings: &Value) -> Value {
    let mut settings = settings.clone();
    if let Some(values) = settings.as_object_mut() {
        values.remove(ALLOWED_TYPES);
    }
    settings
}

async fn store(call: &Call, installation: InstallationId, proposal: &Proposal) -> Result<()> {
    let (from, to) = (&proposal.present.stored_settings, &proposal.values);
    if let Some(swapped) = call.services.unstored.swap(installation, from, to) {
        return if swapped { Ok(()) } else { Err(stale(&proposal.present).into()) };
    }
    let mut tx = call.services.db.begin().await?;
    proposal.store(&mut tx, call, installation).await?;
    Ok(tx.commit().await?)
}

/// Hands the plugin the settings that are stored, after it was given some that then were not.
pub async fn take_back(call: &Call, installation: InstallationId, manifest: &Manifest) {
    let restored = async {
        let kept = read(call, installation, manifest).await?;
        Ok::<_, crate::Error>(call.services.followers.settings_changed(call, installation, kept.settings).await?)
    };
    if let Err(error) = restored.await {
        tracing::error!(installation.id = %installation, error = &error as &dyn std::error::Error,
            "a plugin runs with settings that could not be stored; reload it");
    }
}

fn snapshot(call: &Call, manifest: &Manifest, stored: Value) -> Snapshot {
    let (values, locked) = merged(manifest, &stored, &call.services.plugin_environment);
    let revision = format!("sha256-{}", hex::encode(Sha256::digest(stored.to_string())));
    Snapshot { revision, settings: Value::Object(values), stored_settings: stored, locked }
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
