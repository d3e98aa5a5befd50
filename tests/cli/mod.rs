//! The program `mint`, as a person at a shell uses it.

mod accounts;
mod binary;
mod configuration;
mod crashes;
mod crashes_restore;
mod dev;
mod fsck;
mod plans;
mod plugins;
mod table_crashes;

pub(crate) use binary::Mint;
