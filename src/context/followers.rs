//! Who is told of changes: implemented by the platform, which knows what runs.

use std::fmt;

use async_trait::async_trait;
use mint_domain::{ExperimentId, InstallationId, Refusal, Slug, Unsealed, experiment::ExperimentStatus};
use serde_json::Value;

use crate::Call;

/// A design that is about to be saved, or was.
#[derive(Clone, Debug)]
pub struct SaveEvent {
    /// The experiment.
    pub experiment: ExperimentId,
    /// Whose design it is.
    pub plugin: Slug,
    /// The design.
    pub data: Value,
}

/// What one follower says of a design that is about to be saved.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Save it as it is.
    Accept,
    /// Save this instead.
    Amend(Value),
    /// Do not save it, with the words for the person who tried.
    Veto(String),
}

/// Tells every running plugin that follows a change.
#[async_trait]
pub trait Followers: Send + Sync + fmt::Debug {
    /// Asks everybody; gives the design as amended.
    ///
    /// # Errors
    /// `EVENT_VETO` (422) when one of them says no, fails or takes too long.
    async fn before_save(&self, call: &Call, event: SaveEvent) -> Result<Value, Refusal>;

    /// Tells everybody that a design was saved. Their failures are logged and change nothing.
    async fn after_save(&self, call: &Call, event: SaveEvent);

    /// Tells everybody that a status changed. Their failures are logged and change nothing.
    async fn status_changed(&self, call: &Call, experiment: ExperimentId, old: ExperimentStatus, new: ExperimentStatus);

    /// Hands new settings to the plugin's own running generation.
    ///
    /// # Errors
    /// The plugin's own words when it refuses them.
    async fn settings_changed(&self, call: &Call, installation: InstallationId, settings: Unsealed) -> Result<(), Refusal>;
}
