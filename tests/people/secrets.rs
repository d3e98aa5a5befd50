//! Secrets of plugins: sealed where they are stored, opened for the plugin alone, and references for everybody else.

use std::{fs, path::Path};

use http::{Method, StatusCode};
use mint_tests::{Client, Guest, Reply, TestServer, bundle, repackaged};
use serde_json::{Value, json};

use super::{assert_refused, id_of};
use crate::{lifecycle::snapshots, subprocess::Program};

/// What stands nowhere but in the plugin.
const CANARIES: [&str; 4] = [YELLOW, GREEN, REFUSED, PEOPLE];
const YELLOW: &str = "canary-of-yellow";
const GREEN: &str = "canary-of-green";
const REFUSED: &str = "canary-of-refusal";
const PEOPLE: &str = "canary-of-people";
const FIRST_KEY: &str = "0101010101010101010101010101010101010101010101010101010101010101";
const SECOND_KEY: &str = "0202020202020202020202020202020202020202020202020202020202020202";

fn schema() -> Value {
    let secret = json!({ "type": "string", "format": "password", "writeOnly": true, "maxLength": 40 });
    json!({
        "type": "object", "additionalProperties": false, "$defs": { "Account": { "properties": { "user": {}, "pin": secret } } },
        "properties": {
            "colour": { "type": "string", "default": "blue" }, "token": secret, "mood": { "type": "string" },
            "account": { "$ref": "#/$defs/Account" },
        },
    })
}

/// A component of a version, whose `token` is secret if it is said.
fn component(version: &str, token_is_secret: bool) -> Guest {
    repackaged(&bundle("everything"), |manifest| {
        manifest["plugin"]["version"] = json!(version);
        manifest["settings_schema"] = schema();
        if !token_is_secret {
            manifest["settings_schema"]["properties"]["token"] = json!({ "type": "string" });
        }
    })
}

fn process() -> Guest {
    let capabilities = json!([{ "name": "settings:write", "why": "Stores what it is told to." }]);
    Program::NOSY.bundle_with("nosy", json!({ "settings_schema": schema(), "capabilities": capabilities }))
}

/// Every byte that the server keeps: its data directory, and its rows where these are elsewhere.
async fn kept(server: &TestServer) -> Vec<u8> {
    fn files(directory: &Path, bytes: &mut Vec<u8>) {
        for entry in fs::read_dir(directory).unwrap().flatten() {
            match entry.file_type().unwrap() {
                kind if kind.is_dir() => files(&entry.path(), bytes),
                // What is a socket, or gone by now, is no matter.
                kind if kind.is_file() => bytes.extend(fs::read(entry.path()).unwrap_or_default()),
                _ => {}
            }
        }
    }
    let mut bytes = Vec::new();
    files(&server.data, &mut bytes);
    let db = &server.server.as_ref().unwrap().platform.services().db;
    bytes.extend(mint_store::testing::rows_of_server(db).await.into_bytes());
    bytes
}

/// What is kept has none of the canaries, and none of what is told has, by whichever route.
async fn assert_kept_to_itself(server: &TestServer, slugs: &[&str]) {
    let bytes = kept(server).await;
    assert!(bytes.windows(8).any(|window| window == b"sealed\":" || window == b"\"sealed\""), "nothing is sealed");
    for canary in CANARIES {
        let found = bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
        assert!(!found, "`{canary}` stands in what is stored");
    }
    let mut told = Vec::new();
    for slug in slugs {
        for path in ["", "/config", "/releases", "/snapshots", "/logs"] {
            told.push(server.admin.get(&format!("/api/plugins/{slug}{path}")).await);
        }
        told.push(server.admin.get(&format!("/api/admin/plugin-roles/{slug}")).await);
    }
    for path in ["/api/plugins", "/api/archives", "/api/admin/audit?limit=500", "/api/platform/metrics"] {
        told.push(server.admin.get(path).await);
    }
    for id in 1.. {
        let reply = server.admin.get(&format!("/api/operations/{id}")).await;
        if reply.status == StatusCode::NOT_FOUND {
            break;
        }
        told.push(reply);
    }
    for reply in told {
        assert!(!CANARIES.iter().any(|canary| reply.text().contains(canary)), "{reply:?}");
    }
}

/// What a plugin reads.
async fn seen_by_plugin(client: &Client, slug: &str) -> Value {
    if slug == "everything" {
        let loaded = client.post("/api/everything/call/settings.load", &json!({})).await.json();
        return serde_json::from_str(loaded["values"].as_str().unwrap()).unwrap();
    }
    let call = json!({ "method": "GET", "path": format!("/plugin-config/{slug}") });
    client.post(&format!("/api/{slug}/call"), &call).await.json()["body"].clone()
}

async fn stored(client: &Client, slug: &str) -> Value {
    client.get(&format!("/api/plugins/{slug}/config")).await.json()["stored_settings"].clone()
}

fn assert_reference(value: &Value) {
    let id = value["$secret"].as_str().unwrap_or_else(|| panic!("no reference: {value}"));
    assert!(id.starts_with("sec_") && id.len() == 36 && value.as_object().unwrap().len() == 1, "{value}");
}

#[tokio::test]
async fn a_secret_is_for_the_plugin_alone() {
    for server in
        TestServer::on_every_database(&[("MINT_PLUGIN_NOSY__ACCOUNT", "{\"user\": \"env\", \"pin\": \"canary-of-green\"}")]).await
    {
        let admin = &server.admin;
        for (slug, guest) in [("everything", component("1.0.0", true)), ("nosy", process())] {
            admin.installed(&guest, json!({})).await;
            let set = admin.configure(slug, json!({ "token": YELLOW, "colour": "red" })).await;
            assert_eq!(set.status, StatusCode::OK, "{set:?}");
            assert_reference(&set.json()["stored_settings"]["token"]);
            assert_eq!(seen_by_plugin(admin, slug).await["token"], YELLOW);

            // What is sent back stays, and a new value takes its place.
            let mut values = stored(admin, slug).await;
            values["colour"] = json!("green");
            let kept = admin.configure(slug, values.clone()).await.json();
            assert_eq!(kept["stored_settings"], values);
            assert_eq!(seen_by_plugin(admin, slug).await["token"], YELLOW);
            let changed = admin.configure(slug, json!({ "token": GREEN, "account": { "user": "u", "pin": YELLOW } })).await;
            assert_eq!(changed.status, StatusCode::OK, "{changed:?}");
            assert_ne!(changed.json()["stored_settings"]["token"], values["token"]);
            assert_reference(&changed.json()["stored_settings"]["account"]["pin"]);
            assert_eq!(seen_by_plugin(admin, slug).await["token"], GREEN);

            // Changes that come to nothing.
            let too_long = format!("{REFUSED}{}", "x".repeat(40));
            for wrong in [
                json!({ "token": too_long }),
                json!({ "token": values["token"] }),
                json!({ "colour": changed.json()["stored_settings"]["token"] }),
                json!({ "token": { "$secret": "sec_1" } }),
                json!({ "account": { "pin": changed.json()["stored_settings"]["token"] } }),
            ] {
                let refused = admin.configure(slug, wrong).await;
                assert_refused(&refused, 400, "VALIDATION_ERROR");
                assert!(!refused.text().contains("canary"), "{refused:?}");
            }
        }
        // The environment's is the plugin's too, and nobody sees it.
        let config = admin.get("/api/plugins/nosy/config").await.json();
        assert_eq!(config["settings"]["account"], json!({ "user": "env", "pin": { "$secret": null, "locked": true } }));
        assert_eq!(seen_by_plugin(admin, "nosy").await["account"]["pin"], GREEN);
        // Another plugin's reference, or another laboratory's, is none here.
        let foreign = stored(admin, "everything").await["token"].clone();
        assert_refused(&admin.configure("nosy", json!({ "token": foreign })).await, 400, "VALIDATION_ERROR");
        let other = server.other_tenant("other").await;
        other.installed(&component("1.0.0", true), json!({})).await;
        assert_refused(&other.configure("everything", json!({ "token": foreign })).await, 400, "VALIDATION_ERROR");
        assert_kept_to_itself(&server, &["everything", "nosy"]).await;
    }
}

#[tokio::test]
async fn a_plugin_that_refuses_settings_or_is_unwell_with_them_does_not_tell_them() {
    for server in TestServer::on_every_database(&[]).await {
        let admin = &server.admin;
        admin.installed(&component("1.0.0", true), json!({})).await;
        assert_eq!(admin.configure("everything", json!({ "token": YELLOW })).await.status, StatusCode::OK);
        let unwell = admin.configure("everything", json!({ "token": REFUSED, "mood": "unhealthy" })).await;
        assert_refused(&unwell, 422, "plugin.settings_unfit");
        assert_eq!(seen_by_plugin(admin, "everything").await["token"], YELLOW);
        let path = "/api/plugins/everything/config";
        let tag = admin.get(path).await.headers["etag"].clone();
        let dry = admin.request(Method::PUT, path).query(&[("dry_run", "true")]).header("if-match", tag);
        let would = admin.send(dry.json(&json!({ "config": { "token": REFUSED } }))).await;
        assert_eq!(would.json()["steps"][0]["would"], "to change: `token`", "{would:?}");
        assert_kept_to_itself(&server, &["everything"]).await;
    }
}

#[tokio::test]
async fn what_a_plugin_stores_of_its_own_is_sealed_and_what_it_leaves_stays() {
    for server in TestServer::on_every_database(&[]).await {
        let admin = &server.admin;
        for guest in [component("1.0.0", true), process()] {
            admin.installed(&guest, json!({})).await;
        }
        admin.configure("everything", json!({ "token": YELLOW })).await;
        let before = stored(admin, "everything").await;
        let call = |function: &str, arguments: Value| {
            let path = format!("/api/everything/call/settings.{function}");
            async move { admin.post(&path, &arguments).await.json() }
        };
        let revision = call("load", json!({})).await["revision"].clone();
        let values = json!({ "token": YELLOW, "account": { "pin": GREEN } });
        let swapped = call("compare-and-swap", json!({ "revision": revision, "values": values })).await;
        assert!(swapped["revision"].is_string(), "{swapped}");
        let after = stored(admin, "everything").await;
        assert_eq!(after["token"], before["token"]);
        assert_reference(&after["account"]["pin"]);

        // As MINT's SDKs store them: a reference of their own, and a table of values.
        let id = format!("sec_{}", "7".repeat(32));
        let settings = json!({ "api": { "$secret": id }, "__secrets__": { id.as_str(): PEOPLE } });
        let schemaless =
            Program::NOSY.bundle_with("plain", json!({ "capabilities": [{ "name": "settings:write", "why": "Stores." }] }));
        admin.installed(&schemaless, json!({})).await;
        let body = json!({ "expected": {}, "settings": settings, "owned_keys": ["api", "__secrets__"] });
        let swap = json!({ "method": "POST", "path": "/plugin-config/plain/compare-and-swap", "body": body });
        assert_eq!(admin.post("/api/plain/call", &swap).await.json()["body"], json!({ "committed": true }));
        assert_eq!(seen_by_plugin(admin, "plain").await, settings);
        let seen = stored(admin, "plain").await;
        assert_eq!(seen["api"], settings["api"]);
        assert_reference(&seen["__secrets__"][&id]);
        assert_eq!(admin.configure("plain", seen.clone()).await.json()["stored_settings"], seen);
        assert_eq!(seen_by_plugin(admin, "plain").await, settings);
        assert_kept_to_itself(&server, &["everything", "plain"]).await;
    }
}

#[tokio::test]
async fn releases_archives_and_snapshots_keep_it_sealed() {
    for server in TestServer::on_every_database(&[]).await {
        let admin = &server.admin;
        // What one release calls a secret only later is sealed when that begins to answer.
        admin.installed(&component("1.0.0", false), json!({})).await;
        admin.configure("everything", json!({ "token": "plain so far", "account": { "pin": GREEN } })).await;
        assert_eq!(stored(admin, "everything").await["token"], "plain so far");
        let done = admin.upgrade("everything", &component("2.0.0", true), &json!({})).await;
        assert_eq!(done["status"], "done", "{done:#}");
        assert_reference(&stored(admin, "everything").await["token"]);
        let rows = String::from_utf8_lossy(&kept(&server).await).matches("plain so far").count();
        let seen = seen_by_plugin(admin, "everything").await;
        assert_eq!((&seen["token"], &seen["account"]["pin"]), (&json!("plain so far"), &json!(GREEN)));
        // Free pages of SQLite may still have it; no row does.
        assert!(rows == 0 || !mint_store::testing::is_server(&server.server.as_ref().unwrap().platform.services().db));

        // What one release no longer calls a secret stays sealed until somebody writes something else.
        admin.configure("everything", json!({ "token": YELLOW })).await;
        let done = admin.upgrade("everything", &component("3.0.0", false), &json!({})).await;
        assert_eq!(done["status"], "done", "{done:#}");
        let sealed = stored(admin, "everything").await;
        assert_reference(&sealed["token"]);
        assert_eq!(seen_by_plugin(admin, "everything").await["token"], YELLOW);
        assert_eq!(admin.configure("everything", sealed.clone()).await.json()["stored_settings"], sealed);

        let snapshot = snapshots::take(admin, "everything").await;
        let archive = admin.get(&format!("/api/plugins/everything/snapshots/{snapshot}")).await;
        assert!(!archive.body.windows(YELLOW.len()).any(|window| window == YELLOW.as_bytes()));
        admin.configure("everything", json!({ "token": "now public" })).await;
        assert_eq!(stored(admin, "everything").await["token"], "now public");
        let restored = snapshots::restore(admin, "everything", snapshot).await;
        assert_eq!(restored["status"], "done", "{restored:#}");
        assert_eq!(seen_by_plugin(admin, "everything").await["token"], YELLOW);
        assert_kept_to_itself(&server, &["everything"]).await;

        // A backup of another laboratory comes without what was sealed for that.
        let other = server.other_tenant("other").await;
        other.installed(&component("3.0.0", false), json!({})).await;
        let uploaded =
            other.send(other.request(Method::POST, "/api/plugins/everything/snapshots/upload").body(archive.body)).await;
        assert_eq!(uploaded.status, StatusCode::CREATED, "{uploaded:?}");
        let restored = snapshots::restore(&other, "everything", uploaded.json()["id"].as_i64().unwrap()).await;
        assert_eq!(restored["status"], "done", "{restored:#}");
        let plan = restored["steps"].as_array().unwrap().iter().find(|step| step["name"] == "plan").unwrap();
        assert!(plan["note"].as_str().unwrap().contains("Without `token`"), "{plan}");
        assert_eq!(stored(&other, "everything").await, json!({}));

        let removed = admin.uninstall("everything", "archive").await;
        assert_eq!(removed["status"], "done", "{removed:#}");
        let name = admin.get("/api/archives").await.json()[0]["name"].clone();
        assert_kept_to_itself(&server, &[]).await;
        let adopted = admin.install(&component("4.0.0", true), json!({ "grant_requested": true, "adopt": name })).await;
        assert_eq!(adopted["status"], "done", "{adopted:#}");
        assert_eq!(seen_by_plugin(admin, "everything").await["token"], YELLOW);
        assert_kept_to_itself(&server, &["everything"]).await;
    }
}

#[tokio::test]
async fn a_key_that_is_not_here_is_named_and_one_that_is_retired_is_not_needed() {
    for mut server in TestServer::on_every_database(&[("MINT_SECRETS__KEY", FIRST_KEY)]).await {
        server.admin.installed(&component("1.0.0", true), json!({})).await;
        server.admin.installed(&bundle("hello"), json!({})).await;
        server.admin.configure("everything", json!({ "token": YELLOW, "colour": "red" })).await;
        let (before, tag) = (stored(&server.admin, "everything").await, etag(&server.admin).await);

        // Without its key the plugin fails, and says which; the rest goes on.
        server.set("MINT_SECRETS__KEY", SECOND_KEY);
        server.restart().await;
        let failed = mint_tests::eventually("its failure", || async {
            let plugin = server.admin.plugin("everything").await;
            (plugin["phase"] == "secrets").then_some(plugin)
        })
        .await;
        let reason = failed["reason"].as_str().unwrap_or_else(|| panic!("{failed:#}"));
        assert!(
            reason.contains("The secret `token` was sealed with the key") && reason.contains("secrets.earlierKeys"),
            "{reason}"
        );
        mint_tests::eventually("the other", || async {
            (server.admin.get("/api/hello").await.status == StatusCode::OK).then_some(())
        })
        .await;
        // What is set anew has no need of it.
        assert_refused(&server.admin.configure("everything", before.clone()).await, 409, "secrets.locked");

        // With both keys it opens, and is sealed anew without anybody noticing.
        server.set("MINT_SECRETS__EARLIER_KEYS", FIRST_KEY);
        server.restart().await;
        assert_eq!(server.admin.reload("everything").await["status"], "done");
        assert_eq!(seen_by_plugin(&server.admin, "everything").await["token"], YELLOW);
        let services = server.server.as_ref().unwrap().platform.services().clone();
        let rotated = mint_platform::secrets::seal(&services, mint_context::secrets::Anew::Earlier).await.unwrap();
        assert_eq!((rotated.sealed, rotated.locked.len()), (1, 0), "{rotated:?}");
        assert_eq!((stored(&server.admin, "everything").await, etag(&server.admin).await), (before, tag));
        let keys = mint_platform::secrets::keys(&services).await.unwrap();
        assert!(keys.values().filter(|key| !key.is_current).all(|key| key.settings == 0), "{keys:?}");
        drop(services);
        server.set("MINT_SECRETS__EARLIER_KEYS", "");
        server.restart().await;
        mint_tests::eventually("its start", || async {
            (server.admin.get("/api/everything/echo").await.status != StatusCode::SERVICE_UNAVAILABLE).then_some(())
        })
        .await;
        assert_eq!(seen_by_plugin(&server.admin, "everything").await["token"], YELLOW);
    }
}

async fn etag(client: &Client) -> String {
    client.get("/api/plugins/everything/config").await.header("etag").to_owned()
}

#[tokio::test]
async fn what_a_plugin_keeps_of_a_person_is_read_by_that_plugin_only() {
    for server in TestServer::on_every_database(&[]).await {
        let admin = &server.admin;
        admin.installed(&process(), json!({})).await;
        admin.installed(&Program::NOSY.bundle("other"), json!({})).await;
        let member = id_of(admin, "member").await;
        let path = format!("/api/admin/plugin-roles/nosy/{member}");
        let put = |client: Client, path: String, body: Value| async move {
            client.send(client.request(Method::PUT, &path).json(&body)).await
        };
        let fields = format!("{path}/fields");
        let new = json!({ "fields": { "api_key": PEOPLE, "limits": { "a": 1 } } });
        assert_refused(&put(admin.clone(), fields.clone(), new.clone()).await, 404, "NOT_FOUND");
        put(admin.clone(), path.clone(), json!({ "role": "analyst" })).await;
        let shown = put(admin.clone(), fields.clone(), new.clone()).await;
        assert_eq!(shown.status, StatusCode::OK, "{shown:?}");
        let references = shown.json()["fields"].clone();
        assert_reference(&references["api_key"]);
        assert_reference(&references["limits"]);
        let listed = admin.get("/api/admin/plugin-roles/nosy").await.json();
        assert_eq!(listed[0]["fields"], references, "{listed}");

        let call = |slug: &'static str, method: &'static str, body: Value| async move {
            let mut call = json!({ "method": method, "path": format!("/plugin-roles/{member}/fields") });
            if !body.is_null() {
                call["body"] = body;
            }
            admin.post(&format!("/api/{slug}/call"), &call).await.json()
        };
        assert_eq!(call("nosy", "GET", Value::Null).await["body"], new);
        assert_eq!(call("other", "GET", Value::Null).await["status"], 404);
        // A role that changes keeps them; a reference keeps one of them; the plugin sets them too.
        put(admin.clone(), path.clone(), json!({ "role": "reviewer" })).await;
        let kept = put(admin.clone(), fields.clone(), json!({ "fields": { "api_key": references["api_key"] } })).await;
        assert_eq!(kept.json()["fields"], json!({ "api_key": references["api_key"] }), "{kept:?}");
        assert_eq!(call("nosy", "PUT", json!({ "fields": { "api_key": PEOPLE, "pin": GREEN } })).await["status"], 200);
        let now = admin.get("/api/admin/plugin-roles/nosy").await.json()[0]["fields"].clone();
        assert_eq!(now["api_key"], references["api_key"]);
        assert_eq!(call("nosy", "GET", Value::Null).await["body"]["fields"]["pin"], GREEN);
        for wrong in [json!({ "fields": { "x": references["api_key"] } }), json!({ "fields": { "x": "y".repeat(20_000) } })] {
            assert_refused(&put(admin.clone(), fields.clone(), wrong).await, 400, "VALIDATION_ERROR");
        }
        let refused: Reply = put(server.client("member").await, fields.clone(), new).await;
        assert_refused(&refused, 403, "PERMISSION_DENIED");
        assert_kept_to_itself(&server, &["nosy"]).await;
        assert_eq!(admin.delete(&path).await.status, StatusCode::NO_CONTENT);
        assert_eq!(call("nosy", "GET", Value::Null).await["status"], 404);
    }
}
