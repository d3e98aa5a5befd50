//! The headers of `mld-sdk`, from before MINT's first release.

use http::{HeaderMap, HeaderName};
use mint_context::headers::{USER_ID, USER_ROLE, USERNAME};

/// The secret that a plugin process and the platform share.
pub(crate) const INTERNAL_TOKEN: HeaderName = HeaderName::from_static("x-mld-internal-token");
/// The name by which a plugin calls.
pub(crate) const PLUGIN_NAME: HeaderName = HeaderName::from_static("x-mld-plugin-name");

/// Who is signed in, by MINT's headers and in the old spelling. There were no permissions then.
pub(crate) fn identity(identity: &HeaderMap) -> HeaderMap {
    let old = [
        (USER_ID, HeaderName::from_static("x-mld-user-id")),
        (USERNAME, HeaderName::from_static("x-mld-username")),
        (USER_ROLE, HeaderName::from_static("x-mld-user-role")),
    ];
    old.into_iter().filter_map(|(name, old)| Some((old, identity.get(name)?.clone()))).collect()
}
