//! Who sends a request: a bearer token or the session cookie, and nothing else.

mod extractor;
pub(crate) mod same_site;
pub(crate) mod token;

pub(crate) use extractor::Authenticated;
