//! What plugins use up, in the form that Prometheus reads.

use std::{fmt, sync::atomic::AtomicU64};

use axum::{
    extract::State as AxumState,
    response::{IntoResponse, Response},
};
use http::header::CONTENT_TYPE;
use mint_domain::{Kind, Refusal};
use mint_platform::{limits::Metered, shares::ShareStatus};
use prometheus_client::{
    encoding::text::encode,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use crate::{auth::Authenticated, error::ApiError, router::State};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Labels = Vec<(&'static str, String)>;
type Level = Family<Labels, Gauge<f64, AtomicU64>>;
type Count = Family<Labels, Counter>;

/// Requests, faults, limits and use of the laboratory's plugins on the server that answers.
#[utoipa::path(get, path = "/api/platform/metrics", tag = "health",
    responses((status = 200, body = String, content_type = "application/openmetrics-text"), (status = 401), (status = 403)))]
pub(crate) async fn metrics(
    AxumState(state): AxumState<State>,
    Authenticated(caller): Authenticated,
) -> Result<Response, ApiError> {
    let (metered, share) = (state.platform.metered(&caller)?, state.platform.metered_share(&caller)?);
    let text = written(&metered, caller.tenant_slug.as_str(), &share).map_err(|error| {
        tracing::error!(%error, "the metrics could not be written");
        Refusal::new(Kind::Unavailable, "internal.error", "The platform failed. The operator finds it under the request id.")
    })?;
    Ok(([(CONTENT_TYPE, OPEN_METRICS)], text).into_response())
}

/// Labels are slugs and names of limits: as many as there are, and no plugin makes more.
fn written(metered: &[Metered], tenant: &str, share: &[ShareStatus]) -> Result<String, fmt::Error> {
    let mut all = Registry::default();
    of_laboratory(all.sub_registry_with_prefix("mint_laboratory"), tenant, share);
    let registry = all.sub_registry_with_prefix("mint_plugin");
    let (value, current, peak) = (Level::default(), Level::default(), Level::default());
    let (reached, requests, faults) = (Count::default(), Count::default(), Count::default());
    registry.register("limit_value", "Value of a limit", value.clone());
    registry.register("limit_current", "In use of a limit now", current.clone());
    registry.register("limit_peak", "The most that was in use of a limit, or in one call", peak.clone());
    registry.register("limit_reached", "Refusals and ends because of a limit", reached.clone());
    registry.register("requests", "Requests since the present start", requests.clone());
    registry.register("faults", "Faults since the present start, by who has to do something", faults.clone());
    for plugin in metered {
        let of = |name: &'static str, what: &str| -> Labels {
            vec![("tenant", plugin.tenant.clone()), ("plugin", plugin.slug.clone()), (name, what.to_owned())]
        };
        for limit in plugin.limits.iter().filter(|limit| limit.holds) {
            let labels = of("limit", limit.name);
            value.get_or_create(&labels).set(limit.value as f64);
            reached.get_or_create(&labels).inc_by(limit.reached);
            for (level, known) in [(&current, limit.current), (&peak, limit.peak)] {
                if let Some(known) = known {
                    level.get_or_create(&labels).set(known as f64);
                }
            }
        }
        requests.get_or_create(&of("mode", plugin.mode)).inc_by(plugin.requests);
        for (blame, count) in plugin.faults {
            faults.get_or_create(&of("blame", blame)).inc_by(count);
        }
    }
    let mut text = String::new();
    encode(&mut text, &all)?;
    Ok(text)
}

/// What a laboratory's plugins take together.
fn of_laboratory(registry: &mut Registry, tenant: &str, share: &[ShareStatus]) {
    let (value, current, peak, reached) = (Level::default(), Level::default(), Level::default(), Count::default());
    registry.register("limit_value", "Value of a part of the laboratory's share", value.clone());
    registry.register("limit_current", "In use of it now", current.clone());
    registry.register("limit_peak", "The most that was in use of it", peak.clone());
    registry.register("limit_reached", "Refusals because of it", reached.clone());
    for part in share {
        let labels: Labels = vec![("tenant", tenant.to_owned()), ("limit", part.name.to_owned())];
        value.get_or_create(&labels).set(part.value as f64);
        peak.get_or_create(&labels).set(part.peak as f64);
        reached.get_or_create(&labels).inc_by(part.reached);
        if let Some(known) = part.current {
            current.get_or_create(&labels).set(known as f64);
        }
    }
}
