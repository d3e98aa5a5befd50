//! Bundles with wheels only: where those are pure and fit, the platform makes a component of them and runs it shared.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::SystemTime};

use http::StatusCode;
use mint_tests::{Client, Guest, TestServer, bundle, cache, python, repackaged};
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::subprocess::Parts;

/// The notebook without its component. What it says of itself makes one bundle another than the next.
fn wheels_only(display_name: &str) -> Guest {
    repackaged(&bundle("notebook"), |manifest| {
        manifest["plugin"]["display_name"] = display_name.into();
        let component = manifest.as_object_mut().unwrap().remove("component").unwrap();
        manifest["files"].as_object_mut().unwrap().remove(component.as_str().unwrap());
    })
}

async fn planned(client: &Client, guest: &Guest, decision: Value) -> Value {
    let form = Form::new().text("decision", decision.to_string()).part("bundle", Part::file(&guest.path).await.unwrap());
    let reply = client.send(client.request(http::Method::POST, "/api/plugins/plan").multipart(form)).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    reply.json()
}

fn granted(mode: Option<&str>) -> Value {
    json!({ "grant_requested": true, "mode": mode })
}

fn reason(shown: &Value) -> &str {
    shown["mode_reason"].as_str().unwrap()
}

/// When each component of a plugin was made, in the cache that tests share.
fn made(slug: &str) -> Vec<SystemTime> {
    let entries = fs::read_dir(cache().join("made").join(slug)).unwrap();
    let components = entries.map(|entry| entry.unwrap().path().join("plugin.wasm"));
    components.filter_map(|path| fs::metadata(path).ok()?.modified().ok()).collect()
}

#[tokio::test]
async fn pure_wheels_run_shared_for_every_laboratory() {
    let server = TestServer::start().await;
    let guest = wheels_only("Shared notebook");
    let plan = planned(&server.admin, &guest, json!({})).await;
    assert_eq!((&plan["mode"], &plan["plan"]["builds_component"]), (&json!("shared"), &json!(true)), "{plan:#}");
    assert!(plan["reason"].as_str().unwrap().contains("one is built of them at install"), "{plan:#}");
    let operation = server.install(&guest).await;
    let shown = server.admin.plugin("notebook").await;
    assert_eq!(operation["status"], "done", "{operation:#} {shown:#}");
    assert_eq!((&shown["mode"], &shown["mode_reason"]), (&plan["mode"], &plan["reason"]), "{shown:#}");
    let before = made("notebook");

    let stranger = server.other_tenant("other-lab").await;
    assert_eq!(stranger.install(&guest, granted(None)).await["status"], "done");
    assert_eq!(made("notebook"), before, "one component for all");
    for client in [&server.admin, &stranger] {
        assert_eq!(client.get("/api/notebook/").await.json()["user"], "admin");
        let id = client.experiment("one").await;
        let note = client.post(&format!("/api/notebook/experiments/{id}/notes"), &json!({ "text": "made here" })).await;
        assert_eq!(note.status, StatusCode::CREATED, "{note:?}");
        let stored = client.get(&format!("/api/experiments/{id}/results/notebook")).await.json();
        assert_eq!(stored["result"]["notes"][0]["text"], "made here");
    }
}

#[tokio::test]
async fn where_none_can_be_made_they_run_isolated_unless_forced() {
    let directory = tempfile::tempdir().unwrap();
    let nowhere = directory.path().join("nowhere").display().to_string();
    for (name, value, words) in [
        ("MINT_PLUGINS__COMPONENTS__MAKE", "false", "The configuration wants none to be made (plugins.components.make)"),
        ("MINT_PLUGINS__COMPONENTS__COMPONENTIZE_PY", nowhere.as_str(), "nowhere` has no componentize-py"),
    ] {
        let server = TestServer::with(&[(name, value)]).await;
        let guest = wheels_only("Notebook without a workshop");
        let plan = planned(&server.admin, &guest, json!({})).await;
        assert_eq!((&plan["mode"], &plan["plan"]["builds_component"]), (&json!("isolated"), &json!(false)), "{plan:#}");
        assert!(plan["reason"].as_str().unwrap().contains(words), "{plan:#}");
        let refused = server.admin.install(&guest, granted(Some("shared"))).await;
        assert_eq!(refused["status"], "undone", "{refused:#}");
        let message = refused["outcome"]["message"].as_str().unwrap();
        assert!(message.starts_with("Shared mode is forced, but") && message.contains(words), "{message}");
        assert_eq!(server.install(&guest).await["status"], "done");
        assert_eq!(server.admin.plugin("notebook").await["mode"], "isolated");
        assert_eq!(server.admin.get("/api/notebook/").await.json()["user"], "admin");
    }
}

/// A venv whose componentize-py is killed, as the kernel does when memory runs out.
fn deadly_venv(directory: &Path) -> String {
    let real = python().unwrap_or_else(|| "/usr/bin/python3".to_owned());
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in\n*--version) echo 'componentize-py 0.25.1' ;;\n*componentize_py*) kill -9 $$ ;;\n\
         *) exec {real} \"$@\" ;;\nesac\n"
    );
    let venv = directory.join("venv");
    fs::create_dir_all(venv.join("bin")).unwrap();
    fs::write(venv.join("bin/python"), script).unwrap();
    fs::set_permissions(venv.join("bin/python"), fs::Permissions::from_mode(0o755)).unwrap();
    venv.display().to_string()
}

#[tokio::test]
async fn a_build_that_is_cut_off_is_told_and_the_wheels_run_isolated() {
    let directory = tempfile::tempdir().unwrap();
    let venv = deadly_venv(directory.path());
    for (name, value, words) in [
        ("MINT_PLUGINS__COMPONENTS__SECONDS_MAX", "1", "stopped after the 1 s of plugins.components.secondsMax"),
        ("MINT_PLUGINS__COMPONENTS__COMPONENTIZE_PY", venv.as_str(), "was ended by SIGKILL"),
    ] {
        let server = TestServer::with(&[(name, value)]).await;
        let guest = wheels_only("Notebook that is cut off");
        let forced = server.admin.install(&guest, granted(Some("shared"))).await;
        assert_eq!(forced["status"], "failed", "{forced:#}");
        let shown = server.admin.plugin("notebook").await;
        assert_eq!((&shown["state"], &shown["phase"]), (&json!("failed"), &json!("make component")), "{shown:#}");
        assert!(shown["reason"].as_str().unwrap().contains(words), "{shown:#}");
        assert!(shown["hint"].as_str().unwrap().contains("Let it run isolated"), "{shown:#}");
        assert_eq!(server.admin.uninstall("notebook", "purge").await["status"], "done");

        let operation = server.install(&guest).await;
        assert_eq!(operation["status"], "done", "{operation:#}");
        let shown = server.admin.plugin("notebook").await;
        assert_eq!((&shown["state"], &shown["mode"]), (&json!("ready"), &json!("isolated")), "{shown:#}");
        assert!(reason(&shown).contains(words), "{shown:#}");
        assert_eq!(server.admin.get("/api/notebook/").await.json()["user"], "admin");
        assert_eq!(server.admin.reload("notebook").await["status"], "done");
        assert_eq!(server.admin.plugin("notebook").await["mode"], "isolated");
    }
}

/// A plugin that does something where it is loaded, and something where it is started.
fn plugin(slug: &str, on_load: &str, on_start: &str) -> String {
    format!(
        r#"
import sys
from mint_sdk import AnalysisPlugin, APIRouter, PluginMetadata
{on_load}

router = APIRouter()

@router.get("/")
async def where():
    return {{"platform": sys.platform}}

class Plugin(AnalysisPlugin):
    @property
    def metadata(self):
        return PluginMetadata(name="{slug}", version="1.0.0", description="", analysis_type="x", routes_prefix="/{slug}")

    async def initialize(self, context=None):
        {on_start}

    def get_routers(self):
        return [(router, "")]
"#
    )
}

#[tokio::test]
async fn a_component_that_cannot_be_loaded_or_started_gives_way_to_a_process() {
    let (server, parts) = (TestServer::start().await, Parts::of_notebook());
    for (slug, on_load, on_start, words) in [
        ("needs-sockets", "import ssl", "pass", "ModuleNotFoundError"),
        (
            "needs-threads",
            "",
            "import threading; threading.Thread(target=print).start()",
            "One was made of them and did not start",
        ),
    ] {
        let guest = parts.with_plugin(slug, &plugin(slug, on_load, on_start));
        assert_eq!(planned(&server.admin, &guest, json!({})).await["mode"], "shared");
        let operation = server.install(&guest).await;
        let shown = server.admin.plugin(slug).await;
        assert_eq!(operation["status"], "done", "{operation:#} {shown:#}");
        assert_eq!((&shown["state"], &shown["mode"]), (&json!("ready"), &json!("isolated")), "{shown:#}");
        assert!(reason(&shown).contains(words), "{shown:#}");
        assert_eq!(server.admin.get(&format!("/api/{slug}/")).await.json()["platform"], "linux");
    }
    // One that starts nowhere fails as any other does, and may run shared once it is mended.
    let guest = parts.with_plugin("hopeless", &plugin("hopeless", "", "raise RuntimeError('no licence')"));
    assert_eq!(server.install(&guest).await["status"], "failed");
    let shown = server.admin.plugin("hopeless").await;
    assert_eq!((&shown["state"], &shown["mode"]), (&json!("failed"), &json!("shared")), "{shown:#}");
    assert!(shown["reason"].as_str().unwrap().contains("Shared, it failed before: "), "{shown:#}");

    let guest = parts.with_plugin("plain", &plugin("plain", "", "pass"));
    assert_eq!(server.install(&guest).await["status"], "done");
    assert_eq!(server.admin.get("/api/plain/").await.json()["platform"], "wasi");
}
