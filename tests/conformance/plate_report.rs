//! Jobs of one plugin class, as a component and as a process.

use http::StatusCode;
use mint_tests::{TestServer, bundle};
use serde_json::{Value, json};

use crate::jobs::stands;

const WELLS: [(&str, f64); 6] = [("A1", 0.1), ("B1", 0.12), ("A2", 0.61), ("B2", 0.11), ("A12", 1.1), ("B12", 1.12)];

#[tokio::test]
async fn a_report_is_made_by_a_job_in_either_mode() {
    for mode in ["shared", "isolated"] {
        let server = TestServer::start().await;
        let operation = server.admin.install(&bundle("plate-report"), json!({ "grant_requested": true, "mode": mode })).await;
        assert_eq!(operation["status"], "done", "{operation:#}");
        let experiment = server.admin.experiment("Plates").await;
        let member = server.client("member").await;
        let reports = format!("/api/plate-report/experiments/{experiment}/reports");

        let wells: Value = WELLS.into_iter().collect::<std::collections::BTreeMap<_, _>>().into_iter().collect();
        let order = json!({ "plate": "P-1", "wells": wells });
        let asked = server.admin.post(&reports, &order).await;
        assert_eq!(asked.status, StatusCode::ACCEPTED, "{mode} {asked:?}");
        let id = asked.json()["id"].as_i64().unwrap();
        let done = stands(&server.admin, id, "completed").await;
        assert_eq!(done["outcome"], json!({ "z_factor": 0.9151, "wells": 6 }), "{mode}");
        assert_eq!((&done["percent"], &done["message"]), (&json!(50), &json!("Row B")), "{mode}");
        let again = server.admin.post(&reports, &order).await.json();
        assert_eq!((&again["id"], &again["status"]), (&json!(id), &json!("completed")), "{mode}");
        assert_eq!(member.post(&reports, &order).await.status, StatusCode::CONFLICT, "{mode}");
        let report = server.admin.get(&format!("{reports}/P-1")).await.json();
        assert_eq!((&report["z_factor"], &report["activities"]["A2"]), (&json!(0.9151), &json!(50.0)), "{mode}");
        let seen = server.admin.get(&format!("/api/plate-report/jobs/{id}")).await.json();
        assert_eq!((&seen["status"], &seen["attempt"]), (&json!("completed"), &json!(1)), "{mode}");
        assert_eq!(member.get(&format!("/api/plate-report/jobs/{id}")).await.status, StatusCode::NOT_FOUND, "{mode}");

        let wrong = json!({ "plate": "P-2", "wells": { "A1": 0.1, "A12": 1.1 } });
        let id = server.admin.post(&reports, &wrong).await.json()["id"].as_i64().unwrap();
        let failed = stands(&server.admin, id, "failed").await;
        assert_eq!(failed["error"], "Plate P-2: the first and the last column need 2 controls each.", "{mode}");
        assert_eq!(failed["attempt"], 1, "{mode}");
        let reply = server.admin.request(http::Method::DELETE, &format!("/api/plate-report/jobs/{id}"));
        assert_eq!(server.admin.send(reply).await.json(), json!({ "cancelled": false }), "{mode}");
    }
}
