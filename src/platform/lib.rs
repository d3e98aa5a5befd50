//! Use cases: the only layer that may say "then".
//!
//! **Invariant:** nothing here knows how a plugin runs. It holds a [`Runtime`](mint_context::runtime::Runtime) for each
//! mode and never asks which one it talks to.

pub mod admission;
pub mod archives;
mod attempts;
pub mod body;
pub mod caller;
mod ceremony;
pub mod configure;
mod content;
pub mod development;
mod developments;
pub mod device_login;
pub mod disable;
pub mod dispatch;
mod drain;
mod ended;
mod followers;
pub mod frontends;
pub mod fsck;
pub mod grants;
pub mod health;
mod home;
pub mod install;
mod jobs;
pub mod launch;
pub mod layout;
mod lease;
pub mod limits;
pub mod migrations;
mod not_ready;
pub mod operation;
pub mod passwords;
pub mod people;
pub mod planning;
pub mod platform;
pub mod plugins;
pub mod progress;
pub mod reconcile;
mod recover;
pub mod replicas;
pub mod routes;
pub mod running;
pub mod secrets;
pub mod setup;
pub mod shares;
pub mod sign_in;
pub mod snapshots;
pub mod sockets;
mod start;
mod state;
pub mod status;
pub mod tenants;
mod tidy;
pub mod uninstall;

pub use caller::Caller;
pub use health::HealthOptions;
pub use platform::{Options, Platform};
pub use tenants::Accounts;
