//! Plugins on the real wheels of MINT's SDKs, unmodified, from the first to the last. Each drives everything that its SDK
//! has, for an administrator, a member and a viewer. The snapshots are what the plugins saw and what the platform stored, alike
//! on every database.

use std::fs;

use http::{Method, StatusCode, header};
use mint_tests::{Client, Reply, TestServer, eventually};
use serde_json::{Value, json};

use super::{redact::Redactor, sdk_fixture::Fixture};

/// People that each server has, with their numbers.
const PEOPLE: [(&str, i64); 3] = [("admin", 1), ("member", 2), ("viewer", 3)];

/// Servers on which the fixture of an SDK runs. None where no Python fits.
async fn serving(fixture: &Fixture) -> Vec<TestServer> {
    let Some(python) = fixture.python() else { return Vec::new() };
    let servers = TestServer::on_every_database(&[("MINT_PLUGINS__UV__PYTHON", &python)]).await;
    for server in &servers {
        // One request makes all calls, on a machine that may be busy.
        let decision = json!({ "grants": fixture.grants(), "limits": { "wall_ms_max": 120_000 } });
        let operation = server.admin.install(&fixture.bundle(), decision).await;
        let state = server.admin.plugin(fixture.slug()).await;
        assert_eq!(operation["status"], "done", "{operation:#} {state:#}");
        assert_eq!((&state["state"], &state["mode"]), (&json!("ready"), &json!("isolated")), "{state:#}");
        assert_eq!(server.admin.post("/api/projects", &json!({ "name": "Trials" })).await.status, StatusCode::CREATED);
    }
    servers
}

/// What a process holds of TCP: it calls the platform by a socket of its own.
pub(super) fn tcp_of(pid: &Value) -> Vec<String> {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    let sockets: Vec<String> =
        descriptors.filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())).collect();
    assert!(!sockets.is_empty(), "it listens at least");
    let tables = ["tcp", "tcp6"].map(|name| fs::read_to_string(format!("/proc/{pid}/net/{name}")).unwrap_or_default());
    let lines = tables.iter().flat_map(|table| table.lines().skip(1));
    let holds = |line: &&str| line.split_whitespace().nth(9).is_some_and(|inode| sockets.iter().any(|own| own == inode));
    lines.filter(holds).map(str::to_owned).collect()
}

/// Lets the plugin do everything for a person, and gives the experiment that it left and what it saw.
async fn drive(client: &Client, slug: &str) -> (Option<i64>, Vec<Value>) {
    let reply = client.post(&format!("/api/{slug}/drive"), &Value::Null).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    let plugin = client.plugin(slug).await;
    assert_eq!(tcp_of(&plugin["runtime"]["pid"]), Vec::<String>::new(), "{plugin:#}");
    let told = reply.json();
    (told["experiment"].as_i64(), told["steps"].as_array().unwrap().clone())
}

/// What the platform has of an experiment.
async fn stored(admin: &Client, experiment: i64, slug: &str) -> Vec<(String, Value)> {
    let base = format!("/api/experiments/{experiment}");
    let mut found = Vec::new();
    for (name, path) in [("experiment", String::new()), ("design", "/data".to_owned()), ("result", format!("/results/{slug}"))] {
        found.push((format!("stored {name}"), admin.get(&format!("{base}{path}")).await.json()));
    }
    let lists = [("artifact", "/analysis-artifacts?include_archived=true"), ("object", "/objects")];
    for (name, path) in lists {
        let list = admin.get(&format!("{base}{path}")).await.json();
        for (number, one) in list.get("objects").unwrap_or(&list).as_array().unwrap().iter().enumerate() {
            found.push((format!("stored {name} {}", number + 1), one.clone()));
        }
    }
    found
}

/// Everything for each of three people, as text, and the experiments that they left. Of the second and third only what
/// differs from the first.
async fn everybody(server: &TestServer, fixture: &Fixture) -> (Vec<Option<i64>>, String) {
    let (mut experiments, mut text) = (Vec::new(), String::new());
    let mut first: Vec<(String, Value)> = Vec::new();
    for (person, id) in PEOPLE {
        let (experiment, steps) = drive(&server.client(person).await, fixture.slug()).await;
        let mut seen: Vec<(String, Value)> =
            steps.into_iter().map(|step| (step["step"].as_str().unwrap().to_owned(), step["saw"].clone())).collect();
        if let Some(experiment) = experiment {
            seen.extend(stored(&server.admin, experiment, fixture.slug()).await);
        }
        let mut redactor = Redactor::of_person(id);
        seen.iter_mut().for_each(|(_, saw)| redactor.redact(saw));
        let different: Vec<&(String, Value)> = seen.iter().filter(|line| !first.contains(line)).collect();
        text.push_str(&format!("# {person}\n"));
        different.iter().for_each(|(name, saw)| text.push_str(&format!("{name}: {saw}\n")));
        if !first.is_empty() {
            text.push_str(&format!("and {} answers as the administrator has them\n", seen.len() - different.len()));
        }
        experiments.push(experiment);
        if first.is_empty() {
            first = seen;
        }
    }
    (experiments, text)
}

/// What the platform has for people: roles, notifications, events, settings.
async fn of_people(server: &TestServer, slug: &str) -> String {
    let mut text = String::new();
    let mut redactor = Redactor::default();
    for (person, path) in [
        ("admin", format!("/api/admin/plugin-roles/{slug}")),
        ("admin", "/api/notifications".to_owned()),
        ("member", "/api/notifications?limit=3".to_owned()),
        ("viewer", "/api/calendar/events".to_owned()),
        ("admin", format!("/api/plugins/{slug}/config")),
    ] {
        let mut found = server.client(person).await.get(&path).await.json();
        redactor.redact(&mut found);
        text.push_str(&format!("# {person} {path}\n"));
        match found {
            Value::Array(items) => items.iter().for_each(|item| text.push_str(&format!("{item}\n"))),
            one => text.push_str(&format!("{one}\n")),
        }
    }
    text
}

/// An administrator and a member may do what the SDK has, and a viewer makes nothing.
fn viewers_make_nothing(experiments: &[Option<i64>]) {
    assert!(matches!(experiments, [Some(_), Some(_), None]), "{experiments:?}");
}

macro_rules! snapshot {
    ($name:expr, $text:expr) => {
        insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!($name, $text) })
    };
}

/// The role that lets people in, as the plugin set it for the member and an administrator changes it.
async fn guarded_by_role(server: &TestServer, slug: &str) {
    let guarded = format!("/api/{slug}/guarded");
    let (member, viewer) = (server.client("member").await, server.client("viewer").await);
    assert_eq!(server.admin.get(&guarded).await.json()["plugin_role"], "admin");
    assert_eq!(member.get(&guarded).await.json()["plugin_role"], "lead");
    assert_eq!(viewer.get(&guarded).await.status, StatusCode::FORBIDDEN);
    let role = server.admin.request(Method::PUT, &format!("/api/admin/plugin-roles/{slug}/3"));
    assert_eq!(server.admin.send(role.json(&json!({ "role": "lead" }))).await.status, StatusCode::OK);
    eventually("the viewer's new role", || async {
        let reply = viewer.get(&guarded).await;
        (reply.status == StatusCode::OK).then_some(())
    })
    .await;
}

/// The SDKs without roles of plugins let in administrators only.
async fn only_administrators(server: &TestServer, slug: &str) {
    let guarded = format!("/api/{slug}/guarded");
    for (person, expected) in [("admin", StatusCode::OK), ("member", StatusCode::FORBIDDEN), ("viewer", StatusCode::FORBIDDEN)] {
        assert_eq!(server.client(person).await.get(&guarded).await.status, expected, "{person}");
    }
}

async fn change_settings(client: &Client, path: &str, revision: Option<&str>, threshold: i64) -> Reply {
    let request = client.request(Method::PUT, path).json(&json!({ "threshold": threshold, "label": "routes" }));
    client.send(revision.into_iter().fold(request, |request, revision| request.header(header::IF_MATCH, revision))).await
}

/// The SDK finds the experiment that a route is about, for whoever may see it.
async fn routes_of_an_experiment(server: &TestServer, slug: &str, experiment: Option<i64>) {
    let path = |id: i64| format!("/api/{slug}/experiments/{id}/current");
    let viewer = server.client("viewer").await;
    let found = viewer.get(&path(experiment.unwrap())).await;
    assert_eq!((found.status, &found.json()["name"]), (StatusCode::OK, &json!("Run 1")), "{found:?}");
    assert_eq!(viewer.get(&path(999)).await.status, StatusCode::NOT_FOUND);
    let nobody = Client::anonymous(&server.url).get(&path(experiment.unwrap())).await;
    assert_eq!(nobody.status, StatusCode::UNAUTHORIZED, "{nobody:?}");
}

/// The SDK's own routes for settings: whoever changes them names the revision that they saw.
async fn settings_have_revisions(server: &TestServer, slug: &str) {
    let (path, admin) = (format!("/api/{slug}/settings"), &server.admin);
    let shown = admin.get(&path).await;
    assert_eq!((shown.status, &shown.json()["mode"]), (StatusCode::OK, &json!("integrated")), "{shown:?}");
    let revision = shown.headers[header::ETAG].to_str().unwrap().to_owned();
    assert_eq!(change_settings(admin, &path, None, 8).await.status, StatusCode::PRECONDITION_REQUIRED);
    assert_eq!(change_settings(&server.client("viewer").await, &path, Some(&revision), 8).await.status, StatusCode::FORBIDDEN);
    let changed = change_settings(admin, &path, Some(&revision), 8).await;
    assert_eq!(changed.status, StatusCode::OK, "{changed:?}");
    assert_eq!(change_settings(admin, &path, Some(&revision), 9).await.status, StatusCode::CONFLICT);
    let of_platform = admin.get(&format!("/api/plugins/{slug}/config")).await.json();
    assert_eq!(of_platform["settings"], json!({ "threshold": 8, "label": "routes" }), "{of_platform}");
}

/// Whoever changes settings in the platform changes the plugin's.
async fn settings_come_from_the_platform(server: &TestServer, slug: &str) {
    let reply = server.admin.configure(slug, json!({ "threshold": 11, "label": "platform" })).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    eventually("the plugin to have the new settings", || async {
        let settings = server.admin.get(&format!("/api/{slug}/settings")).await.json()["settings"].clone();
        (settings == json!({ "threshold": 11, "label": "platform" })).then_some(())
    })
    .await;
}

#[tokio::test]
async fn mint_sdk_1_3_11() {
    let fixture = Fixture::of("mint_sdk_1_3_11");
    for server in serving(&fixture).await {
        let (experiments, text) = everybody(&server, &fixture).await;
        viewers_make_nothing(&experiments);
        snapshot!("mint_sdk_1_3_11", text);
        guarded_by_role(&server, fixture.slug()).await;
        routes_of_an_experiment(&server, fixture.slug(), experiments[0]).await;
        settings_have_revisions(&server, fixture.slug()).await;
    }
}

#[tokio::test]
async fn mint_sdk_1_2_10() {
    let fixture = Fixture::of("mint_sdk_1_2_10");
    for server in serving(&fixture).await {
        let (experiments, text) = everybody(&server, &fixture).await;
        viewers_make_nothing(&experiments);
        snapshot!("mint_sdk_1_2_10", text);
        let people = of_people(&server, fixture.slug()).await;
        snapshot!("mint_sdk_1_2_10_people", people);
        events_reach_it(&server, experiments[0]).await;
        guarded_by_role(&server, fixture.slug()).await;
        routes_of_an_experiment(&server, fixture.slug(), experiments[0]).await;
        settings_have_revisions(&server, fixture.slug()).await;
        settings_come_from_the_platform(&server, fixture.slug()).await;
    }
}

/// Events reach it, and so does what it keeps for itself.
async fn events_reach_it(server: &TestServer, experiment: Option<i64>) {
    let path = format!("/api/experiments/{}", experiment.unwrap());
    assert_eq!(server.admin.patch(&path, &json!({ "status": "completed" })).await.status, StatusCode::OK);
    let wanted = json!(["status", experiment, "ongoing", "completed"]);
    let seen = eventually("the plugin to see an event", || async {
        let seen = server.admin.get("/api/conformance-1-2/seen").await.json();
        seen["seen"].as_array().unwrap().contains(&wanted).then_some(seen)
    })
    .await;
    let saved = json!(["saved", experiment, "conformance-1-2", { "plates": 3 }]);
    assert!(seen["seen"].as_array().unwrap().contains(&saved), "{seen}");
    assert!(!seen.to_string().contains("veto"), "{seen}");
}

#[tokio::test]
async fn mint_sdk_1_1_25() {
    let fixture = Fixture::of("mint_sdk_1_1_25");
    for server in serving(&fixture).await {
        let (experiments, text) = everybody(&server, &fixture).await;
        viewers_make_nothing(&experiments);
        snapshot!("mint_sdk_1_1_25", text);
        let people = of_people(&server, fixture.slug()).await;
        snapshot!("mint_sdk_1_1_25_people", people);
        guarded_by_role(&server, fixture.slug()).await;
        routes_of_an_experiment(&server, fixture.slug(), experiments[0]).await;
        settings_have_revisions(&server, fixture.slug()).await;
    }
}

/// A bundle of MINT's own format, whose class gives itself a name for people and a prefix that the bundle does not say.
#[tokio::test]
async fn mint_sdk_1_0_63() {
    let fixture = Fixture::of("mint_sdk_1_0_63").in_format_of_mint();
    for server in serving(&fixture).await {
        let (experiments, text) = everybody(&server, &fixture).await;
        viewers_make_nothing(&experiments);
        snapshot!("mint_sdk_1_0_63", text);
        guarded_by_role(&server, fixture.slug()).await;
    }
}

#[tokio::test]
async fn mint_sdk_1_0_0() {
    let fixture = Fixture::of("mint_sdk_1_0_0");
    for server in serving(&fixture).await {
        let (experiments, text) = everybody(&server, &fixture).await;
        viewers_make_nothing(&experiments);
        snapshot!("mint_sdk_1_0_0", text);
        only_administrators(&server, fixture.slug()).await;
    }
}

/// It does not say for whom it calls, so its calls are its own: what it was granted decides, also for a viewer.
#[tokio::test]
async fn mld_sdk_0_16_5() {
    let fixture = Fixture::of("mld_sdk_0_16_5");
    for server in serving(&fixture).await {
        let (experiments, text) = everybody(&server, &fixture).await;
        assert!(experiments.iter().all(Option::is_some), "{experiments:?}");
        snapshot!("mld_sdk_0_16_5", text);
        only_administrators(&server, fixture.slug()).await;
    }
}
