//! The one `bindgen!`: what the platform offers and calls beside WASI, whose bindings come from wasmtime's own crates.

wasmtime::component::bindgen!({
    inline: "
        package mint:host;

        world host {
            include mint:platform/imports@1.0.0;
            import wasi:config/store@0.2.0-rc.1;
            import wasi:logging/logging@0.1.0-draft;
            import mint:plugin/exchange@1.0.0;
            export mint:plugin/routes@1.0.0;
            export mint:plugin/lifecycle@1.0.0;
            export mint:plugin/experiment-hooks@1.0.0;
            export mint:plugin/migrations@1.0.0;
            export mint:plugin/jobs@1.0.0;
        }
    ",
    path: [
        "../../wit/deps/wasi-io@0.2.12",
        "../../wit/deps/wasi-clocks@0.2.12",
        "../../wit/deps/wasi-random@0.2.12",
        "../../wit/deps/wasi-filesystem@0.2.12",
        "../../wit/deps/wasi-sockets@0.2.12",
        "../../wit/deps/wasi-cli@0.2.12",
        "../../wit/deps/wasi-http@0.2.12",
        "../../wit/deps/wasi-config@0.2.0-rc.1",
        "../../wit/deps/wasi-logging@0.1.0-draft",
        "../../wit/mint-platform@1.0.0",
        "../../wit/mint-plugin@1.0.0",
    ],
    world: "mint:host/host",
    imports: {
        "mint:platform/identity.current": trappable,
        "mint:platform/identity.permissions": trappable,
        "mint:platform/identity.require-role": trappable,
        "mint:platform/jobs.current": trappable,
        "mint:platform/jobs.progress": trappable,
        "mint:platform/jobs.heartbeat": trappable,
        "mint:platform/jobs.cancelled": trappable,
        "mint:plugin/exchange": trappable,
        "wasi:config/store": trappable,
        "wasi:logging/logging": trappable,
        default: async | trappable,
    },
    exports: { default: async },
    require_store_data_send: true,
    with: {
        "wasi:http": wasmtime_wasi_http::p2::bindings::http,
        "wasi:io": wasmtime_wasi::p2::bindings::io,
        "mint:platform/objects.writer": crate::host::v1::objects::Writer,
        "mint:platform/database.transaction": crate::host::v1::database::Transaction,
        "mint:platform/database.cursor": crate::host::v1::database::Cursor,
        "mint:platform/migration-ops.ops": crate::host::v1::migration_ops::Ops,
    },
});
