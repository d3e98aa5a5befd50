//! The database goes away in the middle of a change, and comes back.

use mint_tests::{Client, PASSWORD, bundle, eventually, repackaged};
use serde_json::{Value, json};

use super::proxy::{At, Proxy};
use crate::cli::Mint;

/// Asks for an upgrade that is cut at `at`; while the database is away, the server says so. Gives how the upgrade ended, and
/// the version that answers then.
async fn cut(at: At) -> Option<(Value, String)> {
    let databases = mint_store::testing::databases().await;
    let database = databases.into_iter().find(|test| !test.url.starts_with("sqlite"))?;
    let proxy = Proxy::to(&database.url).await?;
    let mint = Mint::serving_on(Some(&proxy.url)).await;
    let admin = Client::sign_in(&mint.url, "default", "admin").await;
    admin.installed(&bundle("hello"), json!({})).await;
    let second = repackaged(&bundle("hello"), |manifest| manifest["plugin"]["version"] = json!("2.0.0"));
    proxy.cut_at("update installations set release_id", at);
    let begun = admin.begin_upgrade("hello", &second, &json!({})).await;
    proxy.was_cut().await;

    assert_eq!(admin.get("/livez").await.status, 200);
    for path in ["/readyz", "/api/health/ready", "/api/plugins", "/api/hello/"] {
        // Who somebody is, is remembered for a second.
        let refused = || async { Some(admin.get(path).await).filter(|reply| reply.status != 200) };
        let reply = eventually("what needs the database to be refused", refused).await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (503, "service.unavailable"), "{path}: {reply:?}");
        assert!(!reply.header("retry-after").is_empty(), "{path}: {reply:?}");
    }
    let nobody = Client::anonymous(&mint.url);
    let login = nobody.post("/api/auth/login", &json!({ "username": "admin", "password": PASSWORD })).await;
    assert_eq!(login.status, 503, "{login:?}");

    proxy.mend();
    eventually("readiness", || async { (admin.get("/readyz").await.status == 200).then_some(()) }).await;
    let ended = admin.ended(&begun).await;
    eventually("the plugin", || async { (admin.get("/api/hello/").await.status == 200).then_some(()) }).await;
    let plugin = admin.plugin("hello").await;
    assert_eq!(plugin["state"], "ready", "{plugin:#}");
    let version = plugin["version"].as_str().unwrap().to_owned();
    // Whatever came of it, nothing is in the way of another change.
    assert_eq!(admin.reload("hello").await["status"], "done");
    Some((ended, version))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_the_switch() {
    let Some((ended, version)) = cut(At::Word).await else { return };
    assert_eq!((&ended["status"], version.as_str()), (&json!("undone"), "1.0.0"), "{ended:#}");
}

/// Nobody told the server that its commit had counted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_the_commit_of_the_switch() {
    let Some((ended, version)) = cut(At::Commit).await else { return };
    assert_eq!((&ended["status"], version.as_str()), (&json!("done"), "2.0.0"), "{ended:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_change() {
    let databases = mint_store::testing::databases().await;
    let Some(database) = databases.into_iter().find(|test| !test.url.starts_with("sqlite")) else { return };
    let Some(proxy) = Proxy::to(&database.url).await else { return };
    let mint = Mint::serving_on(Some(&proxy.url)).await;
    let admin = Client::sign_in(&mint.url, "default", "admin").await;
    admin.installed(&bundle("hello"), json!({})).await;
    let generation = eventually("the server to tell what it serves", || async {
        let told = admin.get("/api/replicas").await.json()[0]["serves"][0]["generation"].clone();
        (!told.is_null()).then_some(told)
    })
    .await;
    for _ in 0..2 {
        proxy.cut();
        assert_eq!(admin.get("/readyz").await.status, 503);
        proxy.mend();
        eventually("readiness", || async { (admin.get("/readyz").await.status == 200).then_some(()) }).await;
        assert_eq!(admin.get("/api/hello/").await.status, 200);
    }
    // It ran all the time.
    assert_eq!(admin.get("/api/replicas").await.json()[0]["serves"][0]["generation"], generation);
}
