//! Whoever answers at the other end of the connections: a process of the platform's own, or a developer's server.

use std::sync::Arc;

use http::HeaderValue;
use tokio::sync::watch;

use crate::{exit::Exit, link::Pool, registry::Token};

/// One answerer, for as long as it answers with one secret.
#[derive(Debug)]
pub(crate) struct Peer {
    pool: Arc<Pool>,
    token: Option<HeaderValue>,
    exit: watch::Receiver<Option<Exit>>,
}

impl Peer {
    /// The one behind `pool`. `exit` tells how it ended; whoever drops its sender does not know.
    pub(crate) fn new(pool: Pool, token: Option<&Token>, exit: watch::Receiver<Option<Exit>>) -> Self {
        Self { pool: Arc::new(pool), token: token.map(Token::header), exit }
    }

    /// Its connections.
    pub(crate) fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// Its secret, where it has one.
    pub(crate) fn token(&self) -> Option<&HeaderValue> {
        self.token.as_ref()
    }

    /// Waits until it has ended, and tells how.
    pub(crate) async fn exited(&self) -> Exit {
        let mut exit = self.exit.clone();
        match exit.wait_for(Option::is_some).await {
            Ok(exit) => exit.unwrap_or(Exit::Unknown),
            Err(_owner_gone) => Exit::Unknown,
        }
    }
}
