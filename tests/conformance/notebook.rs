//! One plugin class, as a component and as a process: nobody can tell from outside which.

use http::Method;
use mint_tests::{Client, TestServer, bundle, eventually};
use serde_json::{Value, json};

use super::{sdk_generations::tcp_of, transcript::Transcript};
use crate::subprocess::Program;

const BASE: &str = "/api/notebook";

async fn serving(mode: Option<&str>) -> TestServer {
    let server = TestServer::start().await;
    let decision = json!({ "grant_requested": true, "mode": mode });
    let operation = server.admin.install(&bundle("notebook"), decision).await;
    assert_eq!(operation["status"], "done", "{operation}");
    assert_eq!(server.admin.plugin("notebook").await["mode"], mode.unwrap_or("shared"));
    let designer = Program::NOSY.bundle_with("designer", json!({ "capabilities": [{ "name": "designs:write" }] }));
    assert_eq!(server.install(&designer).await["status"], "done");
    server
}

async fn transcript(mode: Option<&str>) -> Vec<Value> {
    let server = serving(mode).await;
    let mut transcript = Transcript::default();
    let experiment = server.admin.experiment("Äpfel 1").await;
    server.admin.experiment("Birnen").await;
    greeting(&server, &mut transcript).await;
    experiments(&server.admin, &mut transcript, experiment).await;
    notes(&server, &mut transcript, experiment).await;
    designs(&server.admin, &mut transcript, experiment).await;
    files(&server.admin, &mut transcript, experiment).await;
    settings(&server.admin, &mut transcript, experiment).await;
    events(&server.admin, &mut transcript, experiment).await;
    if mode.is_some() {
        let plugin = server.admin.plugin("notebook").await;
        assert_eq!(tcp_of(&plugin["runtime"]["pid"]), Vec::<String>::new(), "{plugin:#}");
    }
    transcript.lines
}

async fn greeting(server: &TestServer, t: &mut Transcript) {
    for (name, client) in [("admin", server.admin.clone()), ("member", server.client("member").await)] {
        let reply = t.ask(&client, &format!("GET {BASE}/"), None).await;
        assert_eq!(reply.json(), json!({ "plugin": "notebook", "user": name, "notes_max": 100 }));
    }
    let nobody = Client::anonymous(&server.url);
    for asked in ["GET /", "GET /health", "POST /experiments/1/notes"] {
        t.ask(&nobody, &asked.replace(' ', &format!(" {BASE}")), None).await;
    }
    let admin = &server.admin;
    for asked in
        ["GET ", "GET /health", "HEAD /health", "GET /nothing", "PUT /health", "OPTIONS /health", "GET /health/", "GET /HEALTH"]
    {
        t.ask(admin, &asked.replace(' ', &format!(" {BASE}")), None).await;
    }
    let shown = admin.plugin("notebook").await;
    assert_eq!((&shown["health"]["status"], &shown["state"]), (&json!("healthy"), &json!("ready")), "{shown}");
}

async fn experiments(admin: &Client, t: &mut Transcript, id: i64) {
    for query in [
        "",
        "?status=planned&limit=1",
        "?status=ongoing",
        "?search=%C3%A4pfel",
        "?search=Birnen&search=x",
        "?status=lost",
        "?limit=x",
        "?limit=",
        "?unknown=1",
    ] {
        t.ask(admin, &format!("GET {BASE}/experiments{query}"), None).await;
    }
    for asked in
        [id.to_string(), "999".to_owned(), "abc".to_owned(), "-1".to_owned(), "1.0".to_owned(), "99999999999999999999".to_owned()]
    {
        t.ask(admin, &format!("GET {BASE}/experiments/{asked}"), None).await;
    }
}

async fn notes(server: &TestServer, t: &mut Transcript, id: i64) {
    let (admin, viewer) = (&server.admin, server.client("viewer").await);
    let path = format!("{BASE}/experiments/{id}/notes");
    for (client, note) in [
        (admin, json!({ "text": "crisp – süß 🍏", "tags": ["a", "b"], "importance": "high" })),
        (admin, json!({ "text": "plain" })),
        (admin, json!({})),
        (admin, json!({ "text": " " })),
        (admin, json!({ "text": 5 })),
        (admin, json!({ "text": null, "tags": "a", "importance": "medium" })),
        (admin, json!({ "text": "x", "tags": ["a", 1, null] })),
        (admin, json!([])),
        (&viewer, json!({ "text": "may I?" })),
    ] {
        t.ask(client, &format!("POST {path}"), Some(note)).await;
    }
    for (what, content_type, body) in [
        ("no body", None, ""),
        ("no JSON", Some("application/json"), "{\"text\": "),
        ("no type", None, "{\"text\": \"untyped\"}"),
        ("form", Some("application/x-www-form-urlencoded"), "text=x"),
    ] {
        let request = admin.request(Method::POST, &path).body(body);
        let request = content_type.into_iter().fold(request, |request, value| request.header("content-type", value));
        t.send(admin, &format!("POST {path} with {what}"), request).await;
    }
    t.ask(admin, &format!("POST {BASE}/experiments/999/notes"), Some(json!({ "text": "x" }))).await;
    let shown = t.ask(&viewer, &format!("GET {BASE}/experiments/{id}"), None).await.json();
    assert_eq!((&shown["notes"][0]["text"], &shown["notes"][0]["author"]), (&json!("crisp – süß 🍏"), &json!("admin")));
    let stored = t.ask(admin, &format!("GET /api/experiments/{id}/results/notebook"), None).await.json();
    assert_eq!(stored["result"]["notes"], shown["notes"]);
}

async fn designs(admin: &Client, t: &mut Transcript, id: i64) {
    let path = format!("{BASE}/experiments/{id}/protocol");
    t.ask(admin, &format!("GET {path}"), None).await;
    // Saved by another plugin: the notebook is asked, and refuses.
    let vetoed = json!({
        "method": "PUT", "path": format!("/experiments/{id}/data"), "body": { "plugin_id": "designer", "data": { "veto": true } },
    });
    let said = t.ask(admin, "POST /api/designer/call", Some(vetoed)).await.json();
    assert_eq!((&said["status"], &said["body"]["code"]), (&json!(422), &json!("EVENT_VETO")), "{said}");
    assert!(said["body"]["message"].as_str().unwrap().contains("asks to be refused"), "{said}");
    t.ask(admin, &format!("GET /api/experiments/{id}/data"), None).await;
    for protocol in [
        json!({ "title": "Wash", "steps": [{ "name": "rinse", "minutes": 2 }, { "name": "dry", "minutes": 0.5 }] }),
        json!({ "title": "Wash", "steps": [{ "name": "rinse" }, { "name": 5, "minutes": "2" }] }),
        json!({ "title": "Wash", "steps": {} }),
    ] {
        t.ask(admin, &format!("PUT {path}"), Some(protocol)).await;
    }
    t.ask(admin, &format!("GET {path}"), None).await;
    let stored = t.ask(admin, &format!("GET /api/experiments/{id}/data"), None).await.json();
    assert_eq!((&stored["plugin_id"], &stored["data"]["steps"][1]["minutes"]), (&json!("notebook"), &json!(0.5)), "{stored}");
    let foreign =
        json!({ "method": "PUT", "path": format!("/experiments/{id}/data"), "body": { "plugin_id": "designer", "data": {} } });
    let said = t.ask(admin, "POST /api/designer/call", Some(foreign)).await.json();
    assert_eq!(said["body"]["code"], "DESIGN_DATA_OWNERSHIP_CONFLICT", "{said}");
}

async fn files(admin: &Client, t: &mut Transcript, id: i64) {
    let base = format!("{BASE}/experiments/{id}/files");
    let bytes: Vec<u8> = (0..1_048_576_u32).map(|i| (i % 251) as u8).collect();
    let request = admin
        .request(Method::PUT, &format!("{base}/raw/run 1.bin"))
        .header("content-type", "application/x-run")
        .body(bytes.clone());
    let stored = t.send(admin, "PUT 1 MiB", request).await;
    assert_eq!((stored.status.as_u16(), &stored.json()["size"]), (201, &json!(1_048_576)), "{stored:?}");
    let got = t.ask(admin, &format!("GET {base}/raw/run 1.bin"), None).await;
    assert!(got.body == bytes, "{} bytes came back", got.body.len());
    let request = admin.request(Method::PUT, &format!("{base}/empty")).body("");
    t.send(admin, "PUT nothing", request).await;
    for asked in ["", "?prefix=raw/", "?prefix=none"] {
        t.ask(admin, &format!("GET {base}{asked}"), None).await;
    }
    t.ask(admin, &format!("GET /api/experiments/{id}/objects"), None).await;
    let seen = admin.get(&format!("/api/experiments/{id}/objects/raw/run 1.bin?plugin_id=notebook")).await;
    assert!(seen.body == bytes && seen.headers["content-type"] == "application/x-run", "{:?}", seen.headers);
    for asked in [
        "GET none",
        "DELETE none",
        "DELETE empty",
        "GET empty",
        "HEAD raw/run 1.bin",
        "DELETE raw/run 1.bin",
        "DELETE raw/run 1.bin",
        "PUT a%5Cb",
        "GET a%5Cb",
    ] {
        let (method, key) = asked.split_once(' ').unwrap();
        t.ask(admin, &format!("{method} {base}/{key}"), None).await;
    }
    t.ask(admin, &format!("PUT {BASE}/experiments/999/files/x"), None).await;
}

async fn settings(admin: &Client, t: &mut Transcript, id: i64) {
    let path = "/api/plugins/notebook/config";
    for (config, status) in [
        (json!({ "notes_max": 0 }), 400),
        (json!({ "notes_max": "x" }), 400),
        (json!({ "other": 1 }), 400),
        (json!({ "notes_max": 2 }), 200),
    ] {
        let tag = t.ask(admin, &format!("GET {path}"), None).await.headers["etag"].clone();
        let body = json!({ "config": config });
        let request = admin.request(Method::PUT, path).header("if-match", tag).json(&body);
        let reply = t.send(admin, &format!("PUT {path} {body}"), request).await;
        assert_eq!(reply.status.as_u16(), status, "{reply:?}");
    }
    let about = t.ask(admin, &format!("GET {BASE}/"), None).await.json();
    assert_eq!(about["notes_max"], 2);
    let third = t.ask(admin, &format!("POST {BASE}/experiments/{id}/notes"), Some(json!({ "text": "one too many" }))).await;
    assert_eq!(third.status.as_u16(), 409, "{third:?}");
    for _ in 0..2 {
        t.ask(admin, &format!("DELETE {BASE}/experiments/{id}/notes"), None).await;
    }
    t.ask(admin, &format!("GET {BASE}/experiments/{id}"), None).await;
    t.ask(admin, &format!("GET /api/experiments/{id}/results"), None).await;
}

async fn events(admin: &Client, t: &mut Transcript, id: i64) {
    t.ask(admin, &format!("PATCH /api/experiments/{id}"), Some(json!({ "status": "ongoing" }))).await;
    for expected in
        [format!("Experiment {id} went from planned to ongoing"), format!("The design of experiment {id} was saved by notebook")]
    {
        eventually("the plugin to log an event", || async {
            let log = admin.plugin("notebook").await["log"].to_string();
            log.contains(&expected).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_plugin_answers_alike_in_both_modes() {
    let (shared, isolated) = tokio::join!(transcript(None), transcript(Some("isolated")));
    let differ: Vec<_> = shared.iter().zip(&isolated).filter(|(shared, isolated)| shared != isolated).collect();
    assert!(differ.is_empty(), "shared first, isolated second: {differ:#?}");
    assert_eq!(shared.len(), isolated.len());
    let lines: Vec<String> = shared
        .iter()
        .map(|line| {
            format!("{} {} ({})\n  {}", line["status"], line["asked"].as_str().unwrap(), line["content_type"], line["body"])
        })
        .collect();
    insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!(lines.join("\n")) });
}
