//! Curve fitting in a process: the published figures, and tables that cannot be analysed.

use http::{Method, StatusCode};
use mint_tests::{Client, Reply, TestServer, bundle};
use serde_json::{Value, json};

const RYEGRASS: &str = include_str!("../data/ryegrass.csv");

async fn serving() -> (TestServer, i64) {
    let server = TestServer::start().await;
    let operation = server.install(&bundle("dose-response")).await;
    assert_eq!(operation["status"], "done", "{operation}");
    let experiment = server.admin.experiment("ryegrass").await;
    (server, experiment)
}

fn close(value: &Value, expected: f64) {
    let found = value.as_f64().unwrap();
    assert!((found - expected).abs() < 2e-5, "{found} instead of {expected}");
}

#[tokio::test]
async fn the_published_figures_come_out_and_are_kept() {
    let (server, id) = serving().await;
    let admin = &server.admin;
    let base = format!("/api/dose-response/experiments/{id}");
    assert_eq!(admin.plugin("dose-response").await["mode"], "isolated");
    assert_eq!(admin.get(&format!("{base}/result")).await.status, StatusCode::NOT_FOUND);
    let put = admin.put(&format!("/api/experiments/{id}/objects/ryegrass.csv"), RYEGRASS).await;
    assert_eq!(put.status, StatusCode::CREATED);
    let reply = admin.post(&format!("{base}/fit"), &json!({ "object": "ryegrass.csv" })).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    let found = reply.json();
    for (name, estimate, error) in
        [("b", 2.98222, 0.46506), ("c", 0.48141, 0.21219), ("d", 7.79296, 0.18857), ("e", 3.05795, 0.18573)]
    {
        close(&found["parameters"][name]["estimate"], estimate);
        close(&found["parameters"][name]["standard_error"], error);
    }
    close(&found["ec50"]["estimate"], 3.05795);
    close(&found["ec50"]["lower"], 2.67053);
    close(&found["ec50"]["upper"], 3.44538);
    assert_eq!((&found["n"], &found["degrees_of_freedom"], &found["ec50"]["confidence"]), (&json!(24), &json!(20), &json!(0.95)));

    let viewer = server.client("viewer").await;
    assert_eq!(viewer.get(&format!("{base}/result")).await.json(), found);
    let stored = admin.get(&format!("/api/experiments/{id}/results/dose-response")).await.json();
    assert_eq!((&stored["result"], &stored["plugin_id"]), (&found, &json!("dose-response")));
    let plot = admin.get(&format!("{base}/plot.svg")).await;
    assert_eq!(plot.headers["content-type"], "image/svg+xml");
    let text = plot.text();
    assert!(text.starts_with("<svg") && text.trim_end().ends_with("</svg>") && text.contains("EC50 3.058"), "{text}");
    assert_eq!(text.matches("<circle").count(), 24);
}

#[tokio::test]
async fn the_confidence_is_a_setting() {
    let (server, id) = serving().await;
    let admin = &server.admin;
    let path = "/api/plugins/dose-response/config";
    let tag = admin.get(path).await.headers["etag"].clone();
    let request = admin.request(Method::PUT, path).header("if-match", tag).json(&json!({ "config": { "confidence": 0.5 } }));
    assert_eq!(admin.send(request).await.status, StatusCode::OK);
    let found = post(admin, id, "", RYEGRASS).await.json();
    assert_eq!(found["ec50"]["confidence"], 0.5);
    assert!(found["ec50"]["lower"].as_f64().unwrap() > 2.9, "{}", found["ec50"]);
}

async fn post(client: &Client, id: i64, query: &str, table: &str) -> Reply {
    let path = format!("/api/dose-response/experiments/{id}/fit/table{query}");
    client.send(client.request(Method::POST, &path).header("content-type", "text/csv").body(table.to_owned())).await
}

#[tokio::test]
async fn a_table_that_cannot_be_analysed_is_named_and_nothing_is_saved() {
    let (server, id) = serving().await;
    let admin = &server.admin;
    let head = "root_length_cm,ferulic_acid_mM\n";
    let rows: Vec<&str> = RYEGRASS.lines().skip(1).collect();
    let one_dose: String = rows.iter().take(6).map(|row| format!("{row}\n")).collect();
    let with = |line: &str| format!("{RYEGRASS}{line}\n");
    for (table, query, field, words) in [
        (with("eight,30"), "", "line 26, column 'root_length_cm'", "'eight' is not a number"),
        (with("1.0,nan"), "", "line 26, column 'ferulic_acid_mM'", "not a finite number"),
        (with("1.0,"), "", "line 26, column 'ferulic_acid_mM'", "is empty"),
        (with("1.0"), "", "line 26", "1 cells"),
        (with("1.0,-3"), "", "line 26, column 'ferulic_acid_mM'", "negative"),
        (format!("{head}{one_dose}"), "", "column 'ferulic_acid_mM'", "only one dose, 0"),
        (format!("{head}8,0\n7,1\n4,2\n1,9\n"), "", "rows", "there are 4"),
        (head.to_owned(), "", "line 2", "no rows"),
        (String::new(), "", "line 1", "is empty"),
        ("a,b\n1,2\n".to_owned(), "", "column 'ferulic_acid_mM'", "is missing"),
        (RYEGRASS.to_owned(), "?dose=dosis", "column 'dosis'", "is missing"),
        (RYEGRASS.replace(',', ";").replace('.', ","), "", "line 2, column 'root_length_cm'", "decimal point"),
    ] {
        let reply = post(admin, id, query, &table).await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (422, "validation.request"), "{reply:?}");
        let details = reply.json()["details"].clone();
        let told = details
            .as_array()
            .unwrap()
            .iter()
            .any(|detail| detail["field"] == field && detail["message"].as_str().unwrap().contains(words));
        assert!(told, "`{field}` and `{words}` are not in {details}");
        assert!(reply.json()["message"].as_str().unwrap().contains(field), "{reply:?}");
    }
    for (key, status) in [("none.csv", 404), ("binary", 422)] {
        if status == 422 {
            admin.put(&format!("/api/experiments/{id}/objects/{key}"), vec![0_u8, 255, 1, 10]).await;
        }
        let reply = admin.post(&format!("/api/dose-response/experiments/{id}/fit"), &json!({ "object": key })).await;
        assert_eq!(reply.status.as_u16(), status, "{reply:?}");
    }
    assert_eq!(post(admin, 999, "", RYEGRASS).await.status, StatusCode::NOT_FOUND);
    let viewer = server.client("viewer").await;
    assert_eq!(post(&viewer, id, "", RYEGRASS).await.status, StatusCode::FORBIDDEN);
    assert_eq!(admin.get(&format!("/api/experiments/{id}/results")).await.json(), json!([]));
    assert_eq!(post(admin, id, "", RYEGRASS).await.status, StatusCode::OK);
}
