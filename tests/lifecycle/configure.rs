//! New settings are an operation: asked for, tried, journaled, and taken back where the plugin is not well with them.

use http::StatusCode;
use mint_tests::{Client, Guest, Reply, TestServer, bundle, eventually, repackaged};
use reqwest::Method;
use serde_json::{Value, json};

/// `everything`, which is as well as its setting says.
fn moody() -> Guest {
    repackaged(&bundle("everything"), |manifest| {
        manifest["settings_schema"]["properties"]["mood"] = json!({ "type": "string" });
    })
}

/// The operation that an answer names.
async fn operation(client: &Client, answer: &Reply) -> Value {
    let link = answer.headers["link"].to_str().unwrap();
    let (path, rel) = link.strip_prefix('<').unwrap().split_once('>').unwrap();
    assert_eq!(rel, "; rel=\"monitor\"");
    client.get(path).await.json()
}

async fn last_operation(client: &Client) -> Value {
    let mut last = Value::Null;
    for id in 1.. {
        let reply = client.get(&format!("/api/operations/{id}")).await;
        if reply.status != StatusCode::OK {
            break;
        }
        last = reply.json();
    }
    last
}

fn steps(operation: &Value) -> Vec<(&str, &str)> {
    let steps = operation["steps"].as_array().unwrap().iter();
    steps.map(|step| (step["name"].as_str().unwrap(), step["status"].as_str().unwrap())).collect()
}

async fn stored(client: &Client) -> Value {
    client.get("/api/plugins/everything/config").await.json()["stored_settings"].clone()
}

#[tokio::test]
async fn what_was_done_is_in_the_journal_and_in_the_audit() {
    for server in TestServer::on_every_database(&[]).await {
        let admin = &server.admin;
        admin.installed(&moody(), json!({})).await;
        let changed = admin.configure("everything", json!({ "mood": "degraded" })).await;
        assert_eq!(changed.status, StatusCode::OK, "{changed:?}");
        assert_eq!(changed.json()["stored_settings"], json!({ "mood": "degraded" }));
        let done = operation(admin, &changed).await;
        assert_eq!(
            (&done["kind"], &done["status"], &done["plugin"]),
            (&json!("configure"), &json!("done"), &json!("everything"))
        );
        let expected = mint_platform::configure::change().1;
        assert_eq!(steps(&done), expected.into_iter().map(|name| (name, "done")).collect::<Vec<_>>(), "{done:#}");
        let audit = admin.get("/api/admin/audit?action=plugin.configure").await;
        let text = audit.text();
        assert!(text.contains(r#""settings":["mood"]"#) && !text.contains("degraded"), "{text}");
    }
}

#[tokio::test]
async fn a_plugin_that_is_unhealthy_with_them_has_the_old_ones_again() {
    for server in TestServer::on_every_database(&[]).await {
        let admin = &server.admin;
        admin.installed(&moody(), json!({})).await;
        assert_eq!(admin.configure("everything", json!({ "mood": "healthy" })).await.status, StatusCode::OK);
        let refused = admin.configure("everything", json!({ "mood": "unhealthy" })).await;
        assert_eq!((refused.status.as_u16(), refused.code().as_str()), (422, "plugin.settings_unfit"), "{refused:?}");
        assert!(refused.json()["message"].as_str().unwrap().contains("I am unhealthy."), "{refused:?}");
        let undone = last_operation(admin).await;
        assert_eq!((&undone["kind"], &undone["status"]), (&json!("configure"), &json!("undone")), "{undone:#}");
        assert_eq!(steps(&undone).last(), Some(&("trial", "failed")), "{undone:#}");
        assert_eq!(stored(admin).await, json!({ "mood": "healthy" }));
        assert_eq!(admin.plugin("everything").await["health"]["message"], "I am healthy.");

        // The plugin's own change is its own affair, and what an administrator does then makes nothing worse.
        let own = |function: &str, arguments: Value| {
            let path = format!("/api/everything/call/settings.{function}");
            async move { admin.post(&path, &arguments).await.json() }
        };
        let revision = own("load", json!({})).await["revision"].clone();
        own("compare-and-swap", json!({ "revision": revision, "values": { "mood": "unhealthy" } })).await;
        // A check that was under way may have asked it before.
        eventually("its own opinion", || async {
            (admin.plugin("everything").await["health"]["message"] == "I am unhealthy.").then_some(())
        })
        .await;
        let as_before = admin.configure("everything", json!({ "mood": "unhealthy", "colour": "blue" })).await;
        assert_eq!(as_before.status, StatusCode::OK, "{as_before:?}");
        assert_eq!(admin.configure("everything", json!({})).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn they_wait_for_other_changes_and_can_be_asked_about() {
    let server = TestServer::with(&[("MINT_PLUGINS__TRIAL_SECONDS", "3")]).await;
    let admin = &server.admin;
    admin.installed(&moody(), json!({})).await;
    let path = "/api/plugins/everything/config";
    let tag = admin.get(path).await.headers["etag"].clone();
    let put = |values: Value| {
        let request = admin.request(Method::PUT, path).query(&[("dry_run", "true")]).header("if-match", &tag);
        admin.send(request.json(&json!({ "config": values })))
    };
    let refused = put(json!([])).await.json();
    assert_eq!((&refused["outcome"], &refused["code"]), (&json!("refused"), &json!("VALIDATION_ERROR")), "{refused:#}");
    let would = put(json!({ "mood": "unhealthy" })).await.json();
    assert_eq!((&would["outcome"], &would["steps"][0]["would"]), (&json!("done"), &json!("to change: `mood`")), "{would:#}");
    assert_eq!(stored(admin).await, json!({}));

    let second = repackaged(&moody(), |manifest| manifest["plugin"]["version"] = json!("2.0.0"));
    let begun = admin.begin_upgrade("everything", &second, &json!({})).await;
    let busy = admin.configure("everything", json!({ "mood": "healthy" })).await;
    assert_eq!((busy.status, busy.code().as_str()), (StatusCode::CONFLICT, "CONFLICT"), "{busy:?}");
    assert_eq!(busy.json()["details"]["operation"]["kind"], "upgrade", "{busy:?}");
    assert_eq!(admin.ended(&begun).await["status"], "done");
    assert_eq!(admin.configure("everything", json!({ "mood": "healthy" })).await.status, StatusCode::OK);
}
