//! What is fed with anything whatever. Each target is a function over bytes, which panics where a rule does not hold; the tests
//! of the workspace run the same functions over the corpora.

pub mod bundle;
pub mod headers;
pub mod host_calls;
pub mod house;
pub mod manifest;
pub mod paths;
pub mod pieces;
pub mod requirement;
pub mod settings;
pub mod sql;

/// A target.
pub type Target = (&'static str, fn(&[u8]));

/// Every target, by its name.
pub const TARGETS: &[Target] = &[
    ("bundle", bundle::run),
    ("manifest", manifest::run),
    ("requirement", requirement::run),
    ("paths", paths::run),
    ("headers", headers::run),
    ("host_calls", host_calls::run),
    ("sql", sql::run),
    ("settings", settings::run),
];
