//! Isolated mode: a plugin as a supervised process that serves HTTP on a Unix socket.
//!
//! Wheels run in a venv of their own, executables as they are. The platform hands requests over the socket (`proxy`),
//! and the plugin calls back by HTTP under `/api/internal` ([`rpc`]). Whatever the process does (exits, hangs, prints
//! without end, ignores signals), the supervisor ends it, tells why, and starts it again within a budget.
//!
//! **Invariant:** `rpc` converts, calls one function of `mint_context`, and converts back. No rule stands here.

mod accept;
mod activity;
mod attached;
mod backoff;
mod begin;
mod broken;
mod census;
pub mod chamber;
mod child;
pub mod component;
mod config;
mod control;
mod description;
mod directory;
mod egress;
mod environment;
mod events;
mod executable;
mod exit;
mod file_url;
mod footprint;
mod fullness;
mod generation;
mod incarnation;
mod jobs;
mod keeper;
mod launch;
mod leftovers;
mod link;
mod migrations;
mod mld;
mod once;
mod open_up;
mod output;
mod peer;
mod proxy;
mod registry;
mod response;
pub mod rpc;
mod run;
mod runtime;
mod sandbox;
mod sdk;
mod served;
mod shim;
mod spawn;
mod supervisor;
mod tables;
mod task;
mod tunnel;
mod unused;
mod upload;
mod uv;
mod venv;
mod warm;
mod wheel;

pub use broken::broken_venvs;
pub use config::{ComponentOptions, SubprocessConfig};
pub use registry::Registry;
pub use rpc::RpcState;
pub use runtime::IsolatedRuntime;
pub use sandbox::{Control, Level, SandboxOptions, UserRange};
pub use shim::TEXT as SHIM;
