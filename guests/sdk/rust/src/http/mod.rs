//! Requests, responses and the router.

mod body;
mod path;
mod request;
mod response;
mod router;

pub use body::{Body, BodyWriter};
pub use request::Request;
pub use response::Response;
pub(crate) use router::serve;
pub use router::{Handler, Route, Router};
