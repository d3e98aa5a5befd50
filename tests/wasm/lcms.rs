//! The LC-MS plugin on a real run, against figures from independent tools.

use http::StatusCode;
use mint_tests::{Reply, TestServer, bundle};
use serde_json::{Value, json};

#[track_caller]
fn close(found: &Value, expected: f64, relative: f64) {
    let found = found.as_f64().unwrap();
    assert!((found / expected - 1.0).abs() < relative, "{found} is not {expected}");
}

async fn get(server: &TestServer, path: &str) -> Reply {
    let reply = server.admin.get(path).await;
    assert_eq!(reply.status, StatusCode::OK, "{path}: {reply:?}");
    reply
}

#[tokio::test]
async fn the_bsa_digest_has_the_known_figures() {
    let server = TestServer::start().await;
    server.admin.installed(&bundle("lcms-features"), json!({})).await;
    let id = server.admin.experiment("BSA").await;
    let run = include_bytes!("../data/BSA1.mzML.gz").as_slice();
    assert_eq!(
        server.admin.put(&format!("/api/experiments/{id}/objects/raw/BSA1.mzML.gz"), run).await.status,
        StatusCode::CREATED
    );

    let analysed = server
        .admin
        .post(&format!("/api/lcms-features/experiments/{id}/analyse"), &json!({ "object": "raw/BSA1.mzML.gz" }))
        .await;
    assert_eq!(analysed.status, StatusCode::CREATED, "{analysed:?}");
    let analysed = analysed.json();
    let summary = &analysed["summary"];
    assert_eq!((&summary["spectra"], &summary["spectra_ms1"]), (&json!(1684), &json!(564)));
    close(&summary["rt_start_s"], 1501.414, 1e-6);
    close(&summary["rt_end_s"], 2499.518, 1e-6);
    close(&summary["total_ion_current"], 4.292_509e9, 2e-7);
    close(&summary["base_peak"]["mz"], 395.23931, 1e-8);
    close(&summary["base_peak"]["height"], 11_977_811.0, 1e-7);
    close(&summary["base_peak"]["rt_s"], 1941.743, 1e-6);
    close(&summary["base_peak"]["area"], 1.455_193e8, 4e-7);

    let link = |name: &str| analysed["links"][name].as_str().unwrap().to_owned();
    let features = get(&server, &link("features_json")).await.json();
    let features = features["features"].as_array().unwrap();
    assert_eq!(features.len() as u64, summary["features"].as_u64().unwrap());
    close(&features[0]["mz"], 395.23931, 1e-5);
    close(&features[0]["height"], 11_977_811.0, 1e-7);

    let csv = get(&server, &link("features_csv")).await;
    assert!(csv.headers["content-type"].to_str().unwrap().starts_with("text/csv"));
    assert_eq!(csv.text().lines().count(), features.len() + 1);
    let svg = get(&server, &link("chromatogram")).await;
    assert_eq!(svg.headers["content-type"], "image/svg+xml");
    assert!(svg.text().starts_with("<svg") && svg.text().trim_end().ends_with("</svg>"));

    let whole = get(&server, &link("result")).await.json();
    assert_eq!(whole["chromatograms"]["total_ion"].as_array().unwrap().len(), 564);
    assert_eq!((&whole["object"]["key"], &whole["object"]["size"]), (&json!("raw/BSA1.mzML.gz"), &json!(run.len())));
    let xic = get(&server, &format!("/api/lcms-features/experiments/{id}/xic?mz=395.23931&ppm=10")).await.json();
    close(&xic["area"], 1.455_193e8, 4e-7);

    // The same through the platform's own API, and after the plugin is gone.
    for _ in 0..2 {
        let saved = get(&server, &format!("/api/experiments/{id}/results/lcms-features")).await.json();
        assert_eq!(saved["result"]["summary"], *summary);
        if server.admin.get("/api/plugins/lcms-features").await.status == StatusCode::OK {
            server.admin.uninstall("lcms-features", "purge").await;
        }
    }
}

#[tokio::test]
async fn an_orbitrap_run_with_compressed_arrays() {
    let server = TestServer::start().await;
    server.admin.installed(&bundle("lcms-features"), json!({})).await;
    let id = server.admin.experiment("example").await;
    let run = include_bytes!("../data/example.mzML.gz").as_slice();
    server.admin.put(&format!("/api/experiments/{id}/objects/run.mzML.gz"), run).await;
    let path = format!("/api/lcms-features/experiments/{id}/analyse");
    for _ in 0..2 {
        let analysed = server.admin.post(&path, &json!({ "object": "run.mzML.gz" })).await;
        assert_eq!((analysed.status, &analysed.json()["summary"]["spectra"]), (StatusCode::CREATED, &json!(11)), "{analysed:?}");
    }
    let results = get(&server, &format!("/api/experiments/{id}/results")).await.json();
    assert_eq!(results.as_array().unwrap().len(), 1, "a second analysis replaces the first");
}
