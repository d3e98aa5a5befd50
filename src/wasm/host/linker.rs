//! What a component is linked to: WASI without any authority, and the interfaces that its grants unlock.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use mint_domain::Grants;
use wasmtime::component::{HasSelf, Linker};
use wasmtime_wasi::p2::bindings::filesystem;

use super::filesystem::HasFilesystem;
use crate::{bindings, engine::Engine, store::State};

/// The linkers, one for each set of interfaces that was called for. A linker is never changed once it is made.
pub(crate) struct Linkers {
    engine: Engine,
    made: Mutex<HashMap<Vec<&'static str>, Arc<Linker<State>>>>,
}

impl Linkers {
    /// No linkers yet.
    pub(crate) fn new(engine: Engine) -> Self {
        Self { engine, made: Mutex::default() }
    }

    /// The linker for what `grants` unlock.
    ///
    /// # Errors
    /// When wasmtime refuses a definition, which it does in every run or in none.
    pub(crate) fn get(&self, grants: &Grants) -> wasmtime::Result<Arc<Linker<State>>> {
        let granted: Vec<_> = INTERFACES.iter().filter(|(name, _)| grants.unlock(name)).collect();
        let key = granted.iter().map(|(name, _)| *name).collect();
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(linker) = made.get(&key) {
            return Ok(Arc::clone(linker));
        }
        let mut linker = wasi(&self.engine)?;
        for (_, add) in granted {
            add(&mut linker)?;
        }
        let linker = Arc::new(linker);
        made.insert(key, Arc::clone(&linker));
        Ok(linker)
    }
}

type Add = fn(&mut Linker<State>) -> wasmtime::Result<()>;

const INTERFACES: &[(&str, Add)] = {
    use bindings::mint::platform as p;
    &[
        ("types", |linker| p::types::add_to_linker::<State, HasSelf<State>>(linker, |state| state)),
        ("identity", |linker| p::identity::add_to_linker::<State, HasSelf<State>>(linker, |state| state)),
        ("projects", |linker| p::projects::add_to_linker::<State, HasSelf<State>>(linker, |state| state)),
        ("experiments", |linker| p::experiments::add_to_linker::<State, HasSelf<State>>(linker, |state| state)),
        ("designs", |linker| p::designs::add_to_linker::<State, HasSelf<State>>(linker, |state| state)),
        ("results", |linker| p::results::add_to_linker::<State, HasSelf<State>>(linker, |state| state)),
        ("objects", |linker| p::objects::add_to_linker::<State, HasSelf<State>>(linker, |state| state)),
        ("database", |linker| p::database::add_to_linker::<State, HasSelf<State>>(linker, |state| state)),
        ("migration-ops", |linker| p::migration_ops::add_to_linker::<State, HasSelf<State>>(linker, |state| state)),
        ("jobs", |linker| p::jobs::add_to_linker::<State, HasSelf<State>>(linker, |state| state)),
        ("settings", |linker| p::settings::add_to_linker::<State, HasSelf<State>>(linker, |state| state)),
    ]
};

/// What every component is linked to: language runtimes import it whether the author uses it or not. The context of
/// each store decides what it can do, which by default is nothing.
fn wasi(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine.wasmtime());
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    // The filesystem is wasmtime's with a quota around it.
    linker.allow_shadowing(true);
    filesystem::types::add_to_linker::<State, HasFilesystem>(&mut linker, State::filesystem)?;
    filesystem::preopens::add_to_linker::<State, HasFilesystem>(&mut linker, State::filesystem)?;
    linker.allow_shadowing(false);
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    bindings::mint::plugin::exchange::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
    bindings::wasi::config::store::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
    bindings::wasi::logging::logging::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
    Ok(linker)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imports::PLATFORM_INTERFACES;

    #[test]
    fn every_interface_of_the_platform_can_be_linked() {
        let names: Vec<_> = INTERFACES.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, PLATFORM_INTERFACES);
    }
}
