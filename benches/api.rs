//! The platform's REST API, as far as measuring needs it.

use std::{net::SocketAddr, path::Path, time::Duration};

use anyhow::{Context as _, Result, bail};
use reqwest::{Method, RequestBuilder, multipart};
use serde_json::{Value, json};

/// Fits compiling a large component on a slow machine.
const TIMEOUT: Duration = Duration::from_secs(300);
/// Longer than anything is measured.
const HELD: Duration = Duration::from_secs(24 * 60 * 60);
const POLL: Duration = Duration::from_millis(5);

/// A signed-in administrator.
pub(crate) struct Client {
    http: reqwest::Client,
    url: String,
    pub(crate) token: String,
}

impl Client {
    pub(crate) async fn sign_in(address: SocketAddr, tenant: &str, username: &str, password: &str) -> Result<Self> {
        let http = reqwest::Client::builder().timeout(TIMEOUT).no_proxy().build()?;
        let mut client = Self { http, url: format!("http://{address}"), token: String::new() };
        let body = json!({"tenant": tenant, "username": username, "password": password});
        let login = client.request(Method::POST, "/api/auth/login").json(&body);
        let session = client.send(login).await?;
        client.token = session.get("access_token").and_then(Value::as_str).context("the sign-in gave no token")?.to_owned();
        Ok(client)
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        self.send(self.request(Method::GET, path)).await
    }

    /// Asks a plugin, whatever it answers.
    ///
    /// # Errors
    /// The platform could not have it answer.
    pub(crate) async fn ask(&self, path: &str) -> Result<()> {
        let status = self.request(Method::GET, path).send().await?.status();
        if status.is_server_error() {
            bail!("{path} answered {status}");
        }
        Ok(())
    }

    /// Waits for the end of a request that may well be a failure.
    ///
    /// # Errors
    /// The platform does not answer.
    pub(crate) async fn end_of(&self, path: &str) -> Result<()> {
        let mut response = self.request(Method::GET, path).send().await?;
        // A body that is cut off has ended too.
        while let Ok(Some(_bytes)) = response.chunk().await {}
        Ok(())
    }

    /// Installs a bundle with everything that it asks for, and waits for the end.
    pub(crate) async fn install(&self, bundle: &Path) -> Result<()> {
        self.install_with(bundle, &json!({"requests_per_second_max": 1_000_000})).await
    }

    /// The same under these limits.
    pub(crate) async fn install_with(&self, bundle: &Path, limits: &Value) -> Result<()> {
        let decision = json!({"grant_requested": true, "limits": limits}).to_string();
        let bytes = tokio::fs::read(bundle).await.with_context(|| bundle.display().to_string())?;
        let form = multipart::Form::new().text("decision", decision).part("bundle", multipart::Part::bytes(bytes));
        let operation = self.send(self.request(Method::POST, "/api/plugins/upload").multipart(form)).await?;
        self.done(operation).await.with_context(|| format!("{} was not installed", bundle.display())).map(drop)
    }

    /// Puts a bundle in the place of a plugin's release, and waits for the end.
    pub(crate) async fn upgrade(&self, slug: &str, bundle: &Path) -> Result<()> {
        let bytes = tokio::fs::read(bundle).await.with_context(|| bundle.display().to_string())?;
        let form = multipart::Form::new().text("decision", "{}").part("bundle", multipart::Part::bytes(bytes));
        let operation = self.send(self.request(Method::POST, &format!("/api/plugins/{slug}/upgrade")).multipart(form)).await?;
        self.done(operation).await.with_context(|| format!("{} did not take its place", bundle.display())).map(drop)
    }

    /// Starts a plugin anew, and gives the operation once it answers.
    pub(crate) async fn reload(&self, slug: &str) -> Result<Value> {
        let operation = self.send(self.request(Method::POST, &format!("/api/plugins/{slug}/reload"))).await?;
        self.done(operation).await
    }

    /// Asks for what does not end by itself.
    ///
    /// # Errors
    /// The platform's own words for a refusal.
    pub(crate) async fn open(&self, path: &str, body: &Value) -> Result<reqwest::Response> {
        let response = self.request(Method::POST, path).json(body).timeout(HELD).send().await?;
        if !response.status().is_success() {
            bail!("{path} answered {}: {}", response.status(), response.text().await?);
        }
        Ok(response)
    }

    /// Gives a person a role, as the plugin in which it counts.
    pub(crate) async fn give_role(&self, path: &str, plugin: &str, token: &str) -> Result<Value> {
        let request = self.http.put(format!("{}{path}", self.url)).json(&json!({ "role": "lead" }));
        self.send(request.header("x-mint-plugin-name", plugin).header("x-mint-internal-token", token)).await
    }

    async fn done(&self, mut operation: Value) -> Result<Value> {
        let id = operation.get("id").and_then(Value::as_i64).context("the operation has no id")?;
        while operation.get("status").and_then(Value::as_str) == Some("running") {
            tokio::time::sleep(POLL).await;
            operation = self.get(&format!("/api/operations/{id}")).await?;
        }
        if operation.get("status").and_then(Value::as_str) != Some("done") {
            bail!("it did not succeed:\n{operation:#}");
        }
        Ok(operation)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        if self.token.is_empty() { request } else { request.bearer_auth(&self.token) }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Value> {
        let response = request.send().await?;
        let (status, path) = (response.status(), response.url().path().to_owned());
        let text = response.text().await?;
        if !status.is_success() {
            bail!("{path} answered {status}: {text}");
        }
        Ok(serde_json::from_str(&text)?)
    }
}
