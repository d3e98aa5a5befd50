//! What a call can end with.

use mint_domain::{Kind, Refusal};

/// The result of every function of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A refusal, which the caller may read, or a fault of the platform, which only the operator may.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An expected no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The database failed.
    #[error("the database failed")]
    Store(#[source] mint_store::Error),
    /// The tables of a plugin failed.
    #[error("the tables of a plugin failed")]
    Tables(#[source] mint_store::tables::Error),
    /// The object storage failed.
    #[error("the object storage failed")]
    Blobs(#[from] object_store::Error),
    /// A stream of bytes failed.
    #[error("a stream failed")]
    Stream(#[from] std::io::Error),
}

impl From<mint_store::Error> for Error {
    /// Constraints that a caller can run into are refusals; everything else is an outage.
    fn from(error: mint_store::Error) -> Self {
        match error {
            mint_store::Error::Duplicate { what } => {
                Self::Refused(Refusal::conflict(what, what, format!("There is already such a {what}.")))
            }
            mint_store::Error::DanglingReference => {
                Self::Refused(Refusal::invalid("A record that this one refers to does not exist, or was just deleted."))
            }
            other => Self::Store(other),
        }
    }
}

impl Error {
    /// What the caller may read of it. The chain is for the log.
    pub fn public(&self) -> Refusal {
        match self {
            Self::Refused(refusal) => refusal.clone(),
            Self::Store(error) if error.is_outage() => {
                Refusal::new(Kind::Unavailable, "service.unavailable", "The database does not answer. Try again in a moment.")
                    .retry_after(5)
            }
            Self::Store(error) if error.is_full() => Refusal::new(
                Kind::QuotaExceeded,
                "service.no_room",
                "There is no room on the disk of the database. Make some, and try again.",
            ),
            Self::Blobs(error) if !matches!(error, object_store::Error::NotFound { .. }) => {
                Refusal::new(Kind::Unavailable, "service.unavailable", "The storage does not answer. Try again in a moment.")
                    .retry_after(5)
            }
            Self::Tables(_) => Refusal::new(
                Kind::Unavailable,
                "service.unavailable",
                "The database of plugins does not answer. Try again in a moment.",
            )
            .retry_after(5),
            Self::Store(_) | Self::Blobs(_) | Self::Stream(_) => Refusal::new(
                Kind::Unavailable,
                "internal.error",
                "The platform failed. The operator finds it under the request id.",
            ),
        }
    }

    /// Whether there is no such record.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.kind == Kind::NotFound)
    }

    /// Whether it is open what became of what was written: the database went away, or another process has taken over.
    pub fn leaves_it_open(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_outage() || error.is_full() || matches!(error, mint_store::Error::LeaseLost))
    }

    /// Whether an operator must see it.
    pub fn is_fault(&self) -> bool {
        !matches!(self, Self::Refused(_))
    }
}
