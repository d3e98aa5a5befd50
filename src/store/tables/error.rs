//! What a statement of a plugin can end with.

/// The result of a statement of a plugin.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failed statement. All but the last four are for the plugin, in words of the database where it said some.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The statement or its parameters are wrong.
    #[error("{0}")]
    Statement(String),
    /// A plugin may not do this.
    #[error("{0}")]
    Denied(String),
    /// A constraint forbids it.
    #[error("{0}")]
    Constraint(String),
    /// Another transaction is in the way.
    #[error("{0}")]
    Busy(String),
    /// A limit of the installation is reached.
    #[error("{message}")]
    Limit {
        /// Name of the limit.
        limit: &'static str,
        /// With figures.
        message: String,
    },
    /// A snapshot cannot be taken of this, or not put back.
    #[error("{0}")]
    Unsaveable(String),
    /// The disk has no room.
    #[error("{0}")]
    NoRoom(String),
    /// The operator has to prepare the database first.
    #[error("{reason} {hint}")]
    Unprepared {
        /// What is missing.
        reason: String,
        /// What to do.
        hint: String,
    },
    /// The database does not work.
    #[error("the database of plugins failed: {0}")]
    Outage(String),
}
