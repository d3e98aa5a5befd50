//! Two laboratories with the same plugins, in both modes, work at the same time. Each writes a word of its own wherever something can
//! be written; no answer, good or bad, ever has the word of the other.

use http::{Method, StatusCode};
use mint_tests::{Client, Reply, TestServer, bundle};
use serde_json::json;

use crate::subprocess::Program;

/// Rounds of eight requests, four by each laboratory.
const ROUNDS: usize = 125;

/// A laboratory's administrator, its word, and an experiment of its own.
struct Laboratory {
    client: Client,
    word: &'static str,
    experiment: i64,
}

impl Laboratory {
    async fn furnished(client: Client, word: &'static str) -> Self {
        let granted = json!({ "capabilities": [{ "name": "experiments:read" }, { "name": "results:write" }] });
        for guest in [bundle("everything"), Program::NOSY.bundle_with("nosy", granted)] {
            client.installed(&guest, json!({})).await;
        }
        let experiment = client.experiment(word).await;
        Self { client, word, experiment }
    }

    /// One round, of which each request leaves the word somewhere; all answers.
    async fn round(&self, number: usize, foreign: i64) -> Vec<Reply> {
        let (client, experiment) = (&self.client, self.experiment);
        let text = format!("{}-{number}", self.word);
        let result = json!({ "word": text });
        let save = json!({ "experiment": experiment, "key": "k", "result": result });
        let saved = client.post("/api/everything/call/results.save", &save).await;
        assert_eq!(saved.status, StatusCode::OK, "{saved:?}");
        let broken = client.post(&format!("/api/everything/call/results.{text}"), &json!({ "experiment": foreign })).await;
        assert!(broken.status.is_client_error(), "{broken:?}");
        let path = format!("/experiments/{experiment}/results/nosy");
        let call = json!({ "method": "PUT", "path": path, "body": { "plugin_id": "nosy", "result": result } });
        let stored = client.post("/api/nosy/call", &call).await;
        assert_eq!(stored.json()["status"], 200, "{stored:?}");
        let foreign = json!({ "method": "GET", "path": format!("/experiments/{foreign}?{text}") });
        let refused = client.send(client.request(Method::POST, "/api/nosy/call").header("x-word", &text).json(&foreign)).await;
        assert_eq!(refused.json()["status"], 404, "{refused:?}");
        vec![saved, broken, stored, refused]
    }

    /// Everything that can be read.
    async fn read(&self) -> Vec<Reply> {
        let (client, experiment) = (&self.client, self.experiment);
        let mut replies = Vec::new();
        for path in [
            "/api/experiments".to_owned(),
            format!("/api/experiments/{experiment}/results"),
            format!("/api/experiments/{experiment}/analysis-artifacts"),
            format!("/api/experiments/{experiment}/analysis-artifacts/nosy/default"),
            "/api/plugins".to_owned(),
            "/api/plugins/everything".to_owned(),
            "/api/plugins/nosy".to_owned(),
            "/api/admin/audit?limit=500".to_owned(),
            "/api/platform/metrics".to_owned(),
            "/api/nosy/environment".to_owned(),
            "/api/nosy/echo".to_owned(),
        ] {
            replies.push(client.get(&path).await);
        }
        replies
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_laboratory_writes_no_other_reads() {
    for server in TestServer::on_every_database(&[("MINT_PLUGINS__INSTANCES", "3")]).await {
        let other = server.other_tenant("other").await;
        let ours = Laboratory::furnished(server.client("admin").await, "nightingale").await;
        let theirs = Laboratory::furnished(other, "woodpecker").await;
        for number in 0..ROUNDS {
            let (mine, others) = tokio::join!(ours.round(number, theirs.experiment), theirs.round(number, ours.experiment));
            assert_none(&mine, theirs.word);
            assert_none(&others, ours.word);
        }
        for (laboratory, foreign) in [(&ours, theirs.word), (&theirs, ours.word)] {
            let read = laboratory.read().await;
            assert_none(&read, foreign);
            // The word of one's own is there to be found.
            let found = read.iter().filter(|reply| reply.text().contains(laboratory.word)).count();
            assert!(found >= 2, "{found} answers of {} have their own word", read.len());
        }
    }
}

#[track_caller]
fn assert_none(replies: &[Reply], foreign: &str) {
    for reply in replies {
        let headers = format!("{:?}", reply.headers);
        assert!(!reply.text().contains(foreign) && !headers.contains(foreign), "{foreign} is in {reply:?}");
    }
}
