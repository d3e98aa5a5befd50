//! The program `mint`, as a person at a shell uses it.

/// A test on each database. They take a while: the server dies and is started again some forty times in each.
macro_rules! on_each_database {
    ($($name:ident => $test:expr;)*) => {
        $(mod $name {
            use super::*;

            #[tokio::test]
            async fn on_sqlite() {
                ($test)("sqlite").await;
            }

            #[tokio::test]
            async fn on_postgresql() {
                ($test)("postgres").await;
            }
        })*
    };
}

mod accounts;
mod binary;
mod configuration;
pub(crate) mod crashes;
mod crashes_archive;
mod crashes_restore;
mod dev;
mod device_login;
mod fsck;
mod full_disk;
mod jobs;
mod plans;
mod plugin_roles;
mod plugins;
mod profiles;
mod secrets;
mod table_crashes;
mod tenant_export;
mod verbs;

pub(crate) use binary::Mint;
