//! What a plugin's process is answered when it asks for a person's role, as MINT's SDKs do for each request of a member. The bench
//! is that process: it holds a place for a plugin that is being developed, and its token.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::{api::Client, load::Request, process::free_address};

const SLUG: &str = "asker";
/// The administrator that the bench made.
const PERSON: &str = "/api/internal/plugin-roles/1";

/// A plugin, for as long as it is held.
#[derive(Debug)]
pub(crate) struct Asker {
    /// The question. Nobody is being served meanwhile, so that it costs a statement.
    pub(crate) question: Vec<u8>,
    _place: reqwest::Response,
}

impl Asker {
    /// Takes the place, and gives the person a role.
    ///
    /// # Errors
    /// The platform refuses one of both.
    pub(crate) async fn begin(client: &Client) -> Result<Self> {
        let plugin = json!({ "slug": SLUG, "version": "1.0.0" });
        let wanted = json!({ "plugin": plugin, "address": free_address()?.to_string() });
        let mut place = client.open("/api/plugins/dev", &wanted).await?;
        let line = place.chunk().await?.context("the platform gave no place")?;
        let given: Value = serde_json::from_slice(&line)?;
        let token = given.pointer("/environment/MINT_PLUGIN_TOKEN").and_then(Value::as_str).context("there is no token")?;
        client.give_role(PERSON, SLUG, token).await?;
        let question = format!(
            "GET {PERSON} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\nX-MINT-Plugin-Name: {SLUG}\r\n\
             X-MINT-Internal-Token: {token}\r\n\r\n"
        );
        Ok(Self { question: question.into(), _place: place })
    }

    /// The question for a server.
    pub(crate) fn request(&self, address: &crate::process::Address) -> Request {
        Request { address: address.clone(), bytes: self.question.clone().into() }
    }
}
