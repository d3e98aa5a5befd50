//! `wasi:logging`: lines of the plugin's log.

use mint_context::logs;

use crate::{
    bindings::wasi::logging::logging::{Host, Level},
    store::State,
};

impl Host for State {
    fn log(&mut self, level: Level, context: String, message: String) -> wasmtime::Result<()> {
        let level = match level {
            Level::Trace => logs::Level::Trace,
            Level::Debug => logs::Level::Debug,
            Level::Info => logs::Level::Info,
            Level::Warn => logs::Level::Warn,
            Level::Error | Level::Critical => logs::Level::Error,
        };
        let request_id = Some(&self.call.request_id);
        for line in message.lines() {
            if context.is_empty() {
                self.plugin.log.line(level, "wasi:logging", request_id, line);
            } else {
                self.plugin.log.line(level, "wasi:logging", request_id, &format!("{context}: {line}"));
            }
        }
        Ok(())
    }
}
