//! An example through its five releases and back: people add samples to each of them, and every release finds them all.

use std::sync::atomic::{AtomicBool, Ordering};

use http::StatusCode;
use mint_tests::{Client, TestServer, bundle};
use serde_json::{Value, json};

use super::note;

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
