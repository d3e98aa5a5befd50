//! `mint:platform@1.0.0`: one file per interface, with the names of `mint_context`.

pub(crate) mod convert;
pub(crate) mod database;
pub(crate) mod designs;
pub(crate) mod experiments;
pub(crate) mod identity;
pub(crate) mod jobs;
pub(crate) mod migration_ops;
pub(crate) mod object_stream;
pub(crate) mod objects;
pub(crate) mod projects;
pub(crate) mod results;
pub(crate) mod settings;
