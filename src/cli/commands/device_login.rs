//! `mint auth login --device`: signing in where there is no browser, and no place to type a password.

use std::{io::Write as _, time::Duration};

use anyhow::{Context as _, bail};
use mint_domain::clock::{Clock as _, SystemClock};
use secrecy::SecretString;
use serde_json::Value;
use time::OffsetDateTime;
use tokio::time::sleep;

use crate::{client::Client, output::cell};

/// How a program asks with its code.
const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// A session that has begun.
#[derive(Debug)]
pub(super) struct SignedIn {
    pub(super) token: SecretString,
    pub(super) username: String,
    /// When it ends, if the server says so.
    pub(super) expires_at: Option<OffsetDateTime>,
}

/// Shows a code, and waits for somebody to let this program in, as themselves.
pub(super) async fn wait(client: &Client, tenant: Option<&str>, read_only: bool) -> anyhow::Result<SignedIn> {
    let scope = if read_only { "read_only" } else { "" };
    let fields: Vec<_> = [("scope", scope)].into_iter().chain(tenant.map(|tenant| ("tenant", tenant))).collect();
    let (status, begun) = client.form("/api/oauth/device_authorization", &fields).await?;
    if !status.is_success() {
        bail!("{}", words(&begun));
    }
    let (page, code) = (cell(&begun, "verification_uri"), cell(&begun, "user_code"));
    // For people, whatever the form of the output: somebody has to read it.
    writeln!(std::io::stderr(), "Open {page} and type the code {code}")?;
    let mut seconds = begun.get("interval").and_then(Value::as_u64).unwrap_or(5);
    let device_code = cell(&begun, "device_code");
    loop {
        sleep(Duration::from_secs(seconds)).await;
        let fields = [("grant_type", GRANT_TYPE), ("device_code", device_code.as_str())];
        let (status, answer) = client.form("/api/oauth/token", &fields).await?;
        if status.is_success() {
            let token = answer.get("access_token").and_then(Value::as_str).context("the server gave no token")?;
            let lasts = answer.get("expires_in").and_then(Value::as_i64).map(time::Duration::seconds);
            let expires_at = lasts.and_then(|lasts| SystemClock.now().checked_add(lasts));
            return Ok(SignedIn { token: token.into(), username: cell(&answer, "username"), expires_at });
        }
        match answer.get("error").and_then(Value::as_str) {
            Some("authorization_pending") => {}
            Some("slow_down") => seconds += 5,
            Some("access_denied") => bail!("it was refused"),
            Some("expired_token") => bail!("the code has ended; begin anew"),
            _ if status == reqwest::StatusCode::TOO_MANY_REQUESTS => seconds += 5,
            _ => bail!("{}", words(&answer)),
        }
    }
}

/// What the server says of a refusal, by OAuth or by its own API.
fn words(answer: &Value) -> String {
    let said = ["error_description", "message"].into_iter().filter_map(|key| answer.get(key).and_then(Value::as_str));
    said.map(str::to_owned).next().unwrap_or_else(|| "the server refused without a reason".to_owned())
}
