//! How the platform reaches servers that whoever runs it has named: by TLS with the certificates of the machine.

use std::time::Duration;

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::crypto::{CryptoProvider, ring};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Connects by `https` or `http`, as the address says.
///
/// # Errors
/// There are no certificates to begin with.
pub fn connector() -> Result<HttpsConnector<HttpConnector>, rustls::Error> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
    tcp.set_nodelay(true);
    let tls = match HttpsConnectorBuilder::new().with_provider_and_native_roots(provider()) {
        Ok(native) => native,
        // A machine without certificates of its own.
        Err(_) => HttpsConnectorBuilder::new().with_provider_and_webpki_roots(provider())?,
    };
    Ok(tls.https_or_http().enable_http1().wrap_connector(tcp))
}

fn provider() -> CryptoProvider {
    ring::default_provider()
}
