//! Plugins come, change, fail and go.

mod bundles;
mod failed_start;
mod install;
mod reload;
mod restart;
mod uninstall;
