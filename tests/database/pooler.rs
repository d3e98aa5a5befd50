//! The real PgBouncer, in transaction mode, between the server and its database.

use std::{
    fs::{self, File},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
};

use mint_tests::{Client, bundle, eventually, repackaged};
use serde_json::json;
use tempfile::TempDir;

use crate::{cli::Mint, hostile::tables};

/// A running PgBouncer.
struct PgBouncer {
    child: Child,
    port: u16,
    _directory: TempDir,
}

impl PgBouncer {
    /// Starts one before the server that listens at a socket in `host`. None where it is not installed, said aloud.
    #[expect(clippy::disallowed_methods, reason = "runs a pooler for the test")]
    async fn before(host: &str, user: &str) -> Option<Self> {
        let program = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].into_iter().find(|path| Path::new(path).exists());
        let Some(program) = program else {
            eprintln!("SKIPPED: pgbouncer is not installed, so nothing was tried behind it (apt-get install pgbouncer)");
            return None;
        };
        let directory = tempfile::Builder::new().prefix("mint-pgbouncer-").tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let at = |name: &str| directory.path().join(name);
        fs::write(at("users"), format!("\"{user}\" \"\"\n")).unwrap();
        // Two connections for all: who counts on getting the same one again is found out.
        let settings = format!(
            "[databases]\n* = host={host}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = any\nauth_file = {}\npool_mode = transaction\ndefault_pool_size = 2\nlogfile = {}\n\
             server_reset_query_always = 0\n",
            at("users").display(),
            at("log").display(),
        );
        let settings = settings.replace("* = ", &format!("* = user={user} "));
        fs::write(at("ini"), settings).unwrap();
        let mut command = Command::new(program);
        // It does not run as root.
        let is_root = rustix::process::getuid().is_root();
        if is_root {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
            for name in ["users", "ini"] {
                fs::set_permissions(at(name), fs::Permissions::from_mode(0o644)).unwrap();
            }
            command.args(["-u", "nobody"]);
        }
        let said = File::create(at("said")).unwrap();
        let child = command.arg(at("ini")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(said).spawn().unwrap();
        let pooler = Self { child, port, _directory: directory };
        eventually("pgbouncer to listen", || async { tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok() }).await;
        Some(pooler)
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

#[tokio::test]
async fn everything_works_behind_it() {
    let databases = mint_store::testing::databases().await;
    let Some(database) = databases.into_iter().find(|test| !test.url.starts_with("sqlite")) else { return };
    let (base, query) = database.url.split_once('?').unwrap();
    let Some(host) = query.split('&').find_map(|pair| pair.strip_prefix("host=")) else { return };
    let name = base.rsplit_once('/').unwrap().1;
    let Some(pooler) = PgBouncer::before(host, "mint").await else { return };
    let url = format!("postgres://mint@127.0.0.1:{}/{name}?sslmode=disable", pooler.port);

    let mut mint = Mint::new();
    mint.set("MINT_DATABASE__URL", url);
    mint.set("MINT_DATABASE__DIRECT_URL", database.url.clone());
    mint.make_admin();
    let status = mint.run(&["db", "status"]);
    assert_eq!(status.code, Some(0), "{}{}", status.stdout, status.stderr);
    mint.serve().await;
    let admin = Client::sign_in(&mint.url, "default", "admin").await;
    admin.installed(&bundle("hello"), json!({})).await;
    let second = repackaged(&bundle("hello"), |manifest| manifest["plugin"]["version"] = json!("2.0.0"));
    assert_eq!(admin.upgrade("hello", &second, &json!({})).await["status"], "done");
    assert_eq!(admin.roll_back("hello", &json!({})).await["status"], "done");
    assert_eq!(admin.configure("hello", json!({ "greeting": "Moin" })).await.status, 200);
    admin.installed(&bundle("everything"), json!({})).await;
    tables::execute(&admin, "create table t (a bigint)").await;

    // Many at once, so that connections change hands between transactions.
    let worked = futures_util::future::join_all((0..40).map(|number| {
        let admin = admin.clone();
        async move {
            let id = admin.experiment(&format!("e{number}")).await;
            let path = format!("/api/experiments/{id}");
            assert_eq!(admin.patch(&path, &json!({ "notes": "n" })).await.status, 200);
            let object = format!("{path}/objects/data.txt");
            assert!(admin.put(&object, b"data".to_vec()).await.status.is_success());
            assert_eq!(admin.get(&object).await.text(), "data");
            assert_eq!(admin.get("/api/hello/").await.json()["message"], "Moin, admin!");
            tables::execute(&admin, &format!("insert into t values ({number})")).await;
        }
    }));
    worked.await;
    assert_eq!(tables::rows(&admin, "select count(*) from t").await, json!([[40]]));
    assert_eq!(admin.uninstall("hello", "purge").await["status"], "done");
    assert!(!mint.log().contains("prepared statement"), "{}", mint.log());
}
