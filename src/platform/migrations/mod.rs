//! The history of a plugin's tables: what a release brings, what was applied, and the way from one to the other. How a release's code
//! is asked and called is its runtime's affair.

mod history;
mod reset;
mod show;

pub(crate) use history::{History, refused};
pub(crate) use reset::RESET;
pub use reset::Reset;
pub(crate) use show::STAND_IN;
pub use show::{MigrationState, MigrationStatus, PluginMigrations, SchemaStatus};
