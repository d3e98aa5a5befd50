//! Plugins come, change, fail and go.

mod archives;
mod backups;
mod bundles;
mod cancel;
mod configure;
mod disable;
mod drain;
mod dry_run;
mod failed_start;
mod install;
mod made_components;
pub(crate) mod migrations;
pub(crate) mod plan;
mod reload;
mod restart;
pub(crate) mod snapshots;
mod terms;
mod tidy;
mod uninstall;
mod upgrade;
