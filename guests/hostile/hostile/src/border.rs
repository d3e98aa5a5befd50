//! What passes between a client and a plugin, and what should not.

use mint_sdk::json::{Map, Value};
use mint_sdk::{Request, Response, Result};

/// `?names=a,b`: what reached the plugin of these header fields, null for those that did not.
pub(crate) fn heard(request: Request) -> Result<Response> {
    let names = request.query("names").map(|names| names.into_owned()).unwrap_or_default();
    let heard: Map<String, Value> = names.split(',').map(|name| (name.to_owned(), request.header(name).into())).collect();
    Response::json(&heard)
}

/// Speaks for the whole site: its session, its cookies, its pages.
pub(crate) fn speak(_request: Request) -> Result<Response> {
    Ok(Response::text("done")
        .header("set-cookie", "mint_access_token=evil; Path=/")
        .header("set-cookie", "harmless=1; Path=/api/hostile")
        .header("service-worker-allowed", "/")
        .header("clear-site-data", "\"*\"")
        .header("x-request-id", "of-my-own-choice")
        .header("content-security-policy", "default-src *"))
}
