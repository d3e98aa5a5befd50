//! The data of a store: everything that one instance of a component can reach.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use mint_context::{Call, PluginAuthority, logs::PluginLog, outbound::Outbound};
use mint_domain::{Clock, Unsealed};
use serde_json::Value;
use wasmtime::{Store, UpdateDeadline, component::ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView, filesystem::WasiFilesystemCtxView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::{
    console::Console,
    engine::Engine,
    files::Files,
    host::{
        exchange::Exchange,
        filesystem::{Held, QuotaFilesystem},
        v1::database::Sessions,
    },
    limits::{MemoryLimit, Meter},
    outgoing::OutgoingHooks,
};

/// Largest set of header fields that a guest may hold, in bytes of host memory.
const FIELDS_BYTES_MAX: usize = 64 << 10;
/// Handles that a guest may hold of its own resources and ours together, for each resource of ours.
const HANDLES_PER_RESOURCE: usize = 4;
/// Most bytes of one call of `wasi:random`.
const RANDOM_BYTES_MAX: u64 = 1 << 20;

/// What all instances of a started installation share.
#[derive(Debug)]
pub(crate) struct Plugin {
    /// What it may do, and for whom.
    pub authority: Arc<PluginAuthority>,
    /// Where its lines go.
    pub log: Arc<PluginLog>,
    /// Its way out.
    pub egress: Arc<Outbound>,
    /// Its directories, where they were granted.
    pub files: Option<Arc<Files>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    settings: RwLock<Arc<Settings>>,
}

/// Settings in force, in the two forms in which components read them.
pub(crate) struct Settings {
    /// A JSON object.
    pub values: Unsealed,
    /// The same, value by value: texts as they are, everything else as JSON.
    pub texts: BTreeMap<String, String>,
}

impl Settings {
    fn new(values: Unsealed) -> Self {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let texts = values.as_object().into_iter().flatten().map(|(key, value)| (key.clone(), text(value))).collect();
        Self { values, texts }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Settings(…)")
    }
}

impl Plugin {
    /// A plugin that is being started with `settings`.
    pub(crate) fn new(
        authority: Arc<PluginAuthority>,
        log: Arc<PluginLog>,
        clock: Arc<dyn Clock>,
        files: Option<Arc<Files>>,
        settings: Unsealed,
    ) -> Self {
        let egress = Arc::new(Outbound::new(Arc::clone(&authority), Arc::clone(&log)));
        Self { authority, log, egress, files, clock, settings: RwLock::new(Arc::new(Settings::new(settings))) }
    }

    /// The settings in force.
    pub(crate) fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts other settings in force, for calls that begin from now on.
    pub(crate) fn set_settings(&self, values: Unsealed) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Settings::new(values));
    }
}

/// The data of one store.
pub(crate) struct State {
    /// The call that is being served: replaced as a whole for every call.
    pub call: Arc<Call>,
    /// What the instances of the plugin share.
    pub plugin: Arc<Plugin>,
    /// Handles of host resources.
    pub table: ResourceTable,
    /// All memories and tables.
    pub memory: MemoryLimit,
    /// Time spent computing.
    pub meter: Arc<Meter>,
    /// Standard output and error.
    pub console: Arc<Console>,
    /// The request that is being answered.
    pub exchange: Option<Exchange>,
    /// What it has open in the database.
    pub sessions: Sessions,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: OutgoingHooks,
    held: Held,
}

impl State {
    fn new(plugin: Arc<Plugin>, call: Arc<Call>, meter: Arc<Meter>) -> wasmtime::Result<Self> {
        let limits = &plugin.authority.limits();
        let console = Console::new(Arc::clone(&plugin.log));
        let mut wasi = WasiCtx::builder();
        // Everything else of the builder is empty or denied by default: environment, arguments, preopens, sockets, names.
        wasi.stdout(console.stdout())
            .stderr(console.stderr())
            .max_random_size(RANDOM_BYTES_MAX)
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false);
        if let Some(files) = &plugin.files {
            files.preopen(&mut wasi)?;
        }
        let mut table = ResourceTable::new();
        table.set_max_capacity(usize::try_from(limits.handles_max).unwrap_or(usize::MAX));
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(FIELDS_BYTES_MAX);
        let hooks = OutgoingHooks::new(Arc::clone(&plugin.egress), Arc::clone(&call));
        let memory = MemoryLimit::new(limits, Arc::clone(&plugin.log));
        Ok(Self {
            call,
            plugin,
            table,
            memory,
            meter,
            console,
            exchange: None,
            sessions: Sessions::default(),
            wasi: wasi.build(),
            http,
            hooks,
            held: Held::default(),
        })
    }

    /// Serves `call` from now on: its actor, its request id, its deadline.
    fn begin(&mut self, call: Arc<Call>) {
        self.console.begin(Arc::clone(&call));
        self.hooks.begin(Arc::clone(&call));
        self.memory.begin();
        self.call = call;
    }
}

impl State {
    /// The filesystem, with its quota.
    pub(crate) fn filesystem(&mut self) -> QuotaFilesystem<'_> {
        QuotaFilesystem {
            inner: WasiFilesystemCtxView { ctx: self.wasi.filesystem(), table: &mut self.table },
            files: self.plugin.files.as_deref(),
            held: &mut self.held,
            log: &self.plugin.log,
        }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.hooks, table: &mut self.table, ctx: &mut self.http }
    }
}

/// A store for one instance of `plugin`, with the limits of its installation, to be armed by [`begin`].
///
/// # Errors
/// When the plugin's directories cannot be opened.
pub(crate) fn new(engine: &Engine, plugin: &Arc<Plugin>, call: Arc<Call>, meter: &Arc<Meter>) -> wasmtime::Result<Store<State>> {
    let limits = &plugin.authority.limits();
    let mut store = Store::new(engine.wasmtime(), State::new(Arc::clone(plugin), call, Arc::clone(meter))?);
    store.limiter(|state| &mut state.memory);
    let meter = Arc::clone(meter);
    store.epoch_deadline_callback(move |_| {
        meter.check()?;
        // The way of the async runtime lets it look after its sockets before this guest goes on.
        Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
    });
    store.set_hostcall_fuel(usize::try_from(limits.host_memory_bytes_max).unwrap_or(usize::MAX));
    store.set_max_component_handles(
        usize::try_from(limits.handles_max).unwrap_or(usize::MAX).saturating_mul(HANDLES_PER_RESOURCE),
    );
    Ok(store)
}

/// Serves `call` with this store from now on.
pub(crate) fn begin(store: &mut Store<State>, call: Arc<Call>) {
    store.set_epoch_deadline(1);
    store.data_mut().begin(call);
}
