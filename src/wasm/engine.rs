//! The one wasmtime engine of the process, and the one place where its configuration is written.
//!
//! Every switch here changes what compiled code looks like, so the artifact cache takes its key from this engine.

use std::{fs, hash::Hasher, path::Path, sync::Arc, thread, time::Duration};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig, Strategy};

use crate::background::Background;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// Time between two epochs: how long a guest computes before it must let other tasks run.
pub(crate) const TICK: Duration = Duration::from_millis(5);
/// A component may be made of so many core modules. A Python component has some 20.
const CORE_INSTANCES_PER_COMPONENT: u32 = 64;
const MEMORIES_PER_COMPONENT: u32 = 2;
const TABLES_PER_COMPONENT: u32 = 8;
/// A Python component needs some 30,000.
const TABLE_ELEMENTS: usize = 40_000;
/// Largest linear memory: all that 32 bits can address. The installation's own limit is checked on every growth.
const MEMORY_BYTES_MAX: usize = 4 << 30;

/// How a slot of the pool is made clean for the next instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetPath {
    /// The kernel tells which pages were touched (`PAGEMAP_SCAN`), and only those are written over.
    ///
    /// wasmtime 48 overlooks pages that were swapped out, so this is used only where nothing can be.
    PagemapScan,
    /// The lowest pages are written over, the others given back to the kernel.
    Memset,
}

/// Which reset path to take. The one that reads page tables is never forced: where it is safe, it is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResetChoice {
    /// The path that is safe and fast on this machine.
    #[default]
    Auto,
    /// The path that is safe on every machine.
    Memset,
}

impl ResetPath {
    fn chosen(choice: ResetChoice) -> Self {
        match choice {
            ResetChoice::Auto => Self::detect(),
            ResetChoice::Memset => Self::Memset,
        }
    }

    fn detect() -> Self {
        if PoolingAllocationConfig::is_pagemap_scan_available() && !memory_can_be_swapped(Path::new("/")) {
            Self::PagemapScan
        } else {
            Self::Memset
        }
    }

    /// In a word, for logs and status pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PagemapScan => "pagemap-scan",
            Self::Memset => "memset",
        }
    }
}

/// Whether the kernel may write this process's memory to a swap device. In doubt it may.
fn memory_can_be_swapped(root: &Path) -> bool {
    // The first line is a heading.
    let no_swap = fs::read_to_string(root.join("proc/swaps")).is_ok_and(|swaps| swaps.lines().count() <= 1);
    !no_swap && !swap_is_forbidden_here(root)
}

/// Whether a control group (version 2) around this process forbids swap.
fn swap_is_forbidden_here(root: &Path) -> bool {
    let Ok(groups) = fs::read_to_string(root.join("proc/self/cgroup")) else { return false };
    let Some(own) = groups.lines().find_map(|line| line.strip_prefix("0::/")) else { return false };
    let top = root.join("sys/fs/cgroup");
    let own = top.join(own);
    own.ancestors()
        .take_while(|group| group.starts_with(&top))
        .any(|group| fs::read_to_string(group.join("memory.swap.max")).is_ok_and(|max| max.trim() == "0"))
}

/// The engine and what belongs to it.
#[derive(Clone)]
pub(crate) struct Engine {
    inner: wasmtime::Engine,
    reset: ResetPath,
    slots: Arc<Semaphore>,
    compatibility: Arc<str>,
    background: Arc<Background>,
}

impl Engine {
    /// An engine with room for `slots` live instances, whose slots are made clean as `choice` says.
    ///
    /// # Errors
    /// When wasmtime cannot reserve the address space, or does not run on this machine.
    pub(crate) fn new(slots: u32, choice: ResetChoice) -> wasmtime::Result<Self> {
        let reset = ResetPath::chosen(choice);
        let inner = wasmtime::Engine::new(&config(slots, reset))?;
        start_ticker(&inner)?;
        let compatibility = compatibility(&inner);
        tracing::info!(wasm.reset_path = reset.as_str(), wasm.slots = slots, "the engine for components is ready");
        Ok(Self { inner, reset, slots: Arc::new(Semaphore::new(slots as usize)), compatibility, background: Arc::default() })
    }

    /// The wasmtime engine.
    pub(crate) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.inner
    }

    /// How slots are made clean.
    pub(crate) fn reset_path(&self) -> ResetPath {
        self.reset
    }

    /// One permit for each instance that can live at the same time.
    pub(crate) fn slots(&self) -> &Arc<Semaphore> {
        &self.slots
    }

    /// Where guests run that nobody waits for.
    pub(crate) fn background(&self) -> &Background {
        &self.background
    }

    /// Changes when code that was compiled by another engine could not be loaded by this one.
    pub(crate) fn compatibility(&self) -> &str {
        &self.compatibility
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("reset", &self.reset).field("compatibility", &self.compatibility).finish_non_exhaustive()
    }
}

fn config(slots: u32, reset: ResetPath) -> Config {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool(slots, reset)))
        .epoch_interruption(true)
        .wasm_component_model(true)
        // Calls are three to five times cheaper without it; it rules out WASI 0.3 on this engine.
        .concurrency_support(false)
        .async_stack_zeroing(true)
        .memory_init_cow(true)
        .memory_guaranteed_dense_image_size(64 * MIB as u64)
        .wasm_relaxed_simd(false)
        .wasm_memory64(false)
        .wasm_tail_call(false)
        .wasm_custom_page_sizes(false)
        .wasm_wide_arithmetic(false)
        .shared_memory(false);
    config
}

fn pool(slots: u32, reset: ResetPath) -> PoolingAllocationConfig {
    // Where touched pages are not told from others, all that stay resident are written over for every instance.
    let (pagemap_scan, keep_resident) = match reset {
        ResetPath::PagemapScan => (Enabled::Yes, MIB),
        ResetPath::Memset => (Enabled::No, 128 * KIB),
    };
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        .total_core_instances(slots.saturating_mul(CORE_INSTANCES_PER_COMPONENT))
        .total_memories(slots.saturating_mul(MEMORIES_PER_COMPONENT))
        .total_tables(slots.saturating_mul(TABLES_PER_COMPONENT))
        .total_stacks(slots)
        .max_core_instances_per_component(CORE_INSTANCES_PER_COMPONENT)
        .max_memories_per_component(MEMORIES_PER_COMPONENT)
        .max_tables_per_component(TABLES_PER_COMPONENT)
        .max_component_instance_size(4 * MIB)
        .max_core_instance_size(2 * MIB)
        .max_tables_per_module(4)
        .max_memories_per_module(MEMORIES_PER_COMPONENT)
        .table_elements(TABLE_ELEMENTS)
        .max_memory_size(MEMORY_BYTES_MAX)
        .linear_memory_keep_resident(keep_resident)
        .table_keep_resident(64 * KIB)
        .async_stack_keep_resident(64 * KIB)
        .pagemap_scan(pagemap_scan);
    pool
}

/// An engine that makes the code which those of [`Engine::new`] load, and runs none of it.
///
/// # Errors
/// As [`Engine::new`].
pub(crate) fn for_compiling() -> wasmtime::Result<wasmtime::Engine> {
    wasmtime::Engine::new(&config(1, ResetPath::Memset))
}

/// Counts the epochs up from a thread of its own, which no guest can keep from running. It ends with the engine.
fn start_ticker(engine: &wasmtime::Engine) -> wasmtime::Result<()> {
    let engine = engine.weak();
    thread::Builder::new().name("mint-epoch".to_owned()).spawn(move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(TICK);
        }
    })?;
    Ok(())
}

/// The first 16 hexadecimal digits of a SHA-256 over what wasmtime says must agree.
pub(crate) fn compatibility(engine: &wasmtime::Engine) -> Arc<str> {
    let mut hasher = ShaHasher(Sha256::new());
    std::hash::Hash::hash(&engine.precompile_compatibility_hash(), &mut hasher);
    let mut digits = hex::encode(hasher.0.finalize());
    digits.truncate(16);
    digits.into()
}

/// A hasher that gives the same result in every build, unlike that of the standard library.
struct ShaHasher(Sha256);

impl Hasher for ShaHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let mut first = [0; 8];
        self.0.clone().finalize().iter().zip(&mut first).for_each(|(from, to)| *to = *from);
        u64::from_le_bytes(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(swaps: &str, cgroup: &str, swap_max: Option<&str>) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("proc/self")).unwrap();
        fs::create_dir_all(root.path().join("sys/fs/cgroup/lab/mint")).unwrap();
        fs::write(root.path().join("proc/swaps"), swaps).unwrap();
        fs::write(root.path().join("proc/self/cgroup"), cgroup).unwrap();
        if let Some(max) = swap_max {
            fs::write(root.path().join("sys/fs/cgroup/lab/memory.swap.max"), max).unwrap();
        }
        root
    }

    #[test]
    fn swap_is_found_and_in_doubt_assumed() {
        const HEADING: &str = "Filename Type Size Used Priority\n";
        const SWAP: &str = "Filename Type Size Used Priority\n/dev/sdb partition 1 0 -2\n";
        for (swaps, cgroup, max, expected) in [
            (HEADING, "0::/lab/mint\n", None, false),
            (SWAP, "0::/lab/mint\n", None, true),
            (SWAP, "0::/lab/mint\n", Some("max\n"), true),
            (SWAP, "0::/lab/mint\n", Some("0\n"), false),
            (SWAP, "0::/\n", Some("0\n"), true),
            (SWAP, "1:cpu:/lab/mint\n", Some("0\n"), true),
        ] {
            let root = machine(swaps, cgroup, max);
            assert_eq!(memory_can_be_swapped(root.path()), expected, "{swaps:?} {cgroup:?} {max:?}");
        }
        assert!(memory_can_be_swapped(Path::new("/nowhere")));
    }

    #[test]
    fn two_engines_load_each_others_code() {
        let (one, two) = (Engine::new(2, ResetChoice::Auto).unwrap(), Engine::new(2, ResetChoice::Memset).unwrap());
        assert_eq!(one.compatibility(), two.compatibility());
        assert_eq!(two.reset_path(), ResetPath::Memset);
        assert_eq!(one.compatibility().len(), 16);
        assert_eq!(one.compatibility(), &*compatibility(&for_compiling().unwrap()));
    }
}
