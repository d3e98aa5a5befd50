//! What can be asked for: the same in both modes, on either database.

use http::StatusCode;
use mint_tests::{TestServer, eventually};
use serde_json::{Value, json};
use time::{
    Duration, OffsetDateTime,
    format_description::well_known::{Rfc2822, Rfc3339},
};

use super::{ask, begin, job, plugins, stands};

#[tokio::test]
async fn a_job_is_done_and_tells_what_came_of_it() {
    for server in TestServer::on_every_database(&[]).await {
        let me = server.admin.get("/api/users/me").await.json()["id"].clone();
        for (slug, guest) in plugins() {
            server.admin.installed(&guest, json!({})).await;
            let payload = json!({ "wells": ["A1", "é", "\u{0}"], "volume": 1.5, "deep": { "nothing": null } });
            let asked = ask(&server.admin, slug, json!({ "kind": "echo", "payload": payload })).await;
            assert_eq!(asked.status, StatusCode::OK, "{asked:?}");
            let id = asked.json()["id"].as_i64().unwrap();
            let done = stands(&server.admin, id, "completed").await;
            assert_eq!((&done["outcome"], &done["payload"]), (&payload, &payload));
            assert_eq!((&done["attempt"], &done["user_id"], &done["plugin_id"]), (&json!(1), &me, &json!(slug)));
            assert_eq!((&done["error"], &done["is_cancelled"], &done["retries"]), (&Value::Null, &json!(false), &json!(0)));
            for (earlier, later) in [("created_at", "started_at"), ("run_at", "started_at"), ("started_at", "ended_at")] {
                assert!(done[earlier].as_str().unwrap() <= done[later].as_str().unwrap(), "{done:#}");
            }
        }
        let both = server.admin.get("/api/jobs").await.json();
        assert_eq!(both.as_array().unwrap().iter().map(|job| &job["plugin_id"]).collect::<Vec<_>>(), ["worker", "hostile"]);
        let of_one = server.admin.get("/api/jobs?plugin=hostile&status=completed").await.json();
        assert_eq!(of_one.as_array().unwrap().len(), 1);
        assert_eq!(server.admin.get("/api/jobs?status=failed").await.json(), json!([]));
    }
}

#[tokio::test]
async fn a_key_names_one_job() {
    for server in TestServer::on_every_database(&[]).await {
        let member = server.client("member").await;
        for (slug, guest) in plugins() {
            server.admin.installed(&guest, json!({})).await;
            let wanted = json!({ "kind": "echo", "payload": 1, "key": "nightly/2026-11-21" });
            let first = begin(&server.admin, slug, wanted.clone()).await;
            assert_eq!(begin(&server.admin, slug, wanted.clone()).await, first);
            stands(&server.admin, first, "completed").await;
            assert_eq!(begin(&server.admin, slug, wanted.clone()).await, first, "also when it is done");
            let others = ask(&member, slug, wanted).await;
            assert_eq!((others.status, others.code().as_str()), (StatusCode::CONFLICT, "CONFLICT"), "{others:?}");
        }
    }
}

#[tokio::test]
async fn what_cannot_be_kept_is_refused() {
    let server = TestServer::start().await;
    for (slug, guest) in plugins() {
        server.admin.installed(&guest, json!({})).await;
        for (wanted, wrong) in [
            (json!({ "kind": "" }), "kind"),
            (json!({ "kind": "x".repeat(101) }), "kind"),
            (json!({ "kind": "echo", "payload": "x".repeat(70_000) }), "payload"),
            (json!({ "kind": "echo", "key": " " }), "key"),
            (json!({ "kind": "echo", "retries": 26 }), "retries"),
            (json!({ "kind": "echo", "delay_seconds": 4_000_000_000_u32 }), "delay_seconds"),
            (json!({ "kind": "echo", "heartbeat_seconds": 0 }), "heartbeat_seconds"),
        ] {
            let reply = ask(&server.admin, slug, wanted).await;
            assert_eq!((reply.status, reply.code().as_str()), (StatusCode::BAD_REQUEST, "VALIDATION_ERROR"), "{slug} {reply:?}");
            assert!(reply.text().contains(wrong), "{slug} {wrong} {reply:?}");
        }
    }
    assert_eq!(server.admin.get("/api/jobs").await.json(), json!([]));
}

#[tokio::test]
async fn a_job_that_fails_is_tried_again_as_often_as_was_asked_for() {
    for server in TestServer::on_every_database(&[]).await {
        for (slug, guest) in plugins() {
            server.admin.installed(&guest, json!({})).await;
            let payload = json!({ "message": "The plate is empty.", "final": false });
            let again = begin(&server.admin, slug, json!({ "kind": "fail", "payload": payload, "retries": 1 })).await;
            let failed = stands(&server.admin, again, "failed").await;
            assert_eq!((&failed["attempt"], &failed["error"]), (&json!(2), &json!("The plate is empty.")));
            assert_eq!(failed["outcome"], Value::Null);
            let payload = json!({ "message": "There is no such plate.", "final": true });
            let for_good = begin(&server.admin, slug, json!({ "kind": "fail", "payload": payload, "retries": 5 })).await;
            let failed = stands(&server.admin, for_good, "failed").await;
            assert_eq!((&failed["attempt"], &failed["error"]), (&json!(1), &json!("There is no such plate.")));
            let log = server.admin.plugin(slug).await["log"].to_string();
            assert!(log.contains(&format!("attempt 2 at job {again}")) && log.contains("There is no such plate."), "{log}");
        }
    }
}

#[tokio::test]
async fn a_job_waits_for_its_time_and_can_be_taken_back_before() {
    let server = TestServer::start().await;
    for (slug, guest) in plugins() {
        server.admin.installed(&guest, json!({})).await;
        let later = begin(&server.admin, slug, json!({ "kind": "echo", "payload": 1, "delay_seconds": 3_600 })).await;
        let soon = begin(&server.admin, slug, json!({ "kind": "echo", "payload": 1, "delay_seconds": 1 })).await;
        let done = stands(&server.admin, soon, "completed").await;
        assert!(done["run_at"].as_str().unwrap() <= done["started_at"].as_str().unwrap(), "{done:#}");
        assert_eq!(job(&server.admin, later).await["status"], "queued");
        for expected in [true, false] {
            let reply = server.admin.post(&format!("/api/jobs/{later}/cancel"), &Value::Null).await;
            assert_eq!(reply.json(), json!({ "cancelled": expected }), "{reply:?}");
        }
        let cancelled = job(&server.admin, later).await;
        assert_eq!((&cancelled["status"], &cancelled["attempt"]), (&json!("cancelled"), &json!(0)));
    }
}

/// A grant that is taken away stops what was not begun, and what is asked for from then on.
#[tokio::test]
async fn without_the_grant_nothing_is_asked_for_and_nothing_begins() {
    let server = TestServer::start().await;
    for (slug, guest) in plugins() {
        server.admin.installed(&guest, json!({})).await;
        let grants = format!("/api/plugins/{slug}/grants");
        let waiting = begin(&server.admin, slug, json!({ "kind": "echo", "payload": 1, "delay_seconds": 1 })).await;
        let reply = server.admin.patch(&grants, &json!({ "revoke": ["jobs"] })).await;
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
        for _ in 0..2 {
            let refused = ask(&server.admin, slug, json!({ "kind": "echo" })).await;
            assert_eq!((refused.status, refused.code().as_str()), (StatusCode::FORBIDDEN, "PERMISSION_DENIED"), "{refused:?}");
            // It is the same once it was tried to start the plugin again without.
            server.admin.ended(&json!({ "id": reply.json()["operation"] })).await;
        }
        let due = job(&server.admin, waiting).await["run_at"].as_str().unwrap().to_owned();
        eventually("its time to have come", || async {
            let now = server.admin.get("/api/health").await.header("date").to_owned();
            let now = OffsetDateTime::parse(&now, &Rfc2822).unwrap();
            (now > OffsetDateTime::parse(&due, &Rfc3339).unwrap() + Duration::seconds(2)).then_some(())
        })
        .await;
        assert_eq!(job(&server.admin, waiting).await["status"], "queued");
        let reply = server.admin.patch(&grants, &json!({ "grant": ["jobs"] })).await;
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
        server.admin.ended(&json!({ "id": reply.json()["operation"] })).await;
        stands(&server.admin, waiting, "completed").await;
    }
}
