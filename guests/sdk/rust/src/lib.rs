//! Write plugins for MINT in Rust.
//!
//! A plugin is a library crate (`crate-type = ["cdylib"]`) that says what it offers with one macro for each export, all
//! of them optional: [`routes!`], [`lifecycle!`], [`experiment_hooks!`], [`migrations!`] and [`jobs!`]. Everything it calls is a
//! module here; a component imports only what it calls, and those imports are what an administrator is asked to grant.
//!
//! ```
//! use mint_sdk::{Request, Response, Result, Route, Router, log, settings};
//!
//! static ROUTER: Router = Router::new(&[Route::get("/", greet)]);
//! mint_sdk::routes!(ROUTER);
//!
//! fn greet(_request: Request) -> Result<Response> {
//!     let greeting = settings::text("greeting")?.unwrap_or_else(|| "Hello".to_owned());
//!     log::info("greeted");
//!     Ok(Response::text(greeting))
//! }
//! # fn main() {}
//! ```

#[doc(hidden)]
pub mod bindings;
pub mod database;
mod error;
#[doc(hidden)]
pub mod export;
mod hooks;
pub mod http;
pub mod jobs;
mod lifecycle;
pub mod log;
pub mod migrations;
pub mod objects;
pub mod results;
pub mod settings;
mod stream;

pub use error::{Error, Result};
pub use hooks::{ExperimentHooks, SaveEvent, Verdict};
pub use http::{Body, BodyWriter, Request, Response, Route, Router};
pub use lifecycle::{Environment, Health, HealthStatus, Lifecycle};
pub use stream::{Reader, Writer};

/// The host interfaces of `mint:platform@1.0.0`, as generated: one module each, documented in the WIT files.
pub mod platform {
    pub use crate::bindings::imports::mint::platform::{
        database, designs, experiments, identity, jobs, migration_ops, objects, projects, results, settings, types,
    };
}

/// The crate for JSON that this SDK uses.
pub use serde_json as json;
