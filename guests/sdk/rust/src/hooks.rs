//! Events of experiments.

pub use crate::bindings::experiment_hooks::exports::mint::plugin::experiment_hooks::{SaveEvent, Verdict};

/// What a plugin does when an experiment changes; every function is optional. Needs `experiments:read`.
pub trait ExperimentHooks {
    /// Before a design is saved. A trap or a time-out is a veto.
    fn before_save(_event: SaveEvent) -> Verdict {
        Verdict::Accept
    }

    /// After a design was saved.
    fn after_save(_event: SaveEvent) {}

    /// After a change of status; names are those of the platform, such as `ongoing`.
    fn status_changed(_experiment_id: i64, _old_status: String, _new_status: String) {}
}
