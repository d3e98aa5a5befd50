//! All that a laboratory has, in one file: what REST says of it, nothing of another one, and no secret.

use std::{
    collections::BTreeMap,
    io::{Cursor, Read as _},
};

use http::{Method, StatusCode};
use mint_tests::{Client, PASSWORD, TestServer, bundle, eventually, repackaged};
use serde_json::{Value, json};
use zip::ZipArchive;

use super::{assert_refused, id_of};

/// What must not be in it: a secret, and the word of another laboratory.
const CANARY: &str = "canary-of-export";
const FOREIGN: &str = "woodpecker";

/// Every entry, unpacked.
fn entries(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut zip = ZipArchive::new(Cursor::new(archive)).unwrap();
    let mut entries = BTreeMap::new();
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index).unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        entries.insert(entry.name().unwrap().into_owned(), bytes);
    }
    entries
}

fn rows(entries: &BTreeMap<String, Vec<u8>>, name: &str) -> Vec<Value> {
    let text = std::str::from_utf8(&entries[&format!("{name}.jsonl")]).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The values of some keys, so that two forms of one thing can be compared.
fn only(value: &Value, keys: &[&str]) -> Vec<Value> {
    keys.iter().map(|key| value[*key].clone()).collect()
}

async fn furnished(client: &Client, word: &str) -> i64 {
    let guest = repackaged(&bundle("everything"), |manifest| {
        manifest["settings_schema"]["properties"]["token"] = json!({ "type": "string", "format": "password" });
    });
    client.installed(&guest, json!({ "cpu_ms_max": 4_321 })).await;
    let configured = client.configure("everything", json!({ "colour": word, "token": CANARY })).await;
    assert_eq!(configured.status, StatusCode::OK, "{configured:?}");
    client.post("/api/projects", &json!({ "name": word, "description": word })).await;
    let new = json!({ "name": word, "experiment_type": "t", "project": word, "notes": "Zürich \"\u{1f9ea}\"\n", "tags": { "a": [1, null] } });
    let experiment = client.post("/api/experiments", &new).await.json()["id"].as_i64().unwrap();
    let save = json!({ "experiment": experiment, "data": { "well": word } });
    assert_eq!(client.post("/api/everything/call/designs.save", &save).await.status, StatusCode::OK);
    let save =
        json!({ "experiment": experiment, "key": "k", "result": { "word": word, "big": 9_007_199_254_740_993_i64, "x": 0.1 } });
    assert_eq!(client.post("/api/everything/call/results.save", &save).await.status, StatusCode::OK);
    let uploaded = client.put(&format!("/api/experiments/{experiment}/objects/raw/a.bin"), vec![7; 3 << 20]).await;
    assert!(uploaded.status.is_success(), "{uploaded:?}");
    let member = id_of(client, "admin").await;
    let role = client.request(Method::PUT, &format!("/api/admin/plugin-roles/everything/{member}"));
    assert_eq!(client.send(role.json(&json!({ "role": "lead" }))).await.status, StatusCode::OK);
    let fields = client.request(Method::PUT, &format!("/api/admin/plugin-roles/everything/{member}/fields"));
    assert_eq!(client.send(fields.json(&json!({ "fields": { "pin": CANARY } }))).await.status, StatusCode::OK);
    experiment
}

#[tokio::test]
async fn an_export_has_what_rest_says_and_nothing_else() {
    for server in TestServer::on_every_database(&[]).await {
        let (ours, theirs) = (&server.admin, server.other_tenant("other").await);
        let experiment = furnished(ours, "nightingale").await;
        furnished(&theirs, FOREIGN).await;
        let token =
            ours.post("/api/tokens", &json!({ "name": "t", "days": 1 })).await.json()["token"].as_str().unwrap().to_owned();
        let reply = ours.get("/api/platform/export?tenant=default").await;
        assert_eq!((reply.status, reply.header("content-type")), (StatusCode::OK, "application/zip"), "{:?}", reply.headers);
        let digest = mint_domain::Digest::of(&reply.body).to_string();
        assert_eq!(reply.header("etag"), format!("\"{digest}\""));
        let entries = entries(&reply.body);

        // Every entry is named with its digest, and nothing is missing.
        let contents: Value = serde_json::from_slice(&entries["export.json"]).unwrap();
        assert_eq!((&contents["format"], &contents["about"]["laboratory"]), (&json!("mint-export"), &json!("default")));
        assert_eq!(contents["about"]["missing"], json!([]));
        for entry in contents["entries"].as_array().unwrap() {
            let bytes = &entries[entry["name"].as_str().unwrap()];
            assert_eq!(entry["sha256"], mint_domain::Digest::of(bytes).to_string(), "{entry}");
        }
        assert_eq!(contents["entries"].as_array().unwrap().len() + 1, entries.len());

        let shown = ours.get(&format!("/api/experiments/{experiment}")).await.json();
        let keys = ["id", "name", "experiment_type", "status", "notes", "tags", "custom_metadata", "created_by", "start_date"];
        assert_eq!(rows(&entries, "experiments").iter().map(|row| only(row, &keys)).collect::<Vec<_>>(), [only(&shown, &keys)]);
        let results = ours.get(&format!("/api/experiments/{experiment}/analysis-artifacts/everything/k")).await.json();
        let keys = ["experiment_id", "plugin_id", "artifact_key", "display_name", "status", "result"];
        assert_eq!(only(&rows(&entries, "results")[0], &keys), only(&results, &keys));
        assert_eq!(rows(&entries, "designs")[0]["data"], json!({ "well": "nightingale" }));
        let users = ours.get("/api/users").await.json();
        let keys = ["id", "username", "role", "is_active", "email"];
        let of_rest: Vec<_> = users.as_array().unwrap().iter().map(|user| only(user, &keys)).collect();
        assert_eq!(rows(&entries, "users").iter().map(|row| only(row, &keys)).collect::<Vec<_>>(), of_rest);
        let file = &rows(&entries, "files")[0];
        assert_eq!((&file["key"], &file["size"]), (&json!("raw/a.bin"), &json!(3 << 20)), "{file}");
        assert_eq!(entries[file["entry"].as_str().unwrap()], vec![7; 3 << 20]);
        let plugin = &rows(&entries, "plugins")[0];
        let config = ours.get("/api/plugins/everything/config").await.json();
        assert_eq!(
            (&plugin["settings"], &plugin["limits"]["cpu_ms_max"]),
            (&config["stored_settings"], &json!(4_321)),
            "{plugin}"
        );
        let role = &rows(&entries, "plugin-roles")[0];
        assert_eq!(role["role"], "lead");
        assert!(role["fields"]["pin"]["$secret"].is_string() && role["fields"]["pin"]["sealed"].is_null(), "{role}");
        let audit = ours.get("/api/admin/audit?limit=500").await.json();
        assert!(audit.to_string().contains("laboratory.export"));
        let last = rows(&entries, "audit").pop().unwrap();
        assert!(audit.to_string().contains(last["hash"].as_str().unwrap()), "{last}");

        for (name, bytes) in &entries {
            for word in [CANARY, FOREIGN, PASSWORD, "argon2", "password_hash", "sealed\"", "sha256\":null", &token, ours.token()]
            {
                assert!(!bytes.windows(word.len()).any(|window| window == word.as_bytes()), "{name} has `{word}`");
            }
        }
    }
}

#[tokio::test]
async fn only_a_whole_administrator_exports_and_one_at_a_time() {
    let server = TestServer::start().await;
    let admin = &server.admin;
    for user in ["member", "viewer"] {
        assert_refused(&server.client(user).await.get("/api/platform/export").await, 403, "PERMISSION_DENIED");
    }
    let bounded = json!({ "name": "t", "days": 1, "permissions": ["experiments.view", "users.manage"] });
    let token = admin.post("/api/tokens", &bounded).await.json()["token"].as_str().unwrap().to_owned();
    let request = Client::anonymous(&server.url).request(Method::GET, "/api/platform/export").bearer_auth(token);
    assert_refused(&admin.send(request).await, 403, "PERMISSION_DENIED");
    assert_refused(&admin.get("/api/platform/export?tenant=other").await, 404, "NOT_FOUND");

    // Who goes away in the middle leaves nothing behind, and keeps nobody from the next.
    let experiment = admin.experiment("one").await;
    let noise: Vec<u8> = (0..16_u32 << 20).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let uploaded = admin.put(&format!("/api/experiments/{experiment}/objects/raw"), noise).await;
    assert!(uploaded.status.is_success(), "{uploaded:?}");
    let mut first = admin.request(Method::GET, "/api/platform/export").send().await.unwrap();
    assert_eq!(first.status(), StatusCode::OK);
    assert!(first.chunk().await.unwrap().is_some());
    let second = admin.get("/api/platform/export").await;
    assert_refused(&second, 429, "rate_limit.exceeded");
    drop(first);
    eventually("the next", || async { (admin.get("/api/platform/export").await.status == StatusCode::OK).then_some(()) }).await;
    eventually("nothing is left", || async {
        std::fs::read_dir(server.data.join("_uploads")).unwrap().next().is_none().then_some(())
    })
    .await;
}
