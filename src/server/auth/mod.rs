//! Who sends a request: a bearer token or the session cookie, and nothing else.

mod extractor;
mod peer;
pub(crate) mod same_site;
pub(crate) mod token;

pub(crate) use extractor::Authenticated;
pub(crate) use peer::{Peer, Sender};
