//! Files that are no bundles, or no longer: refused by name, and nothing stays.

use http::StatusCode;
use mint_tests::{Guest, Reply, TestServer, bundle};
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

const DIRECTORY_ENTRY: &[u8] = b"PK\x01\x02";
const LOCAL_HEADER: &[u8] = b"PK\x03\x04";
const DESCRIPTOR: &[u8] = b"PK\x07\x08";

async fn upload(server: &TestServer, bytes: Vec<u8>) -> Reply {
    let form = Form::new()
        .text("decision", json!({ "grant_requested": true }).to_string())
        .part("bundle", Part::bytes(bytes).file_name("x.mint"));
    server.admin.send(server.admin.request(http::Method::POST, "/api/plugins/upload").multipart(form)).await
}

/// What is said of a file that is refused, at once or by the operation.
async fn refusal(server: &TestServer, bytes: Vec<u8>) -> String {
    let reply = upload(server, bytes).await;
    let (code, message) = if reply.status == StatusCode::ACCEPTED {
        let operation = server.admin.ended(&reply.json()).await;
        assert_eq!(operation["status"], "undone", "{operation:#}");
        (operation["outcome"]["code"].clone(), operation["outcome"]["message"].clone())
    } else {
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{reply:?}");
        (Value::from(reply.code()), reply.json()["message"].clone())
    };
    assert_eq!(code, "VALIDATION_ERROR", "{message}");
    assert_eq!(server.admin.get("/api/plugins").await.json()["installed"], json!([]), "{message}");
    message.as_str().unwrap().to_owned()
}

fn positions(bytes: &[u8], signature: &[u8]) -> Vec<usize> {
    bytes.windows(signature.len()).enumerate().filter(|(_, window)| *window == signature).map(|(at, _)| at).collect()
}

/// The bundle with another unpacked size of its component in every place that tells it.
fn with_size(guest: &Guest, change: impl Fn(u32) -> u32) -> Vec<u8> {
    let mut bytes = std::fs::read(&guest.path).unwrap();
    let own = |at: usize, name_at: usize, bytes: &[u8]| bytes[at + name_at..].starts_with(b"plugin.wasm");
    let directory = positions(&bytes, DIRECTORY_ENTRY).into_iter().filter(|at| own(*at, 46, &bytes)).map(|at| at + 24);
    let local = positions(&bytes, LOCAL_HEADER).into_iter().filter(|at| own(*at, 30, &bytes)).map(|at| at + 22);
    let fields: Vec<usize> = directory.chain(local).collect();
    assert_eq!(
        (fields.len(), positions(&bytes, DESCRIPTOR).len()),
        (2, 0),
        "the bundle is not put together as this test expects"
    );
    for field in fields {
        let size = u32::from_le_bytes(bytes[field..field + 4].try_into().unwrap());
        bytes[field..field + 4].copy_from_slice(&change(size).to_le_bytes());
    }
    bytes
}

#[tokio::test]
async fn what_is_no_zip_file_is_refused() {
    let server = TestServer::start().await;
    for bytes in [Vec::new(), b"hello".to_vec(), vec![0; 100_000], b"PK\x05\x06".to_vec()] {
        let said = refusal(&server, bytes).await;
        assert!(said.contains("not a bundle that can be installed") && said.contains("zip"), "{said}");
    }
}

#[tokio::test]
async fn a_truncated_bundle_is_refused() {
    let server = TestServer::start().await;
    let whole = std::fs::read(bundle("hello").path).unwrap();
    for kept in [whole.len() - 1, whole.len() / 2, 100] {
        let said = refusal(&server, whole[..kept].to_vec()).await;
        assert!(said.contains("not a bundle that can be installed"), "{said}");
    }
    let mut longer = whole.clone();
    longer.extend_from_slice(b"something after the end");
    refusal(&server, longer).await;
    assert_eq!(upload(&server, whole).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn an_altered_bundle_is_refused_naming_the_entry() {
    let server = TestServer::start().await;
    let whole = std::fs::read(bundle("hello").path).unwrap();
    let header = positions(&whole, LOCAL_HEADER).into_iter().find(|at| whole[at + 30..].starts_with(b"plugin.wasm")).unwrap();
    let field = |at: usize| usize::from(u16::from_le_bytes(whole[header + at..header + at + 2].try_into().unwrap()));
    let packed = u32::from_le_bytes(whole[header + 18..header + 22].try_into().unwrap()) as usize;
    let start = header + 30 + field(26) + field(28);
    for at in [start + packed / 10, start + packed / 2, start + packed - 10] {
        let mut altered = whole.clone();
        altered[at] ^= 0x40;
        let said = refusal(&server, altered).await;
        assert!(said.contains("plugin.wasm"), "byte {at}: {said}");
    }
    assert_eq!(std::fs::read_dir(server.data.join("releases")).unwrap().count(), 0, "nothing of them stays");
}

#[tokio::test]
async fn a_bundle_that_unpacks_to_more_or_less_than_it_says_is_refused() {
    let server = TestServer::start().await;
    let guest = bundle("hello");
    for (bytes, words) in [
        (with_size(&guest, |size| size / 2), "plugin.wasm"),
        (with_size(&guest, |size| size - 1), "plugin.wasm"),
        (with_size(&guest, |size| size + 1), "plugin.wasm"),
        (with_size(&guest, |_| 600 << 20), "larger than"),
        (with_size(&guest, |_| 500 << 20), "too tightly"),
    ] {
        let said = refusal(&server, bytes).await;
        assert!(said.contains(words), "{said}");
    }
    assert_eq!(std::fs::read_dir(server.data.join("releases")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_form_that_is_not_the_right_one_is_refused() {
    let server = TestServer::start().await;
    let part = || Part::bytes(b"x".as_slice()).file_name("x.mint");
    for form in [
        Form::new(),
        Form::new().text("decision", "{}"),
        Form::new().part("other", part()),
        Form::new().text("decision", "{").part("bundle", part()),
    ] {
        let reply = server.admin.send(server.admin.request(http::Method::POST, "/api/plugins/upload").multipart(form)).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{reply:?}");
    }
    let plain = server.admin.send(server.admin.request(http::Method::POST, "/api/plugins/upload").body("x")).await;
    assert_eq!(plain.status, StatusCode::BAD_REQUEST, "{plain:?}");
    assert_eq!(std::fs::read_dir(server.data.join("_uploads")).unwrap().count(), 0, "no upload stays");
}
