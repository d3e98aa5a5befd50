//! Calls everything that the platform offers, as it is told: every function of `mint:platform`, its directories, and
//! the way out. It keeps to no measure, so that it also shows where each of them ends.

mod calls;
mod files;
mod outbound;

use mint_sdk::{Health, HealthStatus, Lifecycle, Route, Router, settings};

static ROUTER: Router = Router::new(&[
    Route::post("/call/{function}", calls::call),
    Route::get("/fill", files::fill),
    Route::get("/outbound", outbound::ask),
    Route::get("/exchange", outbound::exchange),
]);

mint_sdk::routes!(ROUTER);

/// Is as well as its setting `mood` says.
struct Moody;

impl Lifecycle for Moody {
    fn check_health() -> Health {
        let mood = settings::text("mood").ok().flatten();
        let status = match mood.as_deref() {
            Some("unhealthy") => HealthStatus::Unhealthy,
            Some("degraded") => HealthStatus::Degraded,
            _ => HealthStatus::Healthy,
        };
        Health { status, message: mood.map(|mood| format!("I am {mood}.")), details: None }
    }
}

mint_sdk::lifecycle!(Moody);
mint_sdk::jobs!(calls::Called);
