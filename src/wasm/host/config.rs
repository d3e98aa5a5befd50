//! `wasi:config/store`: the settings in force, as texts.

use crate::{
    bindings::wasi::config::store::{Error, Host},
    store::State,
};

impl Host for State {
    fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<String>, Error>> {
        Ok(Ok(self.plugin.settings().texts.get(&key).cloned()))
    }

    fn get_all(&mut self) -> wasmtime::Result<Result<Vec<(String, String)>, Error>> {
        let settings = self.plugin.settings();
        Ok(Ok(settings.texts.iter().map(|(key, text)| (key.clone(), text.clone())).collect()))
    }
}
