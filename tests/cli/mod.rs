//! The program `mint`, as a person at a shell uses it.

mod accounts;
mod binary;
mod configuration;
mod crashes;
mod dev;
mod fsck;
mod plans;
mod plugins;

pub(crate) use binary::Mint;
