//! What the export macros expand to.
//!
//! Only a component exports: the names of its exports are none that a native library could have.

pub use crate::bindings::jobs::exports::mint::plugin::jobs;
pub use crate::bindings::migrations::exports::mint::plugin::migrations;
pub use crate::bindings::routes::exports::mint::plugin::routes;
use crate::http::Router;

/// Answers one request by the router. Called by [`routes!`](crate::routes!).
pub fn serve(router: &Router, request: routes::Request) -> Option<routes::Response> {
    crate::http::serve(router, request)
}

/// Exports the routes of a [`Router`](crate::Router), once in a plugin: `mint_sdk::routes!(ROUTER);`.
#[macro_export]
macro_rules! routes {
    ($router:expr) => {
        const _: () = {
            struct Routes;
            impl $crate::export::routes::Guest for Routes {
                fn handle(request: $crate::export::routes::Request) -> ::std::option::Option<$crate::export::routes::Response> {
                    $crate::export::serve(&$router, request)
                }
            }
            let _ = Routes;
            #[cfg(target_arch = "wasm32")]
    $crate::bindings::routes::export_routes!(Routes with_types_in $crate::bindings::routes);
        };
    };
}

/// Exports a [`Lifecycle`](crate::Lifecycle), once in a plugin: `mint_sdk::lifecycle!(Plugin);`.
#[macro_export]
macro_rules! lifecycle {
    ($plugin:ty) => {
        const _: () = {
            struct Export;
            impl $crate::bindings::lifecycle::exports::mint::plugin::lifecycle::Guest for Export {
                fn initialize(environment: $crate::Environment) -> ::std::result::Result<(), ::std::string::String> {
                    <$plugin as $crate::Lifecycle>::initialize(environment)
                }
                fn shutdown() {
                    <$plugin as $crate::Lifecycle>::shutdown();
                }
                fn check_health() -> $crate::Health {
                    <$plugin as $crate::Lifecycle>::check_health()
                }
                fn apply_settings(settings: ::std::string::String) -> ::std::result::Result<(), ::std::string::String> {
                    <$plugin as $crate::Lifecycle>::apply_settings(settings)
                }
            }
            let _ = Export;
            #[cfg(target_arch = "wasm32")]
    $crate::bindings::lifecycle::export_lifecycle!(Export with_types_in $crate::bindings::lifecycle);
        };
    };
}

/// Exports [`ExperimentHooks`](crate::ExperimentHooks), once in a plugin: `mint_sdk::experiment_hooks!(Plugin);`.
#[macro_export]
macro_rules! experiment_hooks {
    ($plugin:ty) => {
        const _: () = {
            struct Export;
            impl $crate::bindings::experiment_hooks::exports::mint::plugin::experiment_hooks::Guest for Export {
                fn before_save(event: $crate::SaveEvent) -> $crate::Verdict {
                    <$plugin as $crate::ExperimentHooks>::before_save(event)
                }
                fn after_save(event: $crate::SaveEvent) {
                    <$plugin as $crate::ExperimentHooks>::after_save(event);
                }
                fn status_changed(experiment: i64, old: ::std::string::String, new: ::std::string::String) {
                    <$plugin as $crate::ExperimentHooks>::status_changed(experiment, old, new);
                }
            }
            let _ = Export;
            #[cfg(target_arch = "wasm32")]
            $crate::bindings::experiment_hooks::export_experiment_hooks!(
                Export with_types_in $crate::bindings::experiment_hooks
            );
        };
    };
}

/// Exports the history of a plugin's tables, once in a plugin, at the crate's root: each migration is a file with a constant
/// `MIGRATION`, in their order; attributes such as `#[cfg(…)]` may stand before it.
///
/// ```ignore
/// mint_sdk::migrations! {
///     "migrations/initial.rs" => initial,
///     "migrations/operator.rs" => operator,
/// }
/// ```
///
/// See [`mint_sdk::migrations`](crate::migrations) for what stands in such a file.
#[macro_export]
macro_rules! migrations {
    ($($(#[$meta:meta])* $path:literal => $name:ident),+ $(,)?) => {
        $($(#[$meta])* #[path = $path] mod $name;)+

        const _: () = {
            const HISTORY: &[$crate::migrations::Declared] =
                &[$($(#[$meta])* $crate::migrations::Declared { migration: $name::MIGRATION, source: include_str!($path) }),+];
            struct Export;
            impl $crate::export::migrations::Guest for Export {
                fn list() -> ::std::vec::Vec<$crate::export::migrations::Migration> {
                    $crate::migrations::list(HISTORY)
                }
                fn upgrade(version: u32, ops: &$crate::platform::migration_ops::Ops) -> ::std::result::Result<(), ::std::string::String> {
                    $crate::migrations::upgrade(HISTORY, version, ops)
                }
                fn downgrade(version: u32, ops: &$crate::platform::migration_ops::Ops) -> ::std::result::Result<(), ::std::string::String> {
                    $crate::migrations::downgrade(HISTORY, version, ops)
                }
            }
            let _ = Export;
            #[cfg(target_arch = "wasm32")]
            $crate::bindings::migrations::export_migrations!(Export with_types_in $crate::bindings::migrations);
        };
    };
}

/// Exports [`Jobs`](crate::jobs::Jobs), once in a plugin: `mint_sdk::jobs!(Plugin);`.
#[macro_export]
macro_rules! jobs {
    ($plugin:ty) => {
        const _: () = {
            struct Export;
            impl $crate::export::jobs::Guest for Export {
                fn run(
                    kind: ::std::string::String,
                    payload: ::std::string::String,
                ) -> ::std::result::Result<::std::option::Option<::std::string::String>, $crate::export::jobs::Failure> {
                    $crate::jobs::run::<$plugin>(&kind, &payload)
                }
            }
            let _ = Export;
            #[cfg(target_arch = "wasm32")]
    $crate::bindings::jobs::export_jobs!(Export with_types_in $crate::bindings::jobs);
        };
    };
}
