//! `PlatformContext`: what a plugin may do, written once for both modes, and for people through the REST API.
//!
//! Every function takes a [`Call`] first: who acts, for which tenant, through which plugin. It authorises, checks the
//! limits, acts, and answers with a typed [`Refusal`](mint_domain::Refusal) or an [`Error`].
//!
//! **Invariant:** nothing here asks whether a plugin is shared or isolated. The adapters of both modes convert, call one
//! function of this crate, and convert back.

mod access;
pub mod blobs;
pub mod budget;
pub mod calendar;
pub mod call;
pub mod database;
pub mod designs;
pub mod envelope;
pub mod error;
pub mod experiments;
pub mod file_results;
pub mod followers;
pub mod headers;
pub mod http_out;
pub mod https;
pub mod identity;
mod incoming;
pub mod instruments;
pub mod jobs;
pub mod logs;
pub mod meters;
pub mod migration_ops;
pub mod notifications;
pub mod objects;
pub mod outbound;
pub mod own_driver;
pub mod projects;
pub mod results;
pub mod roles;
pub mod runtime;
pub mod schema;
mod schema_work;
pub mod secrets;
pub mod settings;
pub mod sharing;
pub mod socket;
pub mod storage;
mod storage_http;
mod text;
pub mod trailers;
pub mod unstored;

pub use call::{Call, PluginAuthority, Services, Terms};
pub use error::{Error, Result};
pub use incoming::Incoming;
pub use mint_store::Page;
