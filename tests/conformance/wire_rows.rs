//! Every row of the internal API as it is on the wire, for a client that takes exactly the keys it knows. The snapshot is the
//! shapes.

use mint_tests::TestServer;
use serde_json::{Value, json};

use super::wire::{INSTRUMENT, Wire, install};

async fn platform_and_settings(wire: &mut Wire<'_>) {
    for path in ["/platform", "/platform/config", "/platform/s3-connection-config", "/plugin-config/nosy", "/plugin-config/other"]
    {
        wire.ask(&format!("GET {path}")).await;
    }
    for asked in ["POST /platform", "GET /no-such-row"] {
        wire.ask(asked).await;
    }
    let path = "/plugin-config/nosy";
    wire.tell(&format!("PUT {path}"), json!({ "a": 1, "b": "x" })).await;
    wire.tell(&format!("PUT {path}"), json!({ "settings": { "a": 2, "c": "not owned" }, "owned_keys": ["a"] })).await;
    for _ in 0..2 {
        wire.tell(&format!("POST {path}/snapshot"), json!({ "owned_keys": ["a", "b", "none"] })).await;
        let swap = json!({ "expected": { "a": 2 }, "settings": { "a": 3 }, "owned_keys": ["a"] });
        wire.tell(&format!("POST {path}/compare-and-swap"), swap).await;
    }
}

async fn experiments(wire: &mut Wire<'_>) -> i64 {
    let made = wire.tell("POST /experiments", json!({ "name": "One", "experiment_type": "test", "tags": { "a": 1 } })).await;
    let id = made["body"]["id"].as_i64().unwrap();
    for asked in
        ["GET /experiments?limit=1&search=one", "GET /experiments?status=lost", "GET /experiments/999", "DELETE /experiments/999"]
    {
        wire.ask(asked).await;
    }
    wire.ask(&format!("GET /experiments/{id}")).await;
    wire.tell(&format!("PATCH /experiments/{id}"), json!({ "notes": "n", "name": null })).await;
    let data = format!("/experiments/{id}/data");
    wire.ask(&format!("GET {data}")).await;
    for plugin in ["nosy", "nosy", "other"] {
        let design = json!({ "plugin_id": plugin, "data": { "a": 1 }, "schema_version": "1.0" });
        wire.tell(&format!("PUT {data}"), design).await;
    }
    for asked in ["GET", "DELETE", "DELETE"] {
        wire.ask(&format!("{asked} {data}")).await;
    }
    id
}

async fn results(wire: &mut Wire<'_>, id: i64) {
    let path = format!("/experiments/{id}/results");
    for plugin in ["nosy", "nosy", "other"] {
        wire.tell(&format!("PUT {path}/{plugin}"), json!({ "plugin_id": plugin, "result": { "a": 1, "b": 2 } })).await;
    }
    for asked in
        ["GET {}", "GET {}/nosy", "GET {}/nosy?fields=a", "GET {}/other", "GET {}/third", "DELETE {}/nosy", "DELETE {}/nosy"]
    {
        wire.ask(&asked.replace("{}", &path)).await;
    }
    let path = format!("/experiments/{id}/analysis-artifacts");
    let one = |n: i64| json!({ "result": { "n": n }, "note": "x" });
    for (asked, body) in [
        (
            "PUT {}",
            json!({ "artifacts": [{ "artifact_key": "b", "result": { "n": 1 }, "display_name": null, "note": null }, { "artifact_key": "a/b", "result": {} }] }),
        ),
        ("PUT {}", json!({ "artifacts": [{ "artifact_key": "b", "result": {} }, { "artifact_key": "b", "result": {} }] })),
        ("PUT {}/b", one(2)),
        ("PUT {}/b", one(2)),
        ("POST {}/c/create", one(3)),
        ("POST {}/c/create", one(4)),
        ("POST {}/d/create", Value::Null),
    ] {
        wire.tell(&asked.replace("{}", &path), body).await;
    }
    for asked in [
        "POST {}/c/archive",
        "POST {}/c/archive",
        "GET {}?include_others=true&include_archived=false",
        "GET {}?include_others=false&include_archived=true",
        "GET {}?include_others=true&include_archived=true",
        "GET {}/nosy/c",
        "GET {}/nosy/c?include_archived=true",
        "GET {}/nosy/a/b?fields=n",
        "POST {}/c/restore",
        "POST {}/none/restore",
        "POST {}/c/burn",
        "GET {}/nosy/none",
    ] {
        wire.ask(&asked.replace("{}", &path)).await;
    }
}

async fn objects(wire: &mut Wire<'_>, id: i64) {
    let path = format!("/experiments/{id}/objects");
    for _ in 0..2 {
        wire.put(&format!("{path}/a/b.json"), "{\"a\": 1}").await;
    }
    for asked in [
        "GET {}/a/b.json?format=raw",
        "HEAD {}/a/b.json",
        "HEAD {}/none",
        "GET {}/none?format=raw",
        "GET {}?prefix=a/",
        "GET {}?prefix=b",
        "DELETE {}/a/b.json",
        "DELETE {}/a/b.json",
    ] {
        wire.ask(&asked.replace("{}", &path)).await;
    }
}

async fn people(wire: &mut Wire<'_>) {
    for asked in ["/users?skip=1&limit=1", "/users/1", "/users/999", "/users/by-username/viewer", "/users/by-username/nobody"] {
        wire.ask(&format!("GET {asked}")).await;
    }
    wire.ask("GET /plugin-roles/2").await;
    for _ in 0..2 {
        wire.tell("PUT /plugin-roles/2", json!({ "role": "lead" })).await;
    }
    wire.tell("PUT /plugin-roles/999", json!({ "role": "lead" })).await;
    wire.tell("PUT /plugin-roles/2", json!({ "role": " " })).await;
    for asked in [
        "GET /plugin-roles/2",
        "GET /plugin-roles",
        "GET /users/2/plugin-roles",
        "GET /users/3/plugin-roles",
        "DELETE /plugin-roles/2",
        "DELETE /plugin-roles/2",
    ] {
        wire.ask(asked).await;
    }
}

async fn integrations(wire: &mut Wire<'_>) {
    let event =
        json!({ "event_key": "e", "severity": "critical", "title": "T", "message": "M", "source": null, "occurred_at": null });
    let alert = json!({
        "event_key": "a", "instrument_id": INSTRUMENT, "level": "warning", "rule": "Pressure", "timestamp": "2026-11-21T09:00:00Z",
        "body": { "source": "LC", "event": null, "detail": "Too high.", "code": 5, "raw_file": null }, "acknowledged": false,
    });
    for (channels, events) in [
        (json!(["email", "slack"]), json!([event, alert])),
        (json!(["email"]), json!([event])),
        (json!(["pigeon"]), json!([event])),
    ] {
        let told = json!({ "function_id": "watch", "channels": channels, "events": events });
        wire.tell("POST /notifications/events", told).await;
    }
    for owner in ["1", "1", "999", "standalone"] {
        let told = json!({
            "function_id": "fit", "job_id": "j", "owner_user_id": owner, "status": "failed", "title": "Fit",
            "occurred_at": "2026-11-21T09:00:00.5+00:00",
        });
        wire.tell("POST /notifications/jobs/terminal", told).await;
    }
    let booking = json!({
        "operation": "upsert", "event_key": "k", "title": "Run", "start": "2026-11-21T10:00:00+01:00", "end": "2026-11-21T11:00:00+01:00",
        "participant_user_ids": [2, 1], "description": null, "location": null, "mint_path": null,
    });
    let cancelled = json!({ "operation": "cancel", "event_key": "k" });
    for events in [json!([booking]), json!([booking, cancelled]), json!([{ "operation": "postpone", "event_key": "k" }])] {
        wire.tell("POST /calendar/events", json!({ "events": events })).await;
    }
}

async fn instruments(wire: &mut Wire<'_>) {
    let path = format!("/instruments/{INSTRUMENT}");
    let new = json!({
        "id": INSTRUMENT, "name": " Exploris ", "description": null, "instrument_type": "orbitrap", "manufacturer": null, "model": null,
        "serial_number": "7", "location": null, "components": [{ "kind": "column", "name": "C18" }], "is_active": true,
    });
    wire.tell("POST /instruments", new.clone()).await;
    wire.tell("POST /instruments", new).await;
    wire.tell("POST /instruments", json!({ "name": "" })).await;
    for asked in ["GET /instruments?active_only=true", &format!("GET {path}"), "GET /instruments/none"] {
        wire.ask(asked).await;
    }
    let status = |state: &str| {
        let sample = json!({ "file_name": "a.raw", "sample_id": null });
        json!({
            "status": { "instrument_id": INSTRUMENT, "state": state, "timestamp": "2026-11-21T09:00:00Z", "current_sample": sample, "sequence_file": "s" },
            "has_unacknowledged_alerts": true, "has_unacknowledged_critical": false,
        })
    };
    for state in ["running", "idle", "on holiday"] {
        wire.tell(&format!("POST {path}/status"), status(state)).await;
    }
    wire.tell(&format!("PATCH {path}"), json!({ "serial_number": null, "location": "Room 2", "is_active": false })).await;
    wire.tell(&format!("PATCH {path}"), json!({ "name": null })).await;
    wire.tell(&format!("PATCH {path}"), json!({ "colour": "blue" })).await;
    wire.tell(&format!("POST {path}/status"), status("idle")).await;
    wire.tell("POST /instruments/00000000-0000-4000-8000-000000000000/status", status("idle")).await;
    for asked in ["GET /instruments", "GET /instruments?active_only=false"] {
        wire.ask(asked).await;
    }
}

#[tokio::test]
async fn every_row_has_its_shape() {
    for server in TestServer::on_every_database(&[]).await {
        install(&server).await;
        let mut wire = Wire::new(&server.admin, "nosy");
        platform_and_settings(&mut wire).await;
        let id = experiments(&mut wire).await;
        results(&mut wire, id).await;
        objects(&mut wire, id).await;
        people(&mut wire).await;
        integrations(&mut wire).await;
        instruments(&mut wire).await;
        assert!(!wire.lines.iter().any(|line| line.contains("\n  204 ")), "old clients take 200 only");
        insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!("every_row_has_its_shape", wire.lines.join("\n")) });
    }
}
