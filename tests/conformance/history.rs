//! Tables with a history, as the real wheels of MINT's SDKs declare it: the platform's runner takes it as it takes that of
//! components.

use http::StatusCode;
use mint_tests::{Client, TestServer};
use serde_json::{Value, json};

use super::sdk_fixture::Fixture;
use crate::hostile::neighbour::counted;

/// The first and the last that declare histories in this way.
const SDKS: [&str; 2] = ["mld-sdk==0.16.5", LAST];
const LAST: &str = "mint-sdk==1.2.10";
const SLUG: &str = "history";

fn first(sdk: &str) -> Fixture {
    Fixture::of("history").on(sdk).without("m003_tidy.py")
}

async fn serving(fixture: &Fixture) -> Vec<TestServer> {
    let Some(python) = fixture.python() else { return Vec::new() };
    let servers = TestServer::on_every_database(&[("MINT_PLUGINS__UV__PYTHON", &python)]).await;
    for server in &servers {
        let operation = server.admin.install(&fixture.bundle(), json!({ "grants": fixture.grants() })).await;
        assert_eq!(operation["status"], "done", "{operation:#}");
    }
    servers
}

async fn samples(client: &Client) -> Value {
    let reply = client.get(&format!("/api/{SLUG}/samples")).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    reply.json()
}

async fn states(client: &Client) -> Vec<String> {
    let found = client.get(&format!("/api/plugins/{SLUG}/migrations")).await.json();
    let migrations = found["migrations"].as_array().unwrap_or_else(|| panic!("{found:#}")).iter();
    migrations
        .map(|one| format!("{} {} {}", one["version"], one["name"].as_str().unwrap(), one["state"].as_str().unwrap()))
        .collect()
}

#[tokio::test]
async fn histories_of_every_sdk_become_tables() {
    for sdk in SDKS {
        let fixture = first(sdk);
        for server in serving(&fixture).await {
            let admin = &server.admin;
            assert_eq!(states(admin).await, ["1 samples applied", "2 owners applied"], "{sdk}");
            let found = samples(admin).await;
            assert_eq!(found[0]["label"], "it's \"100%\" \\ first", "{sdk}: {found:#}");
            assert_eq!((&found[0]["owner"], &found[1]["owner"]), (&json!("one of 2"), &json!("nobody")), "{sdk}: {found:#}");
            // The oldest leaves out what the database is to put there.
            let weighs = found[1]["weight"].as_str().is_some_and(|weight| weight.starts_with("1.5"));
            assert_eq!(weighs, sdk == LAST, "{sdk}: {found:#}");
            assert!(found[1]["taken"].as_str().unwrap().starts_with("2026-01-02"), "{sdk}: {found:#}");
            let second = Fixture::of("history").on(sdk).release("2.0.0");
            let done = admin.upgrade(SLUG, &second.bundle(), &json!({ "allow_destructive": true })).await;
            assert_eq!(done["status"], "done", "{sdk}: {done:#}");
            assert_eq!(states(admin).await, ["1 samples applied", "2 owners applied", "3 tidy applied"], "{sdk}");
            let found = samples(admin).await;
            let keys: Vec<&String> = found[0].as_object().unwrap().keys().collect();
            assert_eq!(keys, ["id", "owner", "taken", "title"], "{sdk}: {found:#}");
            assert_eq!(found[0]["title"], "it's \"100%\" \\ first", "{sdk}");
        }
    }
}

#[tokio::test]
async fn a_dry_run_tells_the_migrations_of_a_process() {
    let fixture = first(LAST);
    let Some(python) = fixture.python() else { return };
    for server in TestServer::on_every_database(&[("MINT_PLUGINS__UV__PYTHON", &python)]).await {
        let admin = &server.admin;
        let migrates = async |path: &str, fixture: &Fixture, decision: Value| {
            let bundle = reqwest::multipart::Part::file(&fixture.bundle().path).await.unwrap();
            let form = reqwest::multipart::Form::new().text("decision", decision.to_string()).part("bundle", bundle);
            let request = admin.request(reqwest::Method::POST, path).query(&[("dry_run", "true")]);
            let foreseen = admin.send(request.multipart(form)).await.json();
            assert_eq!(foreseen["outcome"], "done", "{foreseen:#}");
            let mut steps = foreseen["steps"].as_array().unwrap().iter();
            steps.find(|step| step["name"] == "migrate").unwrap()["would"].as_str().unwrap().to_owned()
        };
        let would = migrates("/api/plugins/upload", &fixture, json!({ "grants": fixture.grants() })).await;
        assert_eq!(would, "applies 1 (samples), 2 (owners)");
        let own = std::fs::read_dir(server.data.join("plugin-data/default")).unwrap().count();
        assert_eq!(own, 0, "nothing is made for a plugin that is not installed");
        let operation = admin.install(&fixture.bundle(), json!({ "grants": fixture.grants() })).await;
        assert_eq!(operation["status"], "done", "{operation:#}");
        let second = Fixture::of("history").on(LAST).release("2.0.0");
        let would = migrates("/api/plugins/history/upgrade", &second, json!({ "allow_destructive": true })).await;
        assert_eq!(would, "no tables to change; later 3 (tidy)");
        assert_eq!(states(admin).await, ["1 samples applied", "2 owners applied"]);
    }
}

#[tokio::test]
async fn a_migration_that_was_edited_is_refused_and_one_that_was_tidied_is_not() {
    let fixture = first(LAST);
    for server in serving(&fixture).await {
        let admin = &server.admin;
        let tidied = first(LAST).release("1.1.0").edited(
            "\"\"\"A table with a key that counts, texts, times and decimals.\"\"\"",
            "'''As it was.'''  # in other words\n\n",
        );
        let done = admin.upgrade(SLUG, &tidied.bundle(), &json!({})).await;
        assert_eq!(done["status"], "done", "{done:#}");
        let edited = first(LAST).release("1.2.0").edited("sa.String(40)", "sa.String(41)");
        let refused = admin.upgrade(SLUG, &edited.bundle(), &json!({})).await;
        assert_ne!(refused["status"], "done", "{refused:#}");
        assert!(refused.to_string().contains("its checksum differs"), "{refused:#}");
        assert_eq!(samples(admin).await[1]["owner"], "nobody", "the release of before answers");
        let reset = admin.post(&format!("/api/plugins/{SLUG}/reset"), &json!({ "revision": 1, "confirm": SLUG })).await;
        assert_eq!(admin.ended(&reset.json()).await["status"], "done");
        assert_eq!(states(admin).await, ["1 samples applied", "2 owners pending"]);
        let stuck = admin.post(&format!("/api/plugins/{SLUG}/reset"), &json!({ "revision": 0, "confirm": SLUG })).await;
        let stuck = admin.ended(&stuck.json()).await;
        assert!(stuck.to_string().contains("has no way back"), "{stuck:#}");
    }
}

#[tokio::test]
async fn a_migration_that_fails_leaves_nothing_and_its_words_are_kept() {
    let fixture = first(LAST);
    for server in serving(&fixture.without("m002_owners.py")).await {
        let admin = &server.admin;
        let broken = first(LAST)
            .release("2.0.0")
            .edited("await op.backfill(\"samples\", \"owner\", \"nobody\")", "raise ValueError(\"the cupboard is empty\")");
        let failed = admin.upgrade(SLUG, &broken.bundle(), &json!({})).await;
        assert_ne!(failed["status"], "done", "{failed:#}");
        assert!(failed.to_string().contains("ValueError: the cupboard is empty"), "{failed:#}");
        assert!(samples(admin).await[0].get("owner").is_none(), "nothing of it is left");
    }
}

#[tokio::test]
pub(crate) async fn a_migration_of_a_process_that_never_ends_ends_at_its_limit() {
    let fixture = first(LAST);
    for server in serving(&fixture.without("m002_owners.py")).await {
        let admin = &server.admin;
        let endless =
            first(LAST).release("2.0.0").edited("await op.backfill(\"samples\", \"owner\", \"nobody\")", "while True: pass");
        let failed = admin.upgrade(SLUG, &endless.bundle(), &json!({ "limits": { "migration_ms_max": 3000 } })).await;
        assert_eq!(failed["status"], "undone", "{failed:#}");
        assert!(failed.to_string().contains("its limit migration_ms_max"), "{failed:#}");
        assert!(samples(admin).await[0].get("owner").is_none(), "the old release answers");
        counted(admin, SLUG, "migration_ms_max").await;
    }
}
