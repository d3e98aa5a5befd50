//! The platform's own pages: the few moments in which somebody has a browser and no plugin. They call the REST API like any
//! client, and nothing of them is known to it.

mod files;

pub(crate) use files::{DEVICE_PAGE, back, page, sign_in_first};
