//! What components call: one thin file per interface. Each converts, calls one function of `mint_context`, converts back.

pub(crate) mod config;
pub(crate) mod exchange;
pub(crate) mod file_stream;
pub(crate) mod filesystem;
pub(crate) mod linker;
pub(crate) mod logging;
pub(crate) mod v1;
