//! The server dies while what a plugin holds is archived, adopted or purged: it stands under one name or the other, whole,
//! and the rows say which.

use std::{fs, path::Path};

use mint_platform::{archives, install, uninstall};
use mint_tests::{Client, bundle};
use reqwest::{
    Method, RequestBuilder,
    multipart::{Form, Part},
};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{
    Mint,
    crashes::{WHEN, only, settled},
};
use crate::hostile::tables::{execute, rows};

async fn fill(client: &Client, home: &Path) {
    execute(client, "create table t (a bigint)").await;
    execute(client, "insert into t values (7)").await;
    fs::create_dir_all(home.join("artifacts")).unwrap();
    fs::write(home.join("artifacts/file"), "kept").unwrap();
    assert_eq!(client.configure("everything", json!({ "colour": "blue" })).await.status, 200);
}

async fn check(client: &Client, home: &Path, moment: &str) {
    assert_eq!(rows(client, "select a from t").await, json!([[7]]), "{moment}");
    assert_eq!(fs::read_to_string(home.join("artifacts/file")).unwrap(), "kept", "{moment}");
    let settings = client.get("/api/plugins/everything/config").await.json();
    assert_eq!(settings["stored_settings"], json!({ "colour": "blue" }), "{moment}");
}

async fn archives_of(client: &Client) -> Vec<Value> {
    client.get("/api/archives").await.json().as_array().unwrap().clone()
}

fn install_with(client: &Client, archive: &str) -> RequestBuilder {
    let file = Part::bytes(fs::read(bundle("everything").path).unwrap()).file_name("bundle.mint");
    let decision = json!({ "grant_requested": true, "adopt": archive }).to_string();
    client.request(Method::POST, "/api/plugins/upload").multipart(Form::new().text("decision", decision).part("bundle", file))
}

/// Brings the plugin back to where every round begins, if it is not there: installed, with its data.
async fn adopted(client: &Client) {
    if client.get("/api/plugins/everything").await.status == 200 {
        return;
    }
    let archive = archives_of(client).await[0]["name"].as_str().unwrap().to_owned();
    let begun = client.send(install_with(client, &archive)).await;
    let ended = client.ended(&begun.json()).await;
    assert_eq!(ended["status"], "done", "{ended:#}");
}

on_each_database! {
    in_an_archive => async |database| survives("uninstall", uninstall::change().1, database).await;
    in_an_adoption => async |database| {
        let steps = |kind: &str| install::changes().into_iter().find(|(known, _)| *known == kind).unwrap().1;
        // The rest is what an install does, too, and is tried there.
        let own = steps("adopt").into_iter().filter(|step| *step == "start" || !steps("install").contains(step));
        survives("adopt", own.collect(), database).await;
    };
    in_a_purge => async |database| survives("purge", archives::change().1, database).await;
}

async fn survives(kind: &str, steps: Vec<&'static str>, database: &str) {
    for database in only(database).await {
        let url = (!database.url.starts_with("sqlite")).then_some(database.url.as_str());
        let mut mint = Mint::serving_on(url).await;
        let data = mint.home().join("data");
        let home = data.join("plugin-data/default/everything");
        let mut client = Client::sign_in(&mint.url, "default", "admin").await;
        client.installed(&bundle("everything"), json!({})).await;
        fill(&client, &home).await;
        for moment in steps.iter().flat_map(|step| WHEN.map(|when| format!("{kind}/{step}/{when}"))) {
            if kind != "uninstall" {
                assert_eq!(client.uninstall("everything", "archive").await["status"], "done", "{moment}");
            }
            let archive = archives_of(&client).await.first().map(|one| one["name"].as_str().unwrap().to_owned());
            mint.end(Signal::TERM);
            mint.serve_until(Some(&moment)).await;
            client = client.at(&mint.url);
            let request = match (kind, &archive) {
                ("adopt", Some(archive)) => install_with(&client, archive),
                ("purge", Some(archive)) => {
                    client.request(Method::DELETE, &format!("/api/archives/{archive}?confirm=everything"))
                }
                _ => client.request(Method::DELETE, "/api/plugins/everything?data=archive"),
            };
            let _answered_or_not = request.send().await;
            assert_eq!(mint.died().await, Some(Signal::ABORT.as_raw()), "{moment}: {}", mint.log());
            mint.serve().await;
            client = client.at(&mint.url);
            let operation = settled(&client).await;
            let (archived, installed) =
                (archives_of(&client).await.len(), client.get("/api/plugins/everything").await.status == 200);
            let expected = match kind {
                "purge" => (0, false),
                "uninstall" => (1, false),
                _ if operation["status"] == "done" => (0, true),
                _ => (1, false),
            };
            assert_eq!((archived, installed), expected, "{moment}: {operation:#}\n{}", mint.log());
            if kind == "purge" {
                let left: Vec<_> = fs::read_dir(data.join("plugin-data/default")).unwrap().collect();
                assert!(left.is_empty(), "{moment}: {left:?}");
                client.installed(&bundle("everything"), json!({})).await;
                fill(&client, &home).await;
            } else {
                adopted(&client).await;
                check(&client, &home, &moment).await;
            }
        }
    }
}
