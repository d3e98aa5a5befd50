//! The front-end of a plugin on MINT's own SDK, as its build puts it into the wheel.

use http::StatusCode;
use mint_tests::{Browser, TestServer};
use serde_json::json;

use super::sdk_fixture::Fixture;

const FILES: &[(&str, &str)] = &[
    ("index.html", "<!doctype html><title>from the wheel</title>"),
    ("assets/index-DiwrgTda.js", "console.log(1)"),
    ("own/index.html", "<!doctype html><title>from its own place</title>"),
];
const ROUTES: &str = "    def get_routers(self):";
const OWN_PLACE: &str = "    def get_frontend_dir(self):\n        return os.path.join(os.path.dirname(__file__), \"frontend/own\")\n\n    def get_routers(self):";

#[tokio::test]
async fn the_page_of_a_wheel_is_served_by_the_host() {
    let fixture = || Fixture::of("mint_sdk_1_2_10").in_format_of_mint().with_frontend(FILES);
    let second = fixture().release("2.0.0").edited(ROUTES, OWN_PLACE);
    let fixture = fixture();
    let Some(python) = fixture.python() else { return };
    let server = TestServer::with(&[("MINT_PLUGINS__UV__PYTHON", &python)]).await;
    let operation = server.admin.install(&fixture.bundle(), json!({ "grants": fixture.grants() })).await;
    assert_eq!(operation["status"], "done", "{operation:#}");
    let slug = fixture.slug();
    let (browser, path) = Browser::enter(&server.client("member").await, &format!("/{slug}/")).await;
    let page = browser.get(&path).await;
    assert!(page.status == StatusCode::OK && page.text().contains("from the wheel"), "{page:?}");
    assert_eq!(page.header("cache-control"), "no-store");
    assert!(page.text().contains("<script src=\"/_mint/platform.js\"></script>"), "{page:?}");
    let told = browser.get("/_mint/platform.js").await;
    assert_eq!((told.status, told.header("content-type")), (StatusCode::OK, "text/javascript; charset=utf-8"), "{told:?}");
    let told = told.text();
    let told = told.strip_prefix("window.__MINT_PLATFORM__ = ").and_then(|rest| rest.strip_suffix(";\n")).unwrap();
    let told: serde_json::Value = serde_json::from_str(told).unwrap();
    assert_eq!((&told["isIntegrated"], &told["plugin"]["id"]), (&json!(true), &json!(slug)), "{told:#}");
    assert_eq!(told["plugin"]["api_prefix"], format!("/api/{slug}"), "{told:#}");
    assert_eq!((&told["user"]["username"], &told["features"]["admin"]), (&json!("member"), &json!(false)), "{told:#}");
    assert_eq!(told["platformOrigin"], browser.platform(), "{told:#}");
    let script = browser.get(&format!("/{slug}/assets/index-DiwrgTda.js")).await;
    assert!(script.header("cache-control").ends_with("immutable"), "{script:?}");
    assert_eq!(script.header("x-mint-frontend-revision"), page.header("x-mint-frontend-revision"));
    let runtime = browser.get(&format!("/api/{slug}/_mint/runtime")).await;
    assert_eq!((runtime.status, &runtime.json()["name"]), (StatusCode::OK, &json!(slug)), "{runtime:?}");

    let done = server.admin.upgrade(slug, &second.bundle(), &json!({})).await;
    assert_eq!(done["status"], "done", "{done:#}");
    let page = browser.get(&path).await;
    assert!(page.status == StatusCode::OK && page.text().contains("from its own place"), "{page:?}");
    // What is gone is a path like any other that the page may know.
    let gone = browser.get(&format!("/{slug}/assets/index-DiwrgTda.js")).await;
    assert!(gone.text().contains("from its own place"), "{gone:?}");
    assert_eq!(gone.header("cache-control"), "no-store");
}
