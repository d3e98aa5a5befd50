//! The same plugin in both modes, and the plugins of the examples on real data.

mod answers;
mod dose_response;
mod first_sdks;
mod frontend;
mod health;
pub(crate) mod history;
mod jobs;
mod live;
mod mint_bundle;
mod notebook;
mod plate_report;
mod redact;
mod revisions;
mod scaffold;
mod sdk_fixture;
mod sdk_generations;
mod tables;
mod transcript;
mod wire;
mod wire_promises;
mod wire_rows;
mod wire_rules;

pub(crate) use sdk_fixture::find_python;
