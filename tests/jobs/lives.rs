//! Jobs outlive what does them: a release, a process, a server.

use http::StatusCode;
use mint_tests::{Client, TestServer, bundle, eventually, repackaged};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{ask, begin, is_cancelled, job, plugins, stands, worker};
use crate::{cli::Mint, replicas::Shared};

/// How long a claim of a server stands that is not renewed.
const LEASE_SECONDS: u32 = 3;

/// The first server of several, its administrator, and a plugin.
async fn first_server(shared: &Shared) -> (Mint, Client) {
    let mut mint = shared.server(LEASE_SECONDS);
    mint.make_admin();
    mint.serve().await;
    let admin = Client::sign_in(&mint.url, "default", "admin").await;
    admin.installed(&bundle("hostile"), json!({})).await;
    (mint, admin)
}

/// A server that is killed took its claims with it: the next one on the same data does the job anew.
#[tokio::test]
async fn a_job_is_begun_anew_after_the_server_was_killed() {
    for database in mint_store::testing::databases().await {
        let url = (!database.url.starts_with("sqlite")).then_some(database.url.as_str());
        let mut mint = Mint::serving_on(url).await;
        let admin = Client::sign_in(&mint.url, "default", "admin").await;
        for (slug, guest) in plugins() {
            admin.installed(&guest, json!({})).await;
            let wanted = json!({ "kind": "wait", "payload": {}, "key": "the one" });
            let id = begin(&admin, slug, wanted).await;
            stands(&admin, id, "running").await;
        }
        mint.end(Signal::KILL);
        mint.serve().await;
        let admin = admin.at(&mint.url);
        for (position, (slug, _)) in plugins().into_iter().enumerate() {
            let found = admin.get(&format!("/api/jobs?plugin={slug}")).await.json();
            let id = found[0]["id"].as_i64().unwrap();
            eventually("another attempt", || async {
                let job = job(&admin, id).await;
                (job["status"] == "running" && job["attempt"] == 2).then_some(())
            })
            .await;
            assert_eq!(found.as_array().unwrap().len(), 1, "{position}: {found:#}");
            is_cancelled(&admin, id).await;
        }
    }
}

/// A claim in this server's name, of which it does not know (a commit that was made and told as failed), runs out like another's.
#[tokio::test]
async fn a_claim_that_nobody_works_on_runs_out() {
    let Some(shared) = Shared::new().await else { return };
    let (_one, admin) = first_server(&shared).await;
    let known = begin(&admin, "hostile", json!({ "kind": "wait", "payload": {} })).await;
    stands(&admin, known, "running").await;
    let unknown = begin(&admin, "hostile", json!({ "kind": "wait", "payload": {}, "delay_seconds": 3600 })).await;
    let claim = format!(
        "update jobs set (status, attempt, lease_owner, lease_until) =
             (select status, 1, lease_owner, lease_until from jobs where id = {known}) where id = {unknown}"
    );
    mint_store::testing::administer(&shared.database.url, &claim).await;
    for id in [known, unknown] {
        assert_eq!(job(&admin, id).await["status"], "running");
    }
    eventually("the claim to run out", || async {
        let job = job(&admin, unknown).await;
        (job["attempt"] != 1 || job["status"] == "queued").then_some(())
    })
    .await;
    assert_eq!(job(&admin, known).await["attempt"], 1);
}

/// One server asks for it, another does it when the first is gone.
#[tokio::test]
async fn another_server_takes_up_what_a_killed_one_was_doing() {
    let Some(shared) = Shared::new().await else { return };
    let (mut one, admin) = first_server(&shared).await;
    let mut two = shared.server(LEASE_SECONDS);
    admin.installed(&worker(), json!({})).await;
    let mut ids = Vec::new();
    for slug in ["hostile", "worker"] {
        let id = begin(&admin, slug, json!({ "kind": "wait", "payload": {} })).await;
        stands(&admin, id, "running").await;
        ids.push(id);
    }
    two.serve().await;
    let second = admin.at(&two.url);
    // A claim that is renewed stays where it is.
    eventually("the plugins to answer at the other server", || async {
        let replies = [second.get("/api/hostile/").await, second.get("/api/worker/pid").await];
        replies.iter().all(|reply| reply.status == StatusCode::OK).then_some(())
    })
    .await;
    for id in &ids {
        assert_eq!(job(&second, *id).await["attempt"], 1);
    }
    one.end(Signal::KILL);
    for id in ids {
        eventually("the other server to begin it anew", || async {
            let job = job(&second, id).await;
            (job["status"] == "running" && job["attempt"] == 2).then_some(())
        })
        .await;
        is_cancelled(&second, id).await;
    }
}

/// A job is cancelled by whichever server is asked, and runs at another.
#[tokio::test]
async fn a_job_is_taken_back_by_another_server_than_does_it() {
    let Some(shared) = Shared::new().await else { return };
    let (_one, admin) = first_server(&shared).await;
    let mut two = shared.server(LEASE_SECONDS);
    let id = begin(&admin, "hostile", json!({ "kind": "wait", "payload": {} })).await;
    stands(&admin, id, "running").await;
    two.serve().await;
    let second = admin.at(&two.url);
    assert_eq!(second.post(&format!("/api/jobs/{id}/cancel"), &Value::Null).await.json(), json!({ "cancelled": true }));
    stands(&admin, id, "cancelled").await;
}

/// A release that makes way is given time for its jobs, and what they do not finish the next one does.
#[tokio::test]
async fn a_job_goes_on_with_the_release_that_takes_the_place() {
    let variables = [("MINT_PLUGINS__DRAIN_SECONDS", "1"), ("MINT_PLUGINS__TRIAL_SECONDS", "1")];
    let server = TestServer::with(&variables).await;
    for (slug, guest) in plugins() {
        server.admin.installed(&guest, json!({})).await;
        let id = begin(&server.admin, slug, json!({ "kind": "wait", "payload": {} })).await;
        stands(&server.admin, id, "running").await;
        let next = repackaged(&guest, |manifest| manifest["plugin"]["version"] = json!("2.0.0"));
        let ended = server.admin.upgrade(slug, &next, &json!({})).await;
        assert_eq!(ended["status"], "done", "{ended:#}");
        let again = eventually("the next release to begin it anew", || async {
            let job = job(&server.admin, id).await;
            (job["status"] == "running" && job["attempt"] == 2).then_some(job)
        })
        .await;
        assert_eq!(again["error"], Value::Null, "{again:#}");
        is_cancelled(&server.admin, id).await;
    }
}

#[tokio::test]
async fn jobs_wait_while_their_plugin_is_disabled_and_go_with_it() {
    let server = TestServer::with(&[("MINT_PLUGINS__DRAIN_SECONDS", "1")]).await;
    for (slug, guest) in plugins() {
        server.admin.installed(&guest, json!({})).await;
        let id = begin(&server.admin, slug, json!({ "kind": "wait", "payload": {} })).await;
        stands(&server.admin, id, "running").await;
        let disabled = server.admin.change(slug, "disable").await;
        assert_eq!(disabled["status"], "done", "{disabled:#}");
        stands(&server.admin, id, "queued").await;
        assert_eq!(server.admin.change(slug, "enable").await["status"], "done");
        stands(&server.admin, id, "running").await;
        assert_eq!(server.admin.uninstall(slug, "purge").await["status"], "done");
        assert_eq!(server.admin.get(&format!("/api/jobs/{id}")).await.status, StatusCode::NOT_FOUND);
        let gone = ask(&server.admin, slug, json!({ "kind": "echo" })).await;
        assert_eq!(gone.status, StatusCode::NOT_FOUND, "{gone:?}");
    }
}
