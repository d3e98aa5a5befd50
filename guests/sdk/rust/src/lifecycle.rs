//! Start, stop, health and settings.

pub use crate::bindings::lifecycle::exports::mint::plugin::lifecycle::{Environment, Health, HealthStatus};

/// What a plugin does when it starts, stops or gets new settings; every function is optional.
///
/// With `instances = "request"` nothing that these functions leave in memory is seen by a request.
pub trait Lifecycle {
    /// Before the first request of an activation.
    ///
    /// # Errors
    ///
    /// The text is shown to the administrator, and the plugin is Failed.
    fn initialize(_environment: Environment) -> Result<(), String> {
        Ok(())
    }

    /// When the release is replaced, uninstalled or the server stops.
    fn shutdown() {}

    /// How the plugin sees itself.
    fn check_health() -> Health {
        Health { status: HealthStatus::Healthy, message: None, details: None }
    }

    /// New settings: a JSON object that is valid by the manifest's schema.
    ///
    /// # Errors
    ///
    /// The old settings stay in force, and the text is shown to the administrator.
    fn apply_settings(_settings: String) -> Result<(), String> {
        Ok(())
    }
}
