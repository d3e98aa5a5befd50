//! The REST API, as commands use it.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, bail};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;

use crate::credentials::{self, Credentials};

/// Where a server is and who asks. Part of every command that talks to one.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Connection {
    /// Address of the server; by default the one signed in to last, else http://127.0.0.1:8001
    #[arg(long, env = "MINT_URL", global = true)]
    pub(crate) url: Option<String>,

    /// Token to use instead of the one kept by `mint auth login`
    #[arg(long, env = "MINT_TOKEN", global = true, hide_env_values = true)]
    token: Option<String>,

    #[arg(long, env = "XDG_CONFIG_HOME", global = true, hide = true)]
    config_home: Option<PathBuf>,
}

/// A server to talk to.
#[derive(Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    pub(crate) url: String,
    token: Option<String>,
}

impl Connection {
    /// The file with tokens.
    pub(crate) fn credentials_path(&self) -> anyhow::Result<PathBuf> {
        credentials::path(self.config_home.as_deref())
            .context("there is no home directory to keep credentials in; use MINT_TOKEN")
    }

    /// A client with the token that is known, if one is.
    pub(crate) fn client(&self) -> anyhow::Result<Client> {
        let kept = match self.credentials_path() {
            Ok(path) => Credentials::load(&path)?,
            Err(_) => Credentials::default(),
        };
        let url = self.url.as_deref().or(kept.default_host()).unwrap_or("http://127.0.0.1:8001").trim_end_matches('/').to_owned();
        let token = self.token.clone().or_else(|| kept.token(&url).map(str::to_owned));
        let http = reqwest::Client::builder().connect_timeout(Duration::from_secs(10)).no_proxy().build()?;
        Ok(Client { http, url, token })
    }
}

impl Client {
    /// A request to a path under the server.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Sends a request and gives its JSON.
    ///
    /// # Errors
    /// The server's own words for a refusal; that it cannot be reached.
    pub(crate) async fn send(&self, request: RequestBuilder) -> anyhow::Result<Value> {
        let response = self.open(request).await?;
        if response.status() == reqwest::StatusCode::NO_CONTENT {
            return Ok(Value::Null);
        }
        response.json().await.context("the server did not answer with JSON")
    }

    /// Sends a form without a token, and gives the status and the JSON, as OAuth has them.
    ///
    /// # Errors
    /// The server cannot be reached, or answers with something else.
    pub(crate) async fn form(&self, path: &str, fields: &[(&str, &str)]) -> anyhow::Result<(reqwest::StatusCode, Value)> {
        let request = self.http.post(format!("{}{path}", self.url)).form(fields);
        let response = request.send().await.with_context(|| format!("the request to {} broke off", self.url))?;
        let status = response.status();
        Ok((status, response.json().await.context("the server did not answer with JSON")?))
    }

    /// Sends a request and gives the response, whose body is still to come.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub(crate) async fn open(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        let response = match request.send().await {
            Err(error) if error.is_connect() => bail!("no server answers at {}; start one with `mint serve`", self.url),
            sent => sent.with_context(|| format!("the request to {} broke off", self.url))?,
        };
        let status = response.status();
        if !status.is_success() {
            bail!("{}", words(status, response).await);
        }
        Ok(response)
    }
}

async fn words(status: reqwest::StatusCode, response: Response) -> String {
    let text = response.text().await.unwrap_or_default();
    let envelope: Value = serde_json::from_str(&text).unwrap_or_default();
    match (envelope.get("message").and_then(Value::as_str), envelope.get("request_id").and_then(Value::as_str)) {
        (Some(message), Some(id)) if status.is_server_error() => format!("{message} (request {id})"),
        (Some(message), _) => message.to_owned(),
        (None, _) => format!("the server answered {status}"),
    }
}
