//! A plugin's place in the platform: an open answer, which is lost with this process however it ends.

use std::time::Duration;

use anyhow::{Context as _, bail};
use mint_platform::development::Development;
use reqwest::{Method, Response};
use serde_json::Value;

use crate::client::Client;

/// Longest time between two signs of life.
const SILENCE_MAX: Duration = Duration::from_secs(15);
/// Most bytes of the first line.
const FIRST_LINE_MAX: usize = 64 << 10;

/// The place, while it lasts.
#[derive(Debug)]
pub(crate) struct Session {
    response: Response,
    /// What the server needs.
    pub(crate) development: Development,
}

impl Session {
    /// Asks for the place.
    ///
    /// # Errors
    /// The platform's own words for a refusal; that it cannot be reached.
    pub(crate) async fn begin(client: &Client, wanted: &Value) -> anyhow::Result<Self> {
        let mut response = client.open(client.request(Method::POST, "/api/plugins/dev").json(wanted)).await?;
        let mut line = Vec::new();
        while !line.contains(&b'\n') {
            match tokio::time::timeout(SILENCE_MAX, response.chunk()).await.context("the server did not answer")?? {
                Some(bytes) if line.len() + bytes.len() <= FIRST_LINE_MAX => line.extend_from_slice(&bytes),
                _ => bail!("the server did not say what the plugin needs"),
            }
        }
        let development = serde_json::from_slice(&line).context("the server did not say what the plugin needs")?;
        Ok(Self { response, development })
    }

    /// Waits until the place is lost.
    pub(crate) async fn lost(&mut self) {
        while let Ok(Ok(Some(_pulse))) = tokio::time::timeout(SILENCE_MAX, self.response.chunk()).await {}
    }
}
