//! Files that are wrong: the refusal says where and why, and nothing is saved.

use http::StatusCode;
use mint_tests::{TestServer, bundle, eventually, resident_bytes};
use serde_json::{Value, json};

const RUN: &[u8] = include_bytes!("../data/example.mzML.gz");
const MIB: u64 = 1 << 20;

/// A run of one spectrum whose arrays have no length of their own.
fn mzml(declared: &str, array: &str) -> String {
    let binary = |kind: &str| {
        format!(
            r#"<binaryDataArray encodedLength="0"><cvParam accession="MS:1000523" name="64-bit float"/><cvParam accession="MS:1000576" name="no compression"/><cvParam accession="{kind}" name="array"/><binary>{array}</binary></binaryDataArray>"#
        )
    };
    format!(
        r#"<?xml version="1.0"?><mzML xmlns="http://psi.hupo.org/ms/mzml"><run><spectrumList count="1"><spectrum index="0" id="scan=1" defaultArrayLength="{declared}"><cvParam accession="MS:1000579" name="MS1 spectrum"/><cvParam accession="MS:1000511" name="ms level" value="1"/><cvParam accession="MS:1000127" name="centroid spectrum"/><scanList><scan><cvParam accession="MS:1000016" name="scan start time" value="1" unitAccession="UO:0000010"/></scan></scanList><binaryDataArrayList>{}{}</binaryDataArrayList></spectrum></spectrumList></run></mzML>"#,
        binary("MS:1000514"),
        binary("MS:1000515")
    )
}

fn bad_files() -> Vec<(&'static str, Vec<u8>, &'static [&'static str])> {
    let garbage: Vec<u8> = (0..100_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut damaged = RUN.to_vec();
    let middle = damaged.len() / 2;
    damaged[middle..middle + 64].iter_mut().for_each(|byte| *byte = !*byte);
    // Eight bytes each: ten gigabytes.
    let ten_gigabytes = mzml("1342177280", "AAAAAAAA8D8=");
    vec![
        ("garbage", garbage, &["not mzML"]),
        ("empty", Vec::new(), &["not mzML"]),
        ("truncated gzip", RUN[..middle].to_vec(), &["spectrum", "gzip"]),
        ("damaged gzip", damaged, &["byte"]),
        ("a web page", b"<html><body/></html>".to_vec(), &["not mzML", "<html>"]),
        ("a table", b"mz,intensity\n1,2\n".to_vec(), &["not mzML"]),
        ("ten gigabytes declared", ten_gigabytes.into_bytes(), &["spectrum 0", "scan=1", "1342177280"]),
        ("broken base64", mzml("1", "AAAA*AAA8D8=").into_bytes(), &["spectrum 0", "<binary>"]),
        ("cut off", mzml("1", "AAAAAAAA8D8=").into_bytes()[..600].to_vec(), &["spectrum 0", "truncated"]),
    ]
}

#[tokio::test]
async fn bad_files_are_refused_with_the_place_and_nothing_is_saved() {
    let server = TestServer::start().await;
    server.admin.installed(&bundle("lcms-features"), json!({})).await;
    let before = resident_bytes();
    for (name, file, words) in bad_files() {
        let id = server.admin.experiment(name).await;
        assert_eq!(server.admin.put(&format!("/api/experiments/{id}/objects/run"), file).await.status, StatusCode::CREATED);
        let reply = server.admin.post(&format!("/api/lcms-features/experiments/{id}/analyse"), &json!({ "object": "run" })).await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (StatusCode::UNPROCESSABLE_ENTITY, "validation.error"),
            "{name}: {reply:?}"
        );
        let refusal = reply.json();
        let message = refusal["message"].as_str().unwrap();
        for word in words {
            assert!(message.contains(word), "{name}: {word:?} is not in {message:?}");
        }
        assert!(refusal["details"]["byte"].is_u64(), "{name}: {refusal:#}");
        assert_eq!(server.admin.get(&format!("/api/experiments/{id}/results")).await.json(), json!([]), "{name}");
        let result = server.admin.get(&format!("/api/lcms-features/experiments/{id}/result")).await;
        assert_eq!(result.status, StatusCode::NOT_FOUND, "{name}: {result:?}");
    }
    let plugin = server.admin.plugin("lcms-features").await;
    assert_eq!(
        (&plugin["state"], &plugin["usage"]["plugin_faults"]),
        (&json!("ready"), &json!(0)),
        "bad files are no fault of the plugin"
    );
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 128 * MIB, "the server grew by {} MiB", grown / MIB);
}

#[tokio::test]
async fn bad_orders_are_refused() {
    let server = TestServer::start().await;
    server.admin.installed(&bundle("lcms-features"), json!({})).await;
    let id = server.admin.experiment("orders").await;
    server.admin.put(&format!("/api/experiments/{id}/objects/run"), RUN).await;
    let path = format!("/api/lcms-features/experiments/{id}/analyse");
    for (order, status) in [
        (json!({ "object": "none" }), 404),
        (json!({}), 422),
        (json!({ "object": "run", "ppm": -1 }), 422),
        (json!({ "object": "run", "ppm": 5000 }), 422),
        (json!({ "object": "run", "min_snr": "many" }), 422),
        (json!({ "object": "run", "surprise": 1 }), 422),
        (Value::Null, 422),
    ] {
        let reply = server.admin.post(&path, &order).await;
        assert_eq!(reply.status.as_u16(), status, "{order}: {reply:?}");
    }
    assert_eq!(
        server.admin.post("/api/lcms-features/experiments/999/analyse", &json!({ "object": "run" })).await.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        server.admin.post("/api/lcms-features/experiments/x/analyse", &json!({ "object": "run" })).await.status.as_u16(),
        422
    );
    assert_eq!(server.admin.get(&format!("/api/experiments/{id}/results")).await.json(), json!([]));
    // What was replaced since is analysed again, not mixed up.
    assert_eq!(server.admin.post(&path, &json!({ "object": "run" })).await.status, StatusCode::CREATED);
    server.admin.put(&format!("/api/experiments/{id}/objects/run"), "something else").await;
    let xic = eventually("the object to be replaced", || async {
        let reply = server.admin.get(&format!("/api/lcms-features/experiments/{id}/xic?mz=74.097")).await;
        (reply.status != StatusCode::OK).then_some(reply)
    });
    assert_eq!(xic.await.status, StatusCode::CONFLICT);
}
