//! What a query can end with.

/// The result of every function of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failed query. The first three are answers of the database that a caller may act on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A unique constraint: there is already such a record.
    #[error("there is already such a {what}")]
    Duplicate {
        /// What there is already.
        what: &'static str,
    },
    /// A foreign key: the record referred to is not there.
    #[error("a record that is referred to is not there")]
    DanglingReference,
    /// A row that changed under the caller.
    #[error("the record changed meanwhile")]
    Stale,
    /// The operation is another process's now.
    #[error("another process has taken the operation over")]
    LeaseLost,
    /// The migrations in this binary and those in the database disagree.
    #[error("{0}")]
    Migration(String),
    /// The address of the database cannot be used.
    #[error("database url: {0}")]
    Url(String),
    /// A PostgreSQL database that does not hold every character.
    #[error("the database's encoding is {0}: make one with `createdb --encoding=UTF8 --template=template0 …`")]
    Encoding(String),
    /// Anything else.
    #[error("query failed: {0}")]
    Sqlx(#[source] sqlx::Error),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database) if database.is_unique_violation() => Self::Duplicate { what: "record" },
            sqlx::Error::Database(database) if database.is_foreign_key_violation() => Self::DanglingReference,
            _ => Self::Sqlx(error),
        }
    }
}

/// Whether an SQLSTATE of PostgreSQL, or of a pooler before it, tells of a server that ends, starts or has no place, or of a
/// connection that is gone.
fn is_outage(code: &str) -> bool {
    code.starts_with("08") || code.starts_with("57P0") || matches!(code, "53300" | "25P03" | "55P03")
}

impl Error {
    /// Whether the database could not be reached or had no connection to give, rather than refused the query.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Sqlx(sqlx::Error::Database(error)) => error.code().is_some_and(|code| is_outage(&code)),
            Self::Sqlx(error) => matches!(
                error,
                sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed
            ),
            _ => false,
        }
    }

    /// Whether the disk of the database has no room.
    pub fn is_full(&self) -> bool {
        /// SQLite's code, and PostgreSQL's.
        const FULL: [&str; 2] = ["13", "53100"];
        match self {
            Self::Sqlx(sqlx::Error::Database(error)) => error.code().is_some_and(|code| FULL.contains(&&*code)),
            _ => false,
        }
    }

    /// Names what a unique constraint was about.
    pub(crate) fn naming(self, what: &'static str) -> Self {
        match self {
            Self::Duplicate { .. } => Self::Duplicate { what },
            other => other,
        }
    }
}
