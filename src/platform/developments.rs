//! What the platform keeps of plugins that developers run.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use mint_domain::{InstallationId, TenantId};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::{development::DevServer, running::Active};

/// All of them, in this process.
#[derive(Debug)]
pub(crate) struct Developments {
    /// Whether there may be any.
    pub(crate) allowed: bool,
    /// Cancelled when all of them are to end.
    pub(crate) ending: CancellationToken,
    /// Held while one is begun, so that no two take the same place. What a file names stands in it.
    pub(crate) named: Mutex<Vec<Named>>,
    last_id: AtomicI64,
}

/// One that a file names, for one tenant.
#[derive(Debug)]
pub(crate) struct Named {
    pub(crate) tenant: TenantId,
    pub(crate) server: DevServer,
    pub(crate) active: Arc<Active>,
}

impl Developments {
    pub(crate) fn new(allowed: bool) -> Self {
        Self { allowed, ending: CancellationToken::new(), named: Mutex::default(), last_id: AtomicI64::new(0) }
    }

    /// An id below zero, where the database gives none.
    pub(crate) fn fresh_id(&self) -> InstallationId {
        InstallationId(self.last_id.fetch_sub(1, Ordering::Relaxed) - 1)
    }
}
