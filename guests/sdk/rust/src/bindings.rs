//! Generated from the WIT of the platform and of WASI.
//!
//! There is one world for the imports and one for each export, because the description of a world travels with the
//! code that uses it: a component has the imports it calls and the exports it asked for, and nothing else.
#![allow(missing_docs, unreachable_pub, reason = "the WIT files carry the documentation")]
#![allow(clippy::all, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "generated code")]

/// What the platform and WASI offer.
pub mod imports {
    wit_bindgen::generate!({
        path: [
            "../../../wit/deps/wasi-io@0.2.12",
            "../../../wit/deps/wasi-clocks@0.2.12",
            "../../../wit/deps/wasi-random@0.2.12",
            "../../../wit/deps/wasi-filesystem@0.2.12",
            "../../../wit/deps/wasi-sockets@0.2.12",
            "../../../wit/deps/wasi-cli@0.2.12",
            "../../../wit/deps/wasi-http@0.2.12",
            "../../../wit/deps/wasi-config@0.2.0-rc.1",
            "../../../wit/deps/wasi-logging@0.1.0-draft",
            "../../../wit/mint-platform@1.0.0",
            "../../../wit/mint-plugin@1.0.0",
        ],
        inline: "
            package mint:sdk-imports;
            world imports {
                include mint:platform/imports@1.0.0;
                import mint:plugin/exchange@1.0.0;
                import wasi:config/store@0.2.0-rc.1;
                import wasi:http/types@0.2.12;
                import wasi:logging/logging@0.1.0-draft;
            }
        ",
        generate_all,
    });
}

/// The export of routes.
pub mod routes {
    wit_bindgen::generate!({
        path: [
            "../../../wit/deps/wasi-io@0.2.12",
            "../../../wit/deps/wasi-clocks@0.2.12",
            "../../../wit/deps/wasi-random@0.2.12",
            "../../../wit/deps/wasi-filesystem@0.2.12",
            "../../../wit/deps/wasi-sockets@0.2.12",
            "../../../wit/deps/wasi-cli@0.2.12",
            "../../../wit/deps/wasi-http@0.2.12",
            "../../../wit/mint-platform@1.0.0",
            "../../../wit/mint-plugin@1.0.0",
        ],
        inline: "
            package mint:sdk-routes;
            world routes {
                export mint:plugin/routes@1.0.0;
            }
        ",
        with: {
            "mint:platform/types@1.0.0": crate::bindings::imports::mint::platform::types,
            "mint:plugin/routes@1.0.0": generate,
        },
        pub_export_macro: true,
        export_macro_name: "export_routes",
    });
}

/// The export of start, stop, health and settings.
pub mod lifecycle {
    wit_bindgen::generate!({
        path: [
            "../../../wit/deps/wasi-io@0.2.12",
            "../../../wit/deps/wasi-clocks@0.2.12",
            "../../../wit/deps/wasi-random@0.2.12",
            "../../../wit/deps/wasi-filesystem@0.2.12",
            "../../../wit/deps/wasi-sockets@0.2.12",
            "../../../wit/deps/wasi-cli@0.2.12",
            "../../../wit/deps/wasi-http@0.2.12",
            "../../../wit/mint-platform@1.0.0",
            "../../../wit/mint-plugin@1.0.0",
        ],
        inline: "
            package mint:sdk-lifecycle;
            world lifecycle {
                export mint:plugin/lifecycle@1.0.0;
            }
        ",
        with: {
            "mint:platform/types@1.0.0": crate::bindings::imports::mint::platform::types,
            "mint:plugin/lifecycle@1.0.0": generate,
        },
        pub_export_macro: true,
        export_macro_name: "export_lifecycle",
    });
}

/// The export of experiment hooks.
pub mod experiment_hooks {
    wit_bindgen::generate!({
        path: [
            "../../../wit/deps/wasi-io@0.2.12",
            "../../../wit/deps/wasi-clocks@0.2.12",
            "../../../wit/deps/wasi-random@0.2.12",
            "../../../wit/deps/wasi-filesystem@0.2.12",
            "../../../wit/deps/wasi-sockets@0.2.12",
            "../../../wit/deps/wasi-cli@0.2.12",
            "../../../wit/deps/wasi-http@0.2.12",
            "../../../wit/mint-platform@1.0.0",
            "../../../wit/mint-plugin@1.0.0",
        ],
        inline: "
            package mint:sdk-experiment-hooks;
            world experiment-hooks {
                export mint:plugin/experiment-hooks@1.0.0;
            }
        ",
        with: {
            "mint:platform/types@1.0.0": crate::bindings::imports::mint::platform::types,
            "mint:plugin/experiment-hooks@1.0.0": generate,
        },
        pub_export_macro: true,
        export_macro_name: "export_experiment_hooks",
    });
}

/// The export of migrations.
pub mod migrations {
    wit_bindgen::generate!({
        path: [
            "../../../wit/deps/wasi-io@0.2.12",
            "../../../wit/deps/wasi-clocks@0.2.12",
            "../../../wit/deps/wasi-random@0.2.12",
            "../../../wit/deps/wasi-filesystem@0.2.12",
            "../../../wit/deps/wasi-sockets@0.2.12",
            "../../../wit/deps/wasi-cli@0.2.12",
            "../../../wit/deps/wasi-http@0.2.12",
            "../../../wit/mint-platform@1.0.0",
            "../../../wit/mint-plugin@1.0.0",
        ],
        inline: "
            package mint:sdk-migrations;
            world migrations {
                export mint:plugin/migrations@1.0.0;
            }
        ",
        with: {
            "mint:platform/types@1.0.0": crate::bindings::imports::mint::platform::types,
            "mint:platform/database@1.0.0": crate::bindings::imports::mint::platform::database,
            "mint:platform/migration-ops@1.0.0": crate::bindings::imports::mint::platform::migration_ops,
            "mint:plugin/migrations@1.0.0": generate,
        },
        pub_export_macro: true,
        export_macro_name: "export_migrations",
    });
}

/// The export of jobs.
pub mod jobs {
    wit_bindgen::generate!({
        path: [
            "../../../wit/deps/wasi-io@0.2.12",
            "../../../wit/deps/wasi-clocks@0.2.12",
            "../../../wit/deps/wasi-random@0.2.12",
            "../../../wit/deps/wasi-filesystem@0.2.12",
            "../../../wit/deps/wasi-sockets@0.2.12",
            "../../../wit/deps/wasi-cli@0.2.12",
            "../../../wit/deps/wasi-http@0.2.12",
            "../../../wit/mint-platform@1.0.0",
            "../../../wit/mint-plugin@1.0.0",
        ],
        inline: "
            package mint:sdk-jobs;
            world jobs {
                export mint:plugin/jobs@1.0.0;
            }
        ",
        with: {
            "mint:platform/types@1.0.0": crate::bindings::imports::mint::platform::types,
            "mint:plugin/jobs@1.0.0": generate,
        },
        pub_export_macro: true,
        export_macro_name: "export_jobs",
    });
}
