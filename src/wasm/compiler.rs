//! Machine code out of components: what a compiler is to the cache, and the compiling itself.

use std::{fmt, fs::File};

use async_trait::async_trait;
use mint_domain::lifecycle::Failure;

use crate::engine;

/// Turns components into machine code, where doing so takes neither the server's memory nor its time: compilers need
/// much of both for some components that are small.
#[async_trait]
pub trait Compiler: fmt::Debug + Send + Sync {
    /// The code of `component` for engines of this [`compatibility`](Compiled::compatibility). Gives up when it is dropped.
    ///
    /// # Errors
    /// A [`Failure`] that tells what is wrong with the component, or with this machine.
    async fn compile(&self, component: File, compatibility: &str) -> Result<Vec<u8>, Failure>;
}

/// What [`compile`] made.
#[derive(Debug)]
pub struct Compiled {
    /// Machine code, with what belongs to it.
    pub code: Vec<u8>,
    /// Only an engine that has the same can load it.
    pub compatibility: String,
}

/// Compiles a component, here and now.
///
/// # Errors
/// What wasmtime has against it, in words that follow `The component does not compile:`.
pub fn compile(component: &[u8]) -> Result<Compiled, String> {
    let described = |error: wasmtime::Error| format!("{error:#}");
    let engine = engine::for_compiling().map_err(described)?;
    let code = engine.precompile_component(component).map_err(described)?;
    Ok(Compiled { code, compatibility: engine::compatibility(&engine).to_string() })
}

/// The failure of a component with which wasmtime cannot do anything, for a reason that [`compile`] gave.
pub fn refused(reason: &str) -> Failure {
    Failure::new(
        "stage",
        format!("The component does not compile: {reason}."),
        "Build it for WASI 0.2, without threads, garbage collection, exceptions or other proposals.",
    )
}
