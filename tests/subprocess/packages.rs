//! Plugins that need a venv: what uv cannot do is told in words, and what it made is shared.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path};

use http::StatusCode;
use mint_tests::{TestServer, bundle};
use serde_json::{Value, json};

use super::{
    Parts,
    wheels::{archive, bundle_of, wheel},
};

fn isolated() -> Value {
    json!({ "grant_requested": true, "mode": "isolated" })
}

async fn fails(server: &TestServer, guest: &mint_tests::Guest, slug: &str) -> Value {
    let operation = server.admin.install(guest, isolated()).await;
    assert_eq!(operation["status"], "failed", "{operation}");
    let shown = server.admin.plugin(slug).await;
    assert_eq!(shown["state"], "failed", "{shown}");
    assert!(!shown["hint"].as_str().unwrap().is_empty(), "{shown}");
    shown
}

fn excerpt(shown: &Value) -> String {
    shown["log_excerpt"].as_array().unwrap().iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_missing_uv_is_told_with_how_to_install_it() {
    let cache = tempfile::tempdir().unwrap();
    let cache = cache.path().display().to_string();
    let server = TestServer::with(&[("MINT_PLUGINS__UV__PATH", "/nonexistent/uv"), ("MINT_SERVER__CACHE_PATH", &cache)]).await;
    let shown = fails(&server, &bundle("notebook"), "notebook").await;
    assert_eq!(shown["phase"], "build venv");
    assert!(shown["reason"].as_str().unwrap().contains("`/nonexistent/uv`"), "{shown}");
    let hint = shown["hint"].as_str().unwrap();
    assert!(hint.contains("pip install uv") && hint.contains("reload"), "{hint}");
    assert_eq!(server.install(&bundle("hello-process")).await["status"], "done");
    assert_eq!(server.admin.get("/api/hello-process/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_requirement_that_does_not_resolve_fails_with_uvs_explanation() {
    let server = TestServer::with(&[("MINT_PLUGINS__UV__OFFLINE", "true")]).await;
    let own = wheel("wishful", &["no-such-package-of-mint>=99"], "");
    let shown = fails(&server, &bundle_of("wishful", &own, &[], None), "wishful").await;
    assert_eq!(shown["phase"], "build venv");
    assert!(shown["reason"].as_str().unwrap().contains("No solution found"), "{shown}");
    assert!(excerpt(&shown).contains("no-such-package-of-mint>=99"), "{}", excerpt(&shown));
}

#[tokio::test]
async fn offline_a_package_that_is_nowhere_is_named() {
    let server = TestServer::with(&[("MINT_PLUGINS__UV__OFFLINE", "true")]).await;
    let own = wheel("remote", &[], "");
    let locked = format!(
        "remote==1.0.0 --hash={}\nno-such-package-of-mint==1.0 --hash=sha256:{}\n",
        mint_domain::Digest::of(&own),
        "0".repeat(64)
    );
    let shown = fails(&server, &bundle_of("remote", &own, &[], Some(&locked)), "remote").await;
    assert!(shown["hint"].as_str().unwrap().contains("offline"), "{shown}");
    assert!(excerpt(&shown).contains("no-such-package-of-mint"), "{}", excerpt(&shown));
}

#[tokio::test]
async fn wheels_that_are_not_what_was_locked_are_refused() {
    let server = TestServer::with(&[("MINT_PLUGINS__UV__OFFLINE", "true")]).await;
    let own = wheel("changed", &[], "");
    let locked = format!("changed==1.0.0 --hash=sha256:{}\n", "1".repeat(64));
    let shown = fails(&server, &bundle_of("changed", &own, &[], Some(&locked)), "changed").await;
    assert!(shown["reason"].as_str().unwrap().contains("Hash mismatch"), "{shown}");
    assert!(shown["hint"].as_str().unwrap().contains("Ask the plugin's author"), "{shown}");
}

#[tokio::test]
async fn one_venv_serves_every_laboratory() {
    let server = TestServer::start().await;
    let stranger = server.other_tenant("other-lab").await;
    let mut lines = Vec::new();
    for client in [&server.admin, &stranger] {
        let operation = client.install(&bundle("notebook"), isolated()).await;
        assert_eq!(operation["status"], "done", "{operation}");
        let pid = client.plugin("notebook").await["runtime"]["pid"].clone();
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
        lines.push(line.split('\0').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(client.get("/api/notebook/").await.json()["user"], "admin");
    }
    assert!(lines[0][0].contains("/venvs/notebook/"), "{lines:?}");
    assert_eq!(lines[0][0], lines[1][0]);
    assert_ne!(lines[0], lines[1], "each has a socket of its own");
    assert!(is_linked(Path::new(&lines[0][0])), "packages stand on the disk once, in uv's cache");
    assert_eq!(server.admin.uninstall("notebook", "keep").await["status"], "done");
    assert_eq!(stranger.get("/api/notebook/").await.status, StatusCode::OK);
}

/// Whether a package of a venv is the one of uv's cache; or the file system has no links.
fn is_linked(interpreter: &Path) -> bool {
    let venv = interpreter.ancestors().nth(2).unwrap();
    let python = fs::read_dir(venv.join("lib")).unwrap().next().unwrap().unwrap().path();
    let file = python.join("site-packages/uvicorn/__init__.py");
    let probe = tempfile::tempdir_in(venv.parent().unwrap()).unwrap();
    let can_link = fs::hard_link(&file, probe.path().join("probe")).is_ok();
    probe.close().unwrap();
    !can_link || fs::metadata(&file).unwrap().nlink() > 1
}

const SULKY: &str = r#"
from mint_sdk import AnalysisPlugin, APIRouter, PluginMetadata

class Plugin(AnalysisPlugin):
    @property
    def metadata(self):
        return PluginMetadata(name="sulky", version="1.0.0", description="", analysis_type="x", routes_prefix="/sulky")

    async def initialize(self, context=None):
        raise RuntimeError("the spectrometer is not plugged in")

    def get_routers(self):
        return [(APIRouter(), "")]
"#;

#[tokio::test]
async fn a_python_plugin_that_fails_to_initialise_or_to_import_says_why() {
    let server = TestServer::start().await;
    let parts = Parts::of_notebook();
    let shown = fails(&server, &parts.with_plugin("sulky", SULKY), "sulky").await;
    assert_eq!(shown["phase"], "start");
    assert!(excerpt(&shown).contains("the spectrometer is not plugged in"), "{}", excerpt(&shown));
    let shown = fails(&server, &parts.with_plugin("crooked", "import nothing_of_this_name\n"), "crooked").await;
    assert!(excerpt(&shown).contains("nothing_of_this_name"), "{}", excerpt(&shown));
    let shown = fails(&server, &parts.with_plugin("empty", ""), "empty").await;
    assert!(excerpt(&shown).contains("Plugin"), "{}", excerpt(&shown));
}

const BACKEND: &str = r#"
import os
import zipfile

def build_wheel(directory, config_settings=None, metadata_directory=None):
    for place in ("SECRET", "KEPT"):
        try:
            with open(place, "a") as file:
                file.write("changed")
        except OSError:
            pass
    name = "sourced-1.0.0-py3-none-any.whl"
    with zipfile.ZipFile(f"{directory}/{name}", "w") as wheel:
        wheel.writestr("sourced.py", "")
        wheel.writestr("sourced-1.0.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: sourced\nVersion: 1.0.0\n")
        wheel.writestr("sourced-1.0.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("sourced-1.0.0.dist-info/RECORD", "")
    return name

def build_sdist(directory, config_settings=None):
    raise NotImplementedError
"#;

/// An index with a package that has no wheel, and builds itself without any other.
fn index_of_sources(directory: &std::path::Path) -> String {
    let page = directory.join("index/sourced");
    fs::create_dir_all(&page).unwrap();
    let project = "[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n\
                   [project]\nname = \"sourced\"\nversion = \"1.0.0\"\n";
    let metadata = "Metadata-Version: 2.2\nName: sourced\nVersion: 1.0.0\n";
    let secret = directory.join("secret").display().to_string();
    fs::write(&secret, "").unwrap();
    let backend = BACKEND.replace("SECRET", &secret).replace("KEPT", &format!("{secret}-of-my-own"));
    let files = [("pyproject.toml", project), ("backend.py", backend.as_str()), ("PKG-INFO", metadata)];
    let files = files.map(|(name, text)| (format!("sourced-1.0.0/{name}"), text));
    let sources = archive(files.iter().map(|(name, text)| (name.as_str(), text.as_bytes())));
    fs::write(page.join("sourced-1.0.0.zip"), sources).unwrap();
    fs::write(page.join("index.html"), "<a href=\"sourced-1.0.0.zip\">sourced-1.0.0.zip</a>").unwrap();
    format!("file://{}", directory.join("index").display())
}

#[tokio::test]
async fn a_package_without_a_wheel_is_built_only_where_an_administrator_allows_it() {
    let directory = tempfile::tempdir().unwrap();
    let index = index_of_sources(directory.path());
    let sdk = Parts::of_notebook().sdk;
    let own =
        wheel("built", &["mint-guest-sdk", "sourced"], &SULKY.replace("raise", "import sourced  #").replace("sulky", "built"));
    let guest = bundle_of("built", &own, &[(&sdk.0, &sdk.1)], None);
    for (allowed, status) in [("false", "failed"), ("true", "done")] {
        let cache = directory.path().join(allowed).display().to_string();
        let server = TestServer::with(&[
            ("MINT_PLUGINS__UV__EXTRA_INDEX_URLS", &index),
            ("MINT_PLUGINS__UV__SOURCE_BUILDS", allowed),
            ("MINT_SERVER__CACHE_PATH", &cache),
        ])
        .await;
        let operation = server.admin.install(&guest, isolated()).await;
        assert_eq!(operation["status"], status, "{operation:#}");
        let shown = server.admin.plugin("built").await;
        if status == "failed" {
            assert_eq!(shown["phase"], "build venv", "{shown:#}");
            assert!(shown["hint"].as_str().unwrap().contains("without compiling"), "{shown:#}");
        } else if shown["runtime"]["sandbox"]["files"]["on"] == json!(true) {
            assert!(!directory.path().join("secret-of-my-own").exists());
            assert_eq!(
                fs::read_to_string(directory.path().join("secret")).unwrap(),
                "",
                "what a package brings stays in its cage"
            );
        }
    }
}
