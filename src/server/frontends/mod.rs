//! The origins of plugins: a front-end's files, the plugin's own routes, and nothing else.

mod caching;
mod door;
mod enter;
mod files;
mod told;

pub(crate) use door::{answer, asked, host, nobody, whose};
pub(crate) use enter::see_other;
