//! Rules of the internal API: who gets which keys, and who may touch what.

use http::StatusCode;
use serde_json::{Value, json};

use super::wire::{INSTRUMENT, Wire, bundle, serving};

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn a_client_that_takes_new_keys_gets_them() {
    let server = serving().await;
    let id = server.admin.experiment("one").await;
    for (headers, new_keys) in
        [(json!({}), 0), (json!({ "x-mint-sdk-version": "1.2.10", "x-mint-platform-api-version": "1" }), 1)]
    {
        let mut wire = Wire::new(&server.admin, "nosy").with(headers);
        let experiment = wire.ask(&format!("GET /experiments/{id}")).await;
        assert_eq!(keys(&experiment["body"]).len(), 14 + new_keys, "{experiment}");
        assert_eq!(keys(&wire.ask("GET /users/1").await["body"]).len(), 10);
        let result = wire.tell(&format!("PUT /experiments/{id}/results/nosy"), json!({ "result": {} })).await;
        assert_eq!(keys(&result["body"]).len(), 6 + 8 * new_keys, "{result}");
    }
    let mut wire = Wire::new(&server.admin, "nosy").with(json!({ "x-mint-platform-api-version": "2" }));
    let refused = wire.ask("GET /platform").await;
    assert_eq!((&refused["status"], &refused["body"]["code"]), (&json!(426), &json!("plugin.api_version_mismatch")), "{refused}");
}

/// A result that is a file, as the SDK writes it.
fn file_result(id: i64, key: &str) -> Value {
    json!({
        "schema_version": "mint.analysis_file.v1", "kind": "file", "filename": "t.json", "metadata": {},
        "file": { "uri": "", "experiment_id": id, "plugin_id": "other", "key": key },
    })
}

#[tokio::test]
async fn a_declared_writer_replaces_the_file_of_another_plugin() {
    let server = serving().await;
    let id = server.admin.experiment("one").await;
    let (artifacts, objects) = (format!("/experiments/{id}/analysis-artifacts"), format!("/experiments/{id}/objects"));
    let mut other = Wire::new(&server.admin, "other");
    let old = other.put(&format!("{objects}/old"), "{\"v\": 1}").await["body"].clone();
    other.tell(&format!("PUT {artifacts}/t"), json!({ "result": file_result(id, "old") })).await;

    let mut wire = Wire::new(&server.admin, "nosy");
    let mut status = async |asked: &str, body: Value| {
        let said = if body.is_null() { wire.ask(asked).await } else { wire.tell(asked, body).await };
        (said["status"].as_u64().unwrap(), said["body"].clone())
    };
    assert_eq!(status(&format!("DELETE {objects}/old?plugin_id=other"), Value::Null).await.0, 409);
    assert_eq!(status(&format!("GET {objects}?plugin_id=other"), Value::Null).await.1["objects"][0]["key"], "old");
    let mut put = Wire::new(&server.admin, "nosy");
    assert_eq!(put.put(&format!("{objects}/old?plugin_id=other"), "{}").await["status"], 409);
    assert_eq!(put.put(&format!("{objects}/new?plugin_id=other"), "{\"v\": 2}").await["body"]["plugin_id"], "other");
    let change = json!({
        "result": file_result(id, "new"), "expected_object_key": "old", "old_object_ref": {}, "old_object_sha256": old["sha256"],
        "old_object_size": old["size"], "note_provided": true, "note": "by nosy",
    });
    let wrong = |field: &str, value: Value| {
        let mut change = change.clone();
        change[field] = value;
        change
    };
    let path = format!("PATCH {artifacts}/t?plugin_id=other");
    assert_eq!(
        status(&path, wrong("expected_object_key", json!("older"))).await.1["details"]["conflict_field"],
        "expected_object_ref"
    );
    assert_eq!(status(&path, wrong("old_object_size", json!(1))).await.1["details"]["conflict_field"], "file.key");
    assert_eq!(status(&path, wrong("result", file_result(id, "none"))).await.1["details"]["conflict_field"], "file.key");
    assert_eq!(status(&path, wrong("result", json!({}))).await.1["code"], "VALIDATION_ERROR");
    let (code, said) = status(&path, change.clone()).await;
    assert_eq!((code, &said["cleanup_pending"], &said["artifact"]["note"]), (200, &json!(false), &json!("by nosy")), "{said}");
    assert_eq!(status(&path, change).await.1["details"]["conflict_field"], "expected_object_ref");
    assert_eq!(status(&format!("GET {objects}/old?plugin_id=other&format=raw"), Value::Null).await.0, 404);

    let mut stranger = Wire::new(&server.admin, "other");
    let refused = stranger.put(&format!("{objects}/x?plugin_id=nosy"), "{}").await;
    assert_eq!(refused["body"]["details"]["required_permission"], "results:read-others:nosy", "{refused}");
}

#[tokio::test]
async fn an_administrator_says_on_which_experiments_a_plugin_works() {
    let server = serving().await;
    let id = server.admin.experiment("one").await;
    assert_eq!(server.admin.configure("nosy", json!({ "allowed_experiment_types": ["lcms"] })).await.status, StatusCode::OK);
    let mut wire = Wire::new(&server.admin, "nosy");
    for (asked, body) in [
        ("POST /experiments".to_owned(), json!({ "name": "n", "experiment_type": "test" })),
        (format!("PATCH /experiments/{id}"), json!({ "experiment_type": "lcms" })),
        (format!("PUT /experiments/{id}/data"), json!({ "plugin_id": "nosy", "data": {} })),
        (format!("PUT /experiments/{id}/results/nosy"), json!({ "result": {} })),
    ] {
        let said = wire.tell(&asked, body).await;
        assert_eq!(
            (&said["status"], &said["body"]["code"]),
            (&json!(403), &json!("EXPERIMENT_TYPE_NOT_ALLOWED")),
            "{asked}: {said}"
        );
        assert_eq!(said["body"]["details"], json!({ "experiment_type": "test", "allowed_experiment_types": ["lcms"] }));
    }
    assert_eq!(wire.tell("POST /experiments", json!({ "name": "n", "experiment_type": "lcms" })).await["status"], 200);
    let path = "/plugin-config/nosy";
    let seize = json!({ "settings": { "allowed_experiment_types": ["test"] }, "owned_keys": ["allowed_experiment_types"] });
    assert_eq!(wire.tell(&format!("PUT {path}"), seize).await["body"]["code"], "PERMISSION_DENIED");
    assert_eq!(wire.tell(&format!("PUT {path}"), json!({ "a": 1, "allowed_experiment_types": ["lcms"] })).await["status"], 200);
}

#[tokio::test]
async fn another_laboratory_has_roles_and_instruments_of_its_own() {
    let server = serving().await;
    let stranger = server.other_tenant("other-lab").await;
    let installed = stranger.install(&bundle("nosy"), json!({ "grant_requested": true })).await;
    assert_eq!(installed["status"], "done", "{installed}");
    let mut own = Wire::new(&server.admin, "nosy");
    own.tell("POST /instruments", json!({ "id": INSTRUMENT, "name": "Ours" })).await;
    own.tell("PUT /plugin-roles/2", json!({ "role": "lead" })).await;
    let mut foreign = Wire::new(&stranger, "nosy");
    assert_eq!(foreign.ask("GET /instruments").await["body"], json!([]));
    assert_eq!(foreign.tell("POST /instruments", json!({ "id": INSTRUMENT, "name": "Theirs" })).await["body"]["name"], "Theirs");
    assert_eq!(foreign.ask("GET /plugin-roles").await["body"], json!([]));
    assert_eq!(foreign.tell("PUT /plugin-roles/2", json!({ "role": "lead" })).await["status"], 404);
    let booking = json!({ "operation": "upsert", "event_key": "k", "title": "t", "start": "2026-11-21", "end": "2026-11-22", "participant_user_ids": [2] });
    assert_eq!(foreign.tell("POST /calendar/events", json!({ "events": [booking] })).await["body"]["code"], "VALIDATION_ERROR");
    assert_eq!(stranger.get("/api/calendar/events").await.json(), json!([]));
}
