//! An example through its five releases and back: people add samples to each of them, and every release finds them all.

use std::sync::atomic::{AtomicBool, Ordering};

use http::{Method, StatusCode};
use mint_tests::{Client, TestServer, bundle};
use serde_json::{Value, json};

use super::note;
use crate::lifecycle::snapshots::{restore, take};

const LATEST: usize = 5;

async fn samples(client: &Client) -> Vec<(String, i64)> {
    let reply = client.get("/api/sample-log/samples").await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    let sample = |one: &Value| (one[0].as_str().unwrap().to_owned(), one[1].as_i64().unwrap());
    reply.json()["samples"].as_array().unwrap().iter().map(sample).collect()
}

/// A laboratory that goes on weighing.
struct Lab<'a> {
    client: &'a Client,
    known: Vec<(String, i64)>,
}

impl Lab<'_> {
    /// Adds a sample to the release that answers, which then finds this and all earlier ones.
    async fn weigh(&mut self, release: &str) {
        let (name, mass_ug) = (format!("{release} {}", self.known.len()), 1_000 + i64::try_from(self.known.len()).unwrap());
        let sample = json!({ "name": name, "mass_ug": mass_ug, "balance": "left" });
        let reply = self.client.post("/api/sample-log/samples", &sample).await;
        assert_eq!(reply.status, StatusCode::OK, "{release}: {reply:?}");
        self.known.push((name, mass_ug));
        assert_eq!(samples(self.client).await, self.known, "{release}");
        assert_eq!(self.client.plugin("sample-log").await["version"], *release);
    }

    /// Puts another release in its place, while somebody looks at the samples all the time.
    async fn upgrade(&self, version: &str) -> Value {
        let (stop, release) = (AtomicBool::new(false), bundle(&format!("sample-log-{version}")));
        let looking = async {
            while !stop.load(Ordering::Relaxed) {
                assert_eq!(samples(self.client).await, self.known, "during the upgrade to {version}");
            }
        };
        let upgrading = async {
            let done = self.client.upgrade("sample-log", &release, &json!({ "allow_destructive": true })).await;
            stop.store(true, Ordering::Relaxed);
            done
        };
        let (done, ()) = tokio::join!(upgrading, looking);
        assert_eq!(done["status"], "done", "{done:#}");
        done
    }
}

#[tokio::test]
async fn five_releases_and_back() {
    for server in TestServer::on_every_database(&[]).await {
        let mut lab = Lab { client: &server.admin, known: Vec::new() };
        lab.client.installed(&bundle("sample-log-1.0.0"), json!({})).await;
        lab.weigh("1.0.0").await;
        for number in 2..=LATEST {
            let version = format!("{number}.0.0");
            let done = lab.upgrade(&version).await;
            if number == LATEST {
                assert!(note(&done, "contract").contains("done: 6 (milligrams gone)"), "{done:#}");
            }
            lab.weigh(&version).await;
        }
        assert_eq!(lab.client.plugin("sample-log").await["schema_version"], 6);

        let to = json!({ "revision": 4, "confirm": "sample-log" });
        let reset = lab.client.ended(&lab.client.post("/api/plugins/sample-log/reset", &to).await.json()).await;
        assert_eq!(reset["status"], "done", "{reset:#}");
        for version in ["4.0.0", "3.0.0", "2.0.0"] {
            let back = lab.client.roll_back("sample-log", &json!({ "version": version })).await;
            assert_eq!(back["status"], "done", "{version}: {back:#}");
            lab.weigh(version).await;
        }
        lab.upgrade("1.0.0").await;
        lab.weigh("1.0.0").await;
        assert_eq!(lab.client.plugin("sample-log").await["schema_version"], 4, "the first release does not mind what was added");

        // What the first release wrote without micrograms, the fifth would not find: the fourth writes both.
        for version in ["4.0.0", "5.0.0"] {
            lab.upgrade(version).await;
            lab.weigh(version).await;
        }
        assert_eq!(lab.client.plugin("sample-log").await["schema_version"], 6);
    }
}

/// The data of the plugin in a file; then it is gone with its data, and another release is there.
async fn moved(client: &Client, from: &str, to: &str) -> Vec<u8> {
    let snapshot = take(client, "sample-log").await;
    let archive = client.get(&format!("/api/plugins/sample-log/snapshots/{snapshot}")).await.body.to_vec();
    assert_eq!(client.plugin("sample-log").await["version"], *from);
    assert_eq!(client.uninstall("sample-log", "purge").await["status"], "done");
    client.installed(&bundle(&format!("sample-log-{to}")), json!({})).await;
    archive
}

async fn put_back(client: &Client, archive: Vec<u8>) -> Value {
    let uploaded = client.send(client.request(Method::POST, "/api/plugins/sample-log/snapshots/upload").body(archive)).await;
    assert_eq!(uploaded.status, StatusCode::CREATED, "{uploaded:?}");
    restore(client, "sample-log", uploaded.json()["id"].as_i64().unwrap()).await
}

#[tokio::test]
async fn a_backup_of_an_earlier_release_is_brought_up_to_date_and_one_of_a_later_is_refused() {
    for server in TestServer::on_every_database(&[]).await {
        let mut lab = Lab { client: &server.admin, known: Vec::new() };
        lab.client.installed(&bundle("sample-log-2.0.0"), json!({})).await;
        lab.weigh("2.0.0").await;
        let earlier = moved(lab.client, "2.0.0", "5.0.0").await;
        let restored = put_back(lab.client, earlier).await;
        assert_eq!(restored["status"], "done", "{restored:#}");
        assert!(note(&restored, "migrate").contains("applied, to revision 5"), "{restored:#}");
        lab.weigh("5.0.0").await;

        // What only added, earlier code does not mind.
        let contracted = lab.client.post("/api/plugins/sample-log/reload?allow_destructive=true", &Value::Null).await;
        assert_eq!(lab.client.ended(&contracted.json()).await["status"], "done");
        assert_eq!(lab.client.plugin("sample-log").await["schema_version"], 6);
        let later = moved(lab.client, "5.0.0", "2.0.0").await;
        let mut other = Lab { client: &server.admin, known: Vec::new() };
        other.weigh("2.0.0").await;
        let refused = put_back(lab.client, later).await;
        assert_eq!(
            (&refused["status"], &refused["outcome"]["code"]),
            (&json!("undone"), &json!("plugin.data_unfit")),
            "{refused:#}"
        );
        let words = refused["outcome"]["message"].as_str().unwrap();
        assert!(words.contains("Install a release that knows them") && words.contains("Everything is as it was."), "{words}");
        other.weigh("2.0.0").await;
    }
}
