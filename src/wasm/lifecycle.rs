//! What a component offers beside routes: start and stop, health, settings, events of experiments.
//!
//! Every function gives `None` for a component that does not export the interface: the documented no-op.

use std::{sync::Arc, time::Duration};

use mint_context::{
    Call,
    followers::{SaveEvent, Verdict},
    runtime::{Fault, Health, HealthStatus},
};
use serde_json::Value;

use crate::{
    bindings::exports::mint::plugin::{experiment_hooks, lifecycle},
    guest::Guests,
};

/// Version that `initialize` is told.
const PLATFORM_VERSION: &str = env!("CARGO_PKG_VERSION");

/// Calls `initialize`; a component without it is instantiated once, to see that it can be.
///
/// # Errors
/// The fault of the guest; inside, its own words when it refuses.
pub(crate) async fn initialize(guests: &Arc<Guests>, call: Call, patience: Duration) -> Result<Result<(), String>, Fault> {
    let plugin = Arc::clone(&guests.instances.plugin);
    let instances = Arc::clone(&guests.instances);
    guests
        .run(call, patience, move |instance| {
            Box::pin(async move {
                let Some(exported) = &instances.exports.lifecycle else { return Ok(Ok(())) };
                let exported = exported.load(&mut instance.store, &instance.inner)?;
                let environment = lifecycle::Environment {
                    platform_version: PLATFORM_VERSION.to_owned(),
                    tenant: plugin.authority.tenant_slug.to_string(),
                    plugin: plugin.authority.slug().to_string(),
                    settings: plugin.settings().values.to_string(),
                };
                exported.call_initialize(&mut instance.store, &environment).await
            })
        })
        .await
}

/// Calls `shutdown`.
///
/// # Errors
/// The fault of the guest.
pub(crate) async fn shutdown(guests: &Arc<Guests>, call: Call, patience: Duration) -> Result<(), Fault> {
    if guests.instances.exports.lifecycle.is_none() {
        return Ok(());
    }
    let instances = Arc::clone(&guests.instances);
    guests
        .run(call, patience, move |instance| {
            Box::pin(async move {
                let Some(exported) = &instances.exports.lifecycle else { return Ok(()) };
                exported.load(&mut instance.store, &instance.inner)?.call_shutdown(&mut instance.store).await
            })
        })
        .await
}

/// Calls `check-health`.
///
/// # Errors
/// The fault of the guest.
pub(crate) async fn check_health(guests: &Arc<Guests>, call: Call, patience: Duration) -> Result<Health, Fault> {
    if guests.instances.exports.lifecycle.is_none() {
        return Ok(Health::unknown());
    }
    let instances = Arc::clone(&guests.instances);
    let said = guests.run(call, patience, move |instance| {
        Box::pin(async move {
            let Some(exported) = &instances.exports.lifecycle else { return Ok(None) };
            exported.load(&mut instance.store, &instance.inner)?.call_check_health(&mut instance.store).await.map(Some)
        })
    });
    Ok(said.await?.map_or_else(Health::unknown, health))
}

fn health(said: lifecycle::Health) -> Health {
    let status = match said.status {
        lifecycle::HealthStatus::Healthy => HealthStatus::Healthy,
        lifecycle::HealthStatus::Degraded => HealthStatus::Degraded,
        lifecycle::HealthStatus::Unhealthy => HealthStatus::Unhealthy,
        lifecycle::HealthStatus::Unknown => HealthStatus::Unknown,
    };
    let details = said.details.and_then(|details| serde_json::from_str(&details).ok()).filter(Value::is_object);
    Health { status, message: said.message, details: details.unwrap_or_else(|| Health::unknown().details) }
}

/// Calls `apply-settings`.
///
/// # Errors
/// The fault of the guest; inside, its own words when it refuses.
pub(crate) async fn apply_settings(
    guests: &Arc<Guests>,
    call: Call,
    patience: Duration,
    settings: String,
) -> Result<Result<(), String>, Fault> {
    if guests.instances.exports.lifecycle.is_none() {
        return Ok(Ok(()));
    }
    let instances = Arc::clone(&guests.instances);
    guests
        .run(call, patience, move |instance| {
            Box::pin(async move {
                let Some(exported) = &instances.exports.lifecycle else { return Ok(Ok(())) };
                exported.load(&mut instance.store, &instance.inner)?.call_apply_settings(&mut instance.store, &settings).await
            })
        })
        .await
}

/// Calls `before-save`.
///
/// # Errors
/// The fault of the guest.
pub(crate) async fn before_save(
    guests: &Arc<Guests>,
    call: Call,
    patience: Duration,
    event: SaveEvent,
) -> Result<Verdict, Fault> {
    let (instances, event) = (Arc::clone(&guests.instances), save_event(&event));
    let verdict = guests.run(call, patience, move |instance| {
        Box::pin(async move {
            let Some(exported) = &instances.exports.hooks else { return Ok(experiment_hooks::Verdict::Accept) };
            exported.load(&mut instance.store, &instance.inner)?.call_before_save(&mut instance.store, &event).await
        })
    });
    match verdict.await? {
        experiment_hooks::Verdict::Accept => Ok(Verdict::Accept),
        experiment_hooks::Verdict::Amend(data) => serde_json::from_str(&data)
            .map(Verdict::Amend)
            .map_err(|error| Fault::Garbage(format!("`before-save` amended the design with what is not JSON: {error}"))),
        experiment_hooks::Verdict::Veto(words) => Ok(Verdict::Veto(words)),
    }
}

/// Calls `after-save`.
///
/// # Errors
/// The fault of the guest.
pub(crate) async fn after_save(guests: &Arc<Guests>, call: Call, patience: Duration, event: SaveEvent) -> Result<(), Fault> {
    let (instances, event) = (Arc::clone(&guests.instances), save_event(&event));
    guests
        .run(call, patience, move |instance| {
            Box::pin(async move {
                let Some(exported) = &instances.exports.hooks else { return Ok(()) };
                exported.load(&mut instance.store, &instance.inner)?.call_after_save(&mut instance.store, &event).await
            })
        })
        .await
}

/// Calls `status-changed`.
///
/// # Errors
/// The fault of the guest.
pub(crate) async fn status_changed(
    guests: &Arc<Guests>,
    call: Call,
    patience: Duration,
    experiment: i64,
    old: String,
    new: String,
) -> Result<(), Fault> {
    let instances = Arc::clone(&guests.instances);
    guests
        .run(call, patience, move |instance| {
            Box::pin(async move {
                let Some(exported) = &instances.exports.hooks else { return Ok(()) };
                let exported = exported.load(&mut instance.store, &instance.inner)?;
                exported.call_status_changed(&mut instance.store, experiment, &old, &new).await
            })
        })
        .await
}

fn save_event(event: &SaveEvent) -> experiment_hooks::SaveEvent {
    experiment_hooks::SaveEvent {
        experiment_id: event.experiment.0,
        plugin_id: event.plugin.to_string(),
        data: event.data.to_string(),
    }
}
