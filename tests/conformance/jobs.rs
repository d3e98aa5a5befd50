//! Jobs of the real SDK: they go on when the request that began them has ended, as the person who began them.

use http::StatusCode;
use mint_tests::{Client, TestServer, eventually};
use serde_json::{Value, json};

use super::sdk_fixture::Fixture;
use crate::people::with_role;

/// Begins a job, and gives its id.
async fn begin(client: &Client, slug: &str, definition: &str, inputs: Value) -> String {
    let base = format!("/api/{slug}/jobs");
    let session = client.post(&format!("{base}/sessions"), &json!({ "tab_id": definition })).await;
    assert_eq!(session.status, StatusCode::OK, "{session:?}");
    let asked = json!({
        "definition_id": definition,
        "inputs": inputs,
        "session_id": session.json()["id"],
        "client_request_id": definition,
    });
    let reply = client.post(&base, &asked).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    reply.json()["job_id"].as_str().unwrap_or_else(|| panic!("{reply:?}")).to_owned()
}

/// What a job says when it is done.
async fn result(client: &Client, slug: &str, job: &str) -> String {
    let path = format!("/api/{slug}/jobs/{job}");
    let state = eventually("the job to end", || async {
        let state = client.get(&path).await.json();
        ["completed", "failed", "cancelled"].contains(&state["status"].as_str().unwrap()).then_some(state)
    })
    .await;
    assert_eq!(state["status"], "completed", "{state:#}");
    client.get(&format!("{path}/result")).await.text()
}

#[tokio::test]
async fn a_job_of_mint_sdk_1_2_10_acts_for_whoever_began_it_and_nobody_else() {
    let fixture = Fixture::of("mint_sdk_1_2_10");
    let Some(python) = fixture.python() else { return };
    for server in TestServer::on_every_database(&[("MINT_PLUGINS__UV__PYTHON", &python)]).await {
        let (admin, slug) = (&server.admin, fixture.slug());
        let operation = admin.install(&fixture.bundle(), json!({ "grants": fixture.grants() })).await;
        assert_eq!(operation["status"], "done", "{operation:#}");
        let experiment = admin.experiment("Run 1").await;
        let (member, viewer) = (server.client("member").await, server.client("viewer").await);
        let stranger = viewer.get("/api/auth/verify").await.json()["id"].clone();

        let job = begin(&member, slug, "save_later", json!({ "experiment": experiment, "stranger": stranger })).await;
        // From here on nobody but the administrator asks for anything, until the job has saved.
        assert_eq!(admin.post(&format!("/api/{slug}/release"), &Value::Null).await.status, StatusCode::OK);
        let path = format!("/api/experiments/{experiment}/results/{slug}");
        let saved = eventually("the job to save", || async {
            let reply = admin.get(&path).await;
            (reply.status == StatusCode::OK).then(|| reply.json())
        })
        .await;
        assert_eq!(saved["result"], json!({ "saved for": "member" }), "{saved}");
        let said = result(&member, slug, &job).await;
        assert!(said.contains("refused: ") && said.contains("not serving a request of user"), "{said}");
    }
}

/// Jobs are their owners'. MINT's SDK shows those of others, and lets them be removed, by permissions that the platform tells it.
async fn jobs_are_seen_by_their_owners_and_by_whoever_may_see_all(fixture: &Fixture) {
    let Some(python) = fixture.python() else { return };
    let server = TestServer::with(&[("MINT_PLUGINS__UV__PYTHON", &python)]).await;
    let (admin, slug) = (&server.admin, fixture.slug());
    let operation = admin.install(&fixture.bundle(), json!({ "grants": fixture.grants() })).await;
    assert_eq!(operation["status"], "done", "{operation:#}");
    let role = |name: &str, permission: &str| json!({ "slug": name, "name": name, "permissions": ["plugins.use", permission] });
    let watcher = with_role(&server, "watcher", &role("watcher", "jobs.read_all")).await;
    let operator = with_role(&server, "operator", &role("operator", "jobs.manage_all")).await;
    let (member, viewer) = (server.client("member").await, server.client("viewer").await);
    let job = begin(&member, slug, "elsewhere", json!({ "value": 21 })).await;
    assert!(result(&member, slug, &job).await.contains("42 in "));

    let (all, one) = (format!("/api/{slug}/jobs"), format!("/api/{slug}/jobs/{job}"));
    for (client, sees) in [(&member, true), (&viewer, false), (&watcher, true), (&operator, true), (admin, true)] {
        let listed = client.get(&all).await.json()["jobs"].as_array().unwrap().len();
        assert_eq!(listed, usize::from(sees), "{:?}", client.get("/api/users/me").await.text());
        for path in [one.clone(), format!("{one}/result")] {
            let expected = if sees { StatusCode::OK } else { StatusCode::NOT_FOUND };
            assert_eq!(client.get(&path).await.status, expected, "{path}: {:?}", client.get("/api/users/me").await.text());
        }
    }
    for client in [&viewer, &watcher] {
        assert_eq!(client.delete(&one).await.status, StatusCode::NOT_FOUND);
    }
    assert_eq!(member.get(&one).await.status, StatusCode::OK);
    let removed = operator.delete(&one).await;
    assert!(removed.status.is_success(), "{removed:?}");
    assert_eq!(member.get(&one).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn jobs_of_mint_sdk_1_2_10_are_seen_by_their_owners_and_by_whoever_may_see_all() {
    jobs_are_seen_by_their_owners_and_by_whoever_may_see_all(&Fixture::of("mint_sdk_1_2_10")).await;
}

#[tokio::test]
async fn jobs_of_mint_sdk_1_3_11_are_seen_by_their_owners_and_by_whoever_may_see_all() {
    jobs_are_seen_by_their_owners_and_by_whoever_may_see_all(&Fixture::of("mint_sdk_1_3_11")).await;
}

/// A worker process is a fresh start of Python, which finds the plugin by itself.
#[tokio::test]
async fn a_job_of_mint_sdk_1_2_10_runs_in_a_process_of_its_own() {
    let fixture = Fixture::of("mint_sdk_1_2_10");
    let Some(python) = fixture.python() else { return };
    let server = TestServer::with(&[("MINT_PLUGINS__UV__PYTHON", &python)]).await;
    let operation = server.admin.install(&fixture.bundle(), json!({ "grants": fixture.grants() })).await;
    assert_eq!(operation["status"], "done", "{operation:#}");
    let member = server.client("member").await;
    let job = begin(&member, fixture.slug(), "elsewhere", json!({ "value": 21 })).await;
    let said = result(&member, fixture.slug(), &job).await;
    let pid = server.admin.plugin(fixture.slug()).await["runtime"]["pid"].to_string();
    assert!(said.contains("42 in ") && !said.contains(&pid), "{said}");
}

/// What was begun with one release is done with it, when another takes its place.
#[tokio::test]
async fn a_job_of_mint_sdk_1_2_10_is_done_before_its_release_makes_way() {
    let fixture = || Fixture::of("mint_sdk_1_2_10").edited("await self.released.wait()", "await asyncio.sleep(25)");
    let Some(python) = fixture().python() else { return };
    let server = TestServer::with(&[("MINT_PLUGINS__UV__PYTHON", &python), ("MINT_PLUGINS__DRAIN_SECONDS", "120")]).await;
    let (first, second) = (fixture(), fixture().release("9.0.0"));
    let (admin, slug, grants) = (&server.admin, first.slug(), json!({ "grants": first.grants() }));
    assert_eq!(admin.install(&first.bundle(), grants.clone()).await["status"], "done");
    let experiment = admin.experiment("Run 1").await;
    let stranger = server.client("viewer").await.get("/api/auth/verify").await.json()["id"].clone();
    let member = server.client("member").await;
    begin(&member, slug, "save_later", json!({ "experiment": experiment, "stranger": stranger })).await;
    let ended = admin.upgrade(slug, &second.bundle(), &grants).await;
    assert_eq!(ended["status"], "done", "{ended:#}");
    assert_eq!(admin.plugin(slug).await["version"], "9.0.0");
    let saved = admin.get(&format!("/api/experiments/{experiment}/results/{slug}")).await;
    assert_eq!(saved.status, StatusCode::OK, "{saved:?}");
    assert_eq!(saved.json()["result"], json!({ "saved for": "member" }), "{saved:?}");
}
