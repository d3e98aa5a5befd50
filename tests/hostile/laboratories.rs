//! One laboratory's flood over all its plugins, and another laboratory beside it.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use http::StatusCode;
use mint_platform::Accounts;
use mint_tests::{Client, TestServer, bundle, eventually};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::neighbour::{beside, neighbour_answers};
use crate::subprocess::Program;

async fn part(client: &Client, name: &str) -> Value {
    let share = client.get("/api/platform/share").await.json();
    share.as_array().unwrap().iter().find(|part| part["name"] == name).unwrap().clone()
}

#[tokio::test]
async fn one_laboratorys_flood_over_all_its_plugins_leaves_room_for_others() {
    let server = TestServer::with(&[
        ("MINT_PLUGINS__INSTANCES", "8"),
        ("MINT_PLUGINS__LABORATORY__CONCURRENCY_MAX", "4"),
        ("MINT_PLUGINS__LABORATORY__QUEUE_MAX", "6"),
    ])
    .await;
    // Those of `beside` are the other laboratory.
    server.admin.installed(&bundle("hello"), json!({})).await;
    let flooding = server.other_tenant("flooding").await;
    flooding.installed(&bundle("hostile"), json!({})).await;
    flooding.installed(&Program::GREEDY.bundle("greedy"), json!({})).await;
    let paths = ["/api/hostile/sleep?ms=1500", "/api/greedy/sleep?ms=1500"];
    let flood = join_all((0..40).map(|index| flooding.get(paths[index % 2])));
    let (replies, answered) = beside(&server, flood).await;
    assert!(answered > 0, "the other laboratory was answered meanwhile");
    let (served, refused): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == StatusCode::OK);
    assert!(served.len() >= 4 && !refused.is_empty(), "{} served", served.len());
    for reply in refused {
        assert_eq!((reply.status, reply.code().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "laboratory.busy"), "{reply:?}");
        assert_eq!((reply.json()["details"]["limit"].as_str(), reply.header("retry-after")), (Some("laboratory_queue_max"), "1"));
    }
    for (name, most) in [("laboratory_concurrency_max", 4), ("laboratory_queue_max", 6)] {
        let used = part(&flooding, name).await;
        assert_eq!((&used["value"], &used["from"]), (&json!(most), &json!("platform")), "{used}");
        assert_eq!(used["peak"], most, "{used}");
    }
    assert!(part(&flooding, "laboratory_queue_max").await["reached"].as_u64().unwrap() > 0);
    assert_eq!(part(&server.admin, "laboratory_queue_max").await["reached"], 0);
    let metrics = flooding.get("/api/platform/metrics").await.text();
    let line = r#"mint_laboratory_limit_reached_total{tenant="flooding",limit="laboratory_queue_max"}"#;
    assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    for path in paths {
        assert_eq!(flooding.get(path).await.status, StatusCode::OK, "its places are free again");
        let log = flooding.plugin(path.split('/').nth(2).unwrap()).await["log"].to_string();
        assert!(log.contains("laboratory_queue_max"), "{log}");
    }
    neighbour_answers(&server).await;
}

#[tokio::test]
async fn one_plugins_flood_leaves_room_for_the_others_of_its_laboratory() {
    let server = TestServer::with(&[
        ("MINT_PLUGINS__INSTANCES", "20"),
        ("MINT_PLUGINS__LABORATORY__CONCURRENCY_MAX", "16"),
        ("MINT_PLUGINS__LABORATORY__QUEUE_MAX", "16"),
    ])
    .await;
    let admin = &server.admin;
    let patient = json!({ "wall_ms_max": 600_000 });
    admin.installed(&bundle("hostile"), patient.clone()).await;
    admin.installed(&Program::GREEDY.bundle("greedy"), patient).await;
    for other in [bundle("hello"), Program::GREEDY.bundle("greedy-too")] {
        admin.installed(&other, json!({})).await;
    }
    // None of them ends by itself while this runs.
    let paths = ["/api/hostile/sleep?ms=600000", "/api/greedy/sleep?ms=600000"];
    let mut flood: JoinSet<_> = (0..60)
        .map(|index| {
            let client = admin.clone();
            async move { client.get(paths[index % 2]).await }
        })
        .collect();
    eventually("places and turns that are taken", || async {
        let [inside, waiting] = ["laboratory_concurrency_max", "laboratory_queue_max"].map(|name| part(admin, name));
        let (inside, waiting) = (inside.await["current"].as_u64()?, waiting.await["current"].as_u64()?);
        (inside >= 14 && waiting >= 14).then_some(())
    })
    .await;
    let refused = flood.join_next().await.unwrap().unwrap();
    assert_eq!((refused.status, refused.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "1"), "{refused:?}");
    for path in ["/api/hello/", "/api/greedy-too/sleep?ms=1", "/api/hello/", "/api/greedy-too/sleep?ms=1"] {
        let reply = admin.get(path).await;
        assert_eq!(reply.status, StatusCode::OK, "{path} {reply:?}");
    }
    flood.shutdown().await;
}

#[tokio::test]
async fn the_operator_alone_gives_shares_and_they_hold_from_then_on() {
    for server in TestServer::on_every_database(&[]).await {
        let admin = &server.admin;
        admin.installed(&bundle("hostile"), json!({})).await;
        let accounts = Accounts::new(server.server.as_ref().unwrap().platform.services().clone());
        let default = "default".parse().unwrap();
        let give = |name: &str, value| {
            let (accounts, edits) = (&accounts, BTreeMap::from([(name.to_owned(), value)]));
            let default = &default;
            async move { accounts.set_share(default, &edits).await.map_err(|error| error.public().message) }
        };
        let rate = "laboratory_requests_per_second_max";
        assert_eq!(part(admin, rate).await["from"], "platform");
        give(rate, Some(1)).await.unwrap();
        // What runs follows when the rows were looked at again.
        eventually("a refusal", || async {
            let replies = join_all((0..8).map(|_| admin.get("/api/hostile/"))).await;
            let refused = replies.into_iter().find(|reply| reply.status == StatusCode::TOO_MANY_REQUESTS)?;
            assert_eq!((refused.code().as_str(), refused.header("retry-after")), ("laboratory.too_many_requests", "1"));
            Some(())
        })
        .await;
        let shown = part(admin, rate).await;
        assert_eq!((&shown["value"], &shown["from"]), (&json!(1), &json!("operator")), "{shown}");
        give(rate, None).await.unwrap();
        eventually("the share of everybody", || async { (part(admin, rate).await["value"] == 2_000).then_some(()) }).await;
        for (name, value, words) in [(rate, Some(0), rate), ("cpu_ms_max", Some(1), "A share has no `cpu_ms_max`")] {
            let said = give(name, value).await.unwrap_err();
            assert!(said.contains(words), "{said}");
        }
        // Neither a laboratory's administrator nor a plugin's bundle has a say in it.
        for path in ["/api/platform/limits", "/api/plugins/hostile/limits"] {
            assert_eq!(admin.patch(path, &json!({ rate: 1 })).await.status, StatusCode::BAD_REQUEST);
        }
        assert_eq!(admin.patch("/api/platform/share", &json!({ rate: 1 })).await.status, StatusCode::METHOD_NOT_ALLOWED);
        let audit = admin.get("/api/admin/audit?limit=50").await.text();
        assert!(audit.contains(rate), "{audit}");
    }
}
