//! The binary `mint`: the composition root, and the commands.

pub mod build;
mod client;
mod commands;
pub mod compiler;
pub mod config;
mod credentials;
mod dev;
mod dev_servers;
mod download;
pub mod key;
mod lock;
mod open_files;
mod output;
mod progress;
pub mod secrets;
pub mod serve;

pub use commands::run;
