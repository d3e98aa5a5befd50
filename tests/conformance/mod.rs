//! The same plugin in both modes, and the plugins of the examples on real data.

mod dose_response;
mod mint_bundle;
mod notebook;
mod transcript;
