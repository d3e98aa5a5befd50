//! What `mint dev` is made of: the project, its server, and its place in the platform.

pub(crate) mod child;
pub(crate) mod project;
pub(crate) mod session;
