//! Log lines. The platform adds tenant, plugin, release and request id, and limits how much a plugin may write.

use crate::bindings::imports::wasi::logging::logging;
pub use crate::bindings::imports::wasi::logging::logging::Level;

/// One line with a context that groups related lines, such as the name of a part of the plugin.
pub fn write(level: Level, context: &str, message: &str) {
    logging::log(level, context, message);
}

/// A line for somebody who looks for a fault in the plugin.
pub fn debug(message: &str) {
    write(Level::Debug, "", message);
}

/// A line about normal work.
pub fn info(message: &str) {
    write(Level::Info, "", message);
}

/// A line about something that should be looked at.
pub fn warn(message: &str) {
    write(Level::Warn, "", message);
}

/// A line about work that failed.
pub fn error(message: &str) {
    write(Level::Error, "", message);
}
