//! A door to the tables of one installation for drivers of its own: PostgreSQL's protocol, with the platform in between.
//!
//! Who comes in by the door is that installation, whatever name it gives: the plugin knows no password and no address. What
//! it sends passes as it is, but for statements that the platform does not take from plugins in either mode. The platform's
//! own clock ends statements, for a session can change the server's.

mod admit;
mod frame;
mod login;
mod prepared;
mod progress;
mod session;

/// Sessions of one installation at once, of all its processes together.
pub(super) const SESSIONS_MAX: usize = 8;
