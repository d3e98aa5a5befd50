//! Where one request ends and the next begins must be read by everybody in the same way, also by whoever stands before this
//! server. What hyper takes although it could be read in two ways is refused. (A length beside a transfer encoding it drops,
//! and ends the connection after that request.)

use http::{
    HeaderMap, HeaderValue,
    header::{HOST, TRANSFER_ENCODING},
};
use mint_domain::Refusal;

/// Refuses a head that could be read in two ways. The connection is of no further use.
pub(crate) fn check(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let coding = codings.next();
    if coding.is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked")) || codings.next().is_some() {
        return Err(Refusal::invalid("The only transfer encoding is `chunked`, said once."));
    }
    let mut hosts = headers.get_all(HOST).iter();
    if hosts.next().is_some_and(HeaderValue::is_empty) || hosts.next().is_some() {
        return Err(Refusal::invalid("A request names one host."));
    }
    Ok(())
}
