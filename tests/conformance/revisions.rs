//! Tables that are changed by revisions of Alembic, as the later of MINT's SDKs declare them: the platform's runner takes each as
//! a migration.

use http::StatusCode;
use mint_tests::{Client, TestServer};
use serde_json::{Value, json};

use super::sdk_fixture::Fixture;

const SLUG: &str = "revised";
/// Places among the servers of all databases.
const SQLITE: usize = 0;
const POSTGRESQL: usize = 1;

/// A release with so many of the revisions.
fn release(version: &str, revisions: usize) -> Fixture {
    let later = ["m001_plates.py", "r2_wells.py", "r3_titles.py"];
    let later = later.into_iter().enumerate().filter(|(number, _)| *number == 0 || *number >= revisions);
    later.map(|(_, name)| name).fold(Fixture::of("revisions").release(version), Fixture::without)
}

async fn serving() -> Vec<TestServer> {
    let first = release("1.0.0", 1);
    let Some(python) = first.python() else { return Vec::new() };
    TestServer::on_every_database(&[("MINT_PLUGINS__UV__PYTHON", &python)]).await
}

async fn install(client: &Client) {
    let first = release("1.0.0", 1);
    let operation = client.install(&first.bundle(), json!({ "grants": first.grants() })).await;
    assert_eq!(operation["status"], "done", "{operation:#}");
}

async fn plates(client: &Client) -> Value {
    let reply = client.get(&format!("/api/{SLUG}/plates")).await;
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

// Each release takes a venv, which takes long: a test for each database.
#[tokio::test]
async fn revisions_are_migrations_like_others() {
    are_migrations_like_others(SQLITE).await;
}

#[tokio::test]
async fn revisions_are_migrations_like_others_on_postgresql() {
    are_migrations_like_others(POSTGRESQL).await;
}

async fn are_migrations_like_others(database: usize) {
    if let Some(server) = serving().await.into_iter().nth(database) {
        let admin = &server.admin;
        install(admin).await;
        let added = admin.post(&format!("/api/{SLUG}/plates"), &json!({ "name": "a plate" })).await;
        assert_eq!(added.status, StatusCode::OK, "{added:?}");
        assert_eq!(states(admin).await, ["1 r1 applied"]);

        let third = release("3.0.0", 3).bundle();
        let refused = admin.upgrade(SLUG, &third, &json!({})).await;
        assert_eq!(refused["outcome"]["code"], "plugin.destructive_migrations", "{refused:#}");
        assert_eq!(refused["outcome"]["details"]["migrations"][0]["name"], "r3", "{refused:#}");
        assert_eq!(plates(admin).await, json!([{ "id": 1, "name": "a plate" }]), "nothing was done");
        let upgraded = admin.upgrade(SLUG, &third, &json!({ "allow_destructive": true })).await;
        assert_eq!(upgraded["status"], "done", "{upgraded:#}");
        assert_eq!(plates(admin).await, json!([{ "id": 1, "title": "a plate", "owner": 1 }]), "{upgraded:#}");
        assert_eq!(states(admin).await, ["1 r1 applied", "2 r2 applied", "3 r3 applied"]);

        let reset = admin.post(&format!("/api/plugins/{SLUG}/reset"), &json!({ "revision": 2, "confirm": SLUG })).await;
        let reset = admin.ended(&reset.json()).await;
        assert!(reset.to_string().contains("Plates cannot lose their titles."), "{reset:#}");
    }
}

#[tokio::test]
async fn a_revision_that_was_edited_or_fails_is_told_and_leaves_nothing() {
    let Some(server) = serving().await.into_iter().next() else { return };
    let admin = &server.admin;
    install(admin).await;
    let edited = release("1.1.0", 1).edited("sa.String(20)", "sa.String(40)");
    let refused = admin.upgrade(SLUG, &edited.bundle(), &json!({})).await;
    assert!(refused.to_string().contains("Migration 1 (`r1`) is not the one that was applied"), "{refused:#}");

    const ADDS: &str = "server_default=\"96\"), schema=schema)\n";
    const ADDS_AND_ENDS: &str = "server_default=\"96\"), schema=schema)\n    op.get_bind().commit()\n";
    let broken = release("2.0.0", 2).edited(ADDS, ADDS_AND_ENDS);
    let failed = admin.upgrade(SLUG, &broken.bundle(), &json!({})).await;
    assert_eq!(failed["status"], "undone", "{failed:#}");
    assert!(failed.to_string().contains("neither commits nor rolls back"), "{failed:#}");
    let added = admin.post(&format!("/api/{SLUG}/plates"), &json!({ "name": "a plate" })).await;
    assert_eq!(added.status, StatusCode::OK, "the release of before answers: {added:?}");
    assert_eq!(plates(admin).await, json!([{ "id": 1, "name": "a plate" }]), "nothing of it is left");
    let found = admin.get(&format!("/api/plugins/{SLUG}/migrations")).await.json();
    let second = found["migrations"].as_array().unwrap().iter().find(|one| one["version"] == 2);
    assert!(second.is_some_and(|second| second["state"] == "failed"), "{found:#}");
}

/// A release that takes over what the numbers made, and says in a model what it wants.
fn heir(version: &str, column: &'static str) -> Fixture {
    let heir = release(version, 2).edited("IS_HEIR = False", "IS_HEIR = True").edited("\nMODELS = ()", "");
    heir.edited("\n\n\ndef is_heir", column)
}

const NOTHING_MORE: &str = "\n\n\nMODELS = (Plate,)\n\n\ndef is_heir";
const A_VOLUME: &str = "\n    volume: Mapped[int]\n\n\nMODELS = (Plate,)\n\n\ndef is_heir";

#[tokio::test]
async fn tables_of_before_the_revisions_are_taken_over() {
    are_taken_over(SQLITE).await;
}

#[tokio::test]
async fn tables_of_before_the_revisions_are_taken_over_on_postgresql() {
    are_taken_over(POSTGRESQL).await;
}

async fn are_taken_over(database: usize) {
    let first = Fixture::of("revisions").edited("HISTORY = \"revisions\"", "HISTORY = \"numbers\"");
    let first = ["r1_plates.py", "r2_wells.py", "r3_titles.py"].into_iter().fold(first, Fixture::without);
    let Some(server) = serving().await.into_iter().nth(database) else { return };
    let admin = &server.admin;
    let operation = admin.install(&first.bundle(), json!({ "grants": first.grants() })).await;
    assert_eq!(operation["status"], "done", "{operation:#}");
    let added = admin.post(&format!("/api/{SLUG}/plates"), &json!({ "name": "a plate" })).await;
    assert_eq!(added.status, StatusCode::OK, "{added:?}");

    // Each refusal is met on one of the databases.
    if database == SQLITE {
        let refused = admin.upgrade(SLUG, &release("2.0.0", 2).bundle(), &json!({})).await;
        assert!(refused.to_string().contains("plates, readings are there, and no revision made them"), "{refused:#}");
        assert_eq!(states(admin).await, ["1 plates applied"]);
    } else {
        let refused = admin.upgrade(SLUG, &heir("2.0.0", A_VOLUME).bundle(), &json!({})).await;
        assert!(refused.to_string().contains("not what its models say: `plates.volume` is missing"), "{refused:#}");
        let states = states(admin).await;
        assert_eq!(states, ["1 plates applied", "2 r1 unknown", "3 r2 failed"], "what was taken over stays so");
    }
    assert_eq!(plates(admin).await, json!([{ "id": 1, "name": "a plate" }]), "the release of before answers");
    let done = admin.upgrade(SLUG, &heir("2.0.1", NOTHING_MORE).bundle(), &json!({})).await;
    assert_eq!(done["status"], "done", "{done:#}");
    assert_eq!(states(admin).await, ["1 plates unknown", "2 r1 applied", "3 r2 applied"]);
    assert_eq!(plates(admin).await, json!([{ "id": 1, "name": "a plate", "wells": 96 }]));
}
