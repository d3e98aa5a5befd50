//! The platform's REST API, as far as the demonstration needs it.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result, bail};
use reqwest::{Method, RequestBuilder, Response, multipart};
use serde_json::{Value, json};

use super::server::Account;

/// Fits a cold start of everything on a slow machine.
const TIMEOUT: Duration = Duration::from_secs(300);
const POLL: Duration = Duration::from_millis(100);

pub(super) struct Client {
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Client {
    pub(super) async fn sign_in(url: &str, account: &Account) -> Result<Self> {
        let http = reqwest::Client::builder().timeout(TIMEOUT).no_proxy().build()?;
        let mut client = Self { http, url: url.to_owned(), token: String::new() };
        let Account { tenant, username, password } = account;
        let credentials = json!({"tenant": tenant, "username": username, "password": password});
        let session = client.post("/api/auth/login", &credentials).await?;
        let token = session.get("access_token").and_then(Value::as_str);
        client.token = token.context("the sign-in gave no token")?.to_owned();
        Ok(client)
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// A command line that gets the path with this session.
    pub(super) fn curl(&self, path: &str) -> String {
        format!("curl -H 'Authorization: Bearer {}' {}", self.token, self.url(path))
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value> {
        Ok(self.send(self.request(Method::GET, path)).await?.json().await?)
    }

    pub(super) async fn get_bytes(&self, path: &str) -> Result<Vec<u8>> {
        Ok(self.send(self.request(Method::GET, path)).await?.bytes().await?.to_vec())
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        Ok(self.send(self.request(Method::POST, path).json(body)).await?.json().await?)
    }

    pub(super) async fn upload(&self, path: &str, file: &Path) -> Result<()> {
        let bytes = tokio::fs::read(file).await.with_context(|| file.display().to_string())?;
        self.send(self.request(Method::PUT, path).body(bytes)).await.map(drop)
    }

    /// Installs a bundle with everything that it asks for, and waits for the end.
    pub(super) async fn install(&self, bundle: &Path) -> Result<()> {
        let bytes = tokio::fs::read(bundle).await.with_context(|| bundle.display().to_string())?;
        let form = multipart::Form::new()
            .text("decision", json!({"grant_requested": true}).to_string())
            .part("bundle", multipart::Part::bytes(bytes));
        let mut operation: Value =
            self.send(self.request(Method::POST, "/api/plugins/upload").multipart(form)).await?.json().await?;
        let id = operation.get("id").and_then(Value::as_i64).context("the operation has no id")?;
        while operation.get("status").and_then(Value::as_str) == Some("running") {
            tokio::time::sleep(POLL).await;
            operation = self.get(&format!("/api/operations/{id}")).await?;
        }
        if operation.get("status").and_then(Value::as_str) != Some("done") {
            bail!("{} was not installed: {:#}", bundle.display(), operation.get("outcome").unwrap_or(&operation));
        }
        Ok(())
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, self.url(path));
        if self.token.is_empty() { request } else { request.bearer_auth(&self.token) }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response> {
        let (client, request) = request.build_split();
        let request = request?;
        let what = format!("{} {}", request.method(), request.url().path());
        let response = client.execute(request).await.with_context(|| what.clone())?;
        let status = response.status();
        if !status.is_success() {
            bail!("{what} answered {status}: {}", response.text().await.unwrap_or_default());
        }
        Ok(response)
    }
}
