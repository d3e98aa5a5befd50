//! Several servers on one database and one storage.

mod cancel;
mod credentials;
mod files;
mod frozen;
mod killed;
mod migrations;
mod together;

use mint_store::testing::TestDb;
use mint_tests::{Client, Guest, eventually};
use reqwest::{
    Method,
    multipart::{Form, Part},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cli::Mint;

/// What servers share.
pub(crate) struct Shared {
    /// The database.
    pub(crate) database: TestDb,
    storage: TempDir,
    /// Where the files of plugins stand.
    files: TempDir,
}

impl Shared {
    /// A new database of PostgreSQL and a new storage; none where there is no server for tests.
    pub(crate) async fn new() -> Option<Self> {
        let database = mint_store::testing::databases().await.into_iter().find(|test| !test.url.starts_with("sqlite"))?;
        Some(Self { database, storage: tempfile::tempdir().unwrap(), files: tempfile::tempdir().unwrap() })
    }

    /// A home for a further server, which takes over after `lease` seconds.
    pub(crate) fn server(&self, lease: u32) -> Mint {
        let mint = self.server_with_files_of_its_own(lease);
        let data = mint.home().join("data");
        std::fs::create_dir(&data).unwrap();
        std::os::unix::fs::symlink(self.files.path(), data.join("plugin-data")).unwrap();
        mint
    }

    /// The same with another directory for files of plugins.
    fn server_with_files_of_its_own(&self, lease: u32) -> Mint {
        let mut mint = Mint::beside(&self.database.url, &format!("file://{}", self.storage.path().display()));
        mint.set("MINT_SERVER__LEASE_SECONDS", lease.to_string());
        mint
    }
}

/// Asks for a change. Whoever is asked may be gone, or frozen, before it answers.
async fn run_operation(client: &Client, kind: &str, guest: &Guest) {
    let form = || {
        let file = std::fs::read(&guest.path).unwrap();
        Form::new().text("decision", "{}").part("bundle", Part::bytes(file).file_name("bundle.mint"))
    };
    let request = match kind {
        "install" => client.request(Method::POST, "/api/plugins/upload").multipart(form()),
        "upgrade" => client.request(Method::POST, "/api/plugins/hello/upgrade").multipart(form()),
        "rollback" => client.request(Method::POST, "/api/plugins/hello/rollback").json(&json!({})),
        "reload" => client.request(Method::POST, "/api/plugins/hello/reload"),
        "uninstall" => client.request(Method::DELETE, "/api/plugins/hello?data=purge&confirm=hello"),
        other => panic!("{other}"),
    };
    let _answered_or_not = request.timeout(std::time::Duration::from_secs(10)).send().await;
}

/// The last operation, once it has ended.
async fn last_operation(client: &Client) -> Value {
    eventually("the end of what was interrupted", || async {
        let mut last = None;
        for id in 1.. {
            let reply = client.get(&format!("/api/operations/{id}")).await;
            if reply.status != 200 {
                break;
            }
            last = Some(reply.json());
        }
        last.filter(|last| last["status"] != "running")
    })
    .await
}
