//! Who sends a request: a bearer token or the session cookie, and nothing else.

mod extractor;
mod peer;
pub(crate) mod same_site;
pub(crate) mod token;

pub(crate) use extractor::{Asking, Authenticated, Leaving, expect_change};
pub(crate) use peer::{Peer, Secure, Sender};
