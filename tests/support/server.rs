//! A server of the test's own. Compiled components and venvs are shared between tests, as they are between tenants.

use std::{collections::BTreeMap, path::PathBuf};

use mint_cli::{
    config::{Config, Mistakes},
    serve::Server,
};
use mint_platform::Accounts;
use secrecy::SecretString;
use tempfile::TempDir;

use crate::{Client, Guest};

/// The password of every user that tests make.
pub const PASSWORD: &str = "correct horse battery";

/// A running server with a laboratory `default`, and the users `admin`, `member` and `viewer`.
#[derive(Debug)]
pub struct TestServer {
    /// Where it listens: `http://127.0.0.1:<port>`.
    pub url: String,
    /// Its data directory.
    pub data: PathBuf,
    /// Signed in as `admin`.
    pub admin: Client,
    /// The server itself.
    pub server: Option<Server>,
    environment: BTreeMap<String, String>,
    _directory: TempDir,
}

impl TestServer {
    /// Starts one on SQLite.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// Starts one with further variables, such as `MINT_DATABASE__URL`.
    pub async fn with(variables: &[(&str, &str)]) -> Self {
        let directory = tempfile::Builder::new().prefix("mint-").tempdir().expect("temporary directory");
        let data = directory.path().join("data");
        // As anybody would start it here: uv may need the machine's proxy and certificates.
        let mut environment: BTreeMap<String, String> = std::env::vars().filter(|(name, _)| !name.starts_with("MINT_")).collect();
        environment.extend(
            [
                ("MINT_SERVER__LISTEN", "127.0.0.1:0".to_owned()),
                ("MINT_SERVER__DATA_PATH", data.display().to_string()),
                ("MINT_SERVER__CACHE_PATH", cache().display().to_string()),
                ("MINT_SERVER__KEY_PATH", cache().join("installation.key").display().to_string()),
                ("MINT_SERVER__RUNTIME_PATH", directory.path().join("run").display().to_string()),
                // A test signs in as many people as it needs.
                ("MINT_AUTH__ATTEMPTS_PER_MINUTE", "10000".to_owned()),
                ("MINT_PLUGINS__INSTANCES", "64".to_owned()),
                // The compiler is slower in a debug build, and shares the machine with other tests.
                ("MINT_PLUGINS__COMPILE__SECONDS_MAX", "300".to_owned()),
                ("MINT_PLUGINS__TRIAL_SECONDS", "0".to_owned()),
                ("MINT_PLUGINS__UV__PATH", uv()),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        if let Some(python) = python() {
            environment.insert("MINT_PLUGINS__UV__PYTHON".to_owned(), python);
        }
        environment.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let server = Server::start(&config(&environment).expect("configuration")).await.expect("server");
        let url = format!("http://{}", server.address);
        let accounts = Accounts::new(server.platform.services().clone());
        let lab = accounts.ensure_tenant(&"default".parse().expect("slug"), "Default").await.expect("tenant");
        for role in ["admin", "member", "viewer"] {
            accounts.create_user(&lab, role, &SecretString::from(PASSWORD), role).await.expect("user");
        }
        let admin = Client::sign_in(&url, "default", "admin").await;
        Self { url, data, admin, server: Some(server), environment, _directory: directory }
    }

    /// Starts one on SQLite, and one on PostgreSQL where there is a server for tests.
    pub async fn on_every_database(variables: &[(&str, &str)]) -> Vec<Self> {
        let mut servers = Vec::new();
        for database in mint_store::testing::databases().await {
            let postgres = (!database.url.starts_with("sqlite")).then_some(("MINT_DATABASE__URL", database.url.as_str()));
            let variables: Vec<(&str, &str)> = variables.iter().copied().chain(postgres).collect();
            servers.push(Self::with(&variables).await);
        }
        servers
    }

    /// Signs in as one of the users.
    pub async fn client(&self, username: &str) -> Client {
        Client::sign_in(&self.url, "default", username).await
    }

    /// Makes a second laboratory with an administrator, and signs in as that.
    pub async fn other_tenant(&self, slug: &str) -> Client {
        let server = self.server.as_ref().expect("server");
        let accounts = Accounts::new(server.platform.services().clone());
        let lab = accounts.ensure_tenant(&slug.parse().expect("slug"), slug).await.expect("tenant");
        accounts.create_user(&lab, "admin", &SecretString::from(PASSWORD), "admin").await.expect("user");
        Client::sign_in(&self.url, slug, "admin").await
    }

    /// Installs a guest with everything it asks for, and gives the operation as it ended.
    pub async fn install(&self, guest: &Guest) -> serde_json::Value {
        self.admin.install(guest, serde_json::json!({ "grant_requested": true })).await
    }

    /// Sets a variable for the next start.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.insert(name.to_owned(), value.to_owned());
    }

    /// Ends the server and starts it again on the same data, at another port.
    pub async fn restart(&mut self) {
        self.stop().await;
        let server = Server::start(&config(&self.environment).expect("configuration")).await.expect("server");
        self.url = format!("http://{}", server.address);
        self.admin = self.admin.at(&self.url);
        self.server = Some(server);
    }

    /// Ends the server. A test that does not leaves that to the end of its process, which no plugin process survives.
    pub async fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop().await;
        }
    }
}

fn config(environment: &BTreeMap<String, String>) -> Result<Config, Mistakes> {
    // The server runs in the test's process, which is not `mint`.
    Ok(Config { program: Some(mint()), ..Config::parse("{}", environment)? })
}

/// The program `mint`.
pub fn mint() -> PathBuf {
    std::env::var_os("MINT_BIN").expect("MINT_BIN is not set: run the tests with `cargo xtask test`").into()
}

/// The cache that tests share.
pub fn cache() -> PathBuf {
    std::env::var("MINT_TEST_CACHE_DIR").map_or_else(|_| std::env::temp_dir().join("mint-test-cache"), PathBuf::from)
}

/// The program uv.
pub fn uv() -> String {
    std::env::var("MINT_TEST_UV").unwrap_or_else(|_| "uv".to_owned())
}

/// The Python for plugins, where the machine's search path leads uv astray.
pub fn python() -> Option<String> {
    std::env::var("UV_PYTHON").ok()
}
