//! How long a component remembers, and whom.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use mint_tests::{Client, Guest, TestServer, bundle, repackaged};
use serde_json::{Value, json};

fn with_policy(policy: &str) -> Guest {
    let policy = Value::from(policy);
    repackaged(&bundle("hostile"), move |manifest| manifest["instances"] = policy)
}

async fn remember(client: &Client, value: &str) {
    assert_eq!(client.get(&format!("/api/hostile/remember?value={value}")).await.text(), "remembered");
}

async fn recall(client: &Client) -> Value {
    client.get("/api/hostile/recall").await.json()["value"].clone()
}

#[tokio::test]
async fn a_fresh_instance_remembers_nothing() {
    let server = TestServer::start().await;
    server.admin.installed(&with_policy("request"), json!({})).await;
    for _ in 0..20 {
        remember(&server.admin, "mine").await;
        assert_eq!(recall(&server.admin).await, Value::Null);
    }
    let at_once = join_all((0..20).map(|_| async {
        remember(&server.admin, "mine").await;
        recall(&server.admin).await
    }));
    assert!(at_once.await.iter().all(Value::is_null));
    assert_eq!(server.admin.plugin("hostile").await["runtime"]["warm_instances"], 0);
}

#[tokio::test]
async fn a_warm_instance_remembers_within_one_laboratory() {
    let server = TestServer::start().await;
    let other = server.other_tenant("other").await;
    let guest = with_policy("tenant");
    for client in [&server.admin, &other] {
        client.installed(&guest, json!({})).await;
    }
    remember(&server.admin, "mine").await;
    assert_eq!(recall(&server.admin).await, "mine");
    assert_eq!(recall(&other).await, Value::Null);
    remember(&other, "theirs").await;
    assert_eq!((recall(&server.admin).await, recall(&other).await), (json!("mine"), json!("theirs")));

    // Many at once, so that there are many instances; no laboratory ever sees a word of the other.
    let rounds = join_all((0..40).map(|round| {
        let (client, own) = if round % 2 == 0 { (&server.admin, "mine") } else { (&other, "theirs") };
        async move {
            remember(client, own).await;
            (own, recall(client).await)
        }
    }));
    let seen: BTreeSet<(&str, String)> = rounds.await.into_iter().map(|(own, value)| (own, value.to_string())).collect();
    let allowed = [("mine", "\"mine\""), ("mine", "null"), ("theirs", "\"theirs\""), ("theirs", "null")];
    assert!(seen.iter().all(|(own, value)| allowed.contains(&(own, value))), "{seen:?}");
    assert!(server.admin.plugin("hostile").await["runtime"]["warm_instances"].as_u64().unwrap() >= 1);
}

#[tokio::test]
async fn a_warm_instance_goes_with_a_fault_a_setting_or_a_reload() {
    let server = TestServer::start().await;
    let admin = &server.admin;
    admin.installed(&with_policy("tenant"), json!({})).await;
    remember(admin, "before").await;
    assert_eq!(admin.get("/api/hostile/trap").await.code(), "plugin.broke");
    assert_eq!(recall(admin).await, Value::Null, "a trap ends its instance");

    remember(admin, "before").await;
    assert_eq!(admin.configure("hostile", json!({ "any": 1 })).await.status, 200);
    assert_eq!(recall(admin).await, Value::Null, "instances are made anew for new settings");

    remember(admin, "before").await;
    assert_eq!(admin.reload("hostile").await["status"], "done");
    assert_eq!(recall(admin).await, Value::Null, "a reload begins with new instances");
}

#[tokio::test]
async fn a_warm_instance_that_leaks_handles_goes_before_it_has_none() {
    let server = TestServer::start().await;
    server.admin.installed(&with_policy("tenant"), json!({})).await;
    // Twice as many as an instance may hold.
    for call in 0..2_048 {
        let reply = server.admin.get("/api/hostile/handles?count=1&leak=true").await;
        assert_eq!(reply.text(), "1 handles held", "call {call}");
    }
}

/// In JavaScript and Python every request is a new one too, as far as the plugin can tell of other people.
#[tokio::test]
async fn people_are_told_apart_in_a_warm_instance() {
    let server = TestServer::start().await;
    server.admin.installed(&repackaged(&bundle("hello"), |manifest| manifest["instances"] = json!("tenant")), json!({})).await;
    let people = ["admin", "member", "viewer"];
    let mut clients = Vec::new();
    for person in people {
        clients.push((person, server.client(person).await));
    }
    let asked = join_all((0..60).map(|round| {
        let (person, client) = &clients[round % people.len()];
        async move { (*person, client.get("/api/hello/whoami").await.json()["username"].clone()) }
    }));
    for (person, told) in asked.await {
        assert_eq!(told, person);
    }
}
