//! Projects that the real `mint init` scaffolds and the real `mint build` bundles, without a line changed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use http::StatusCode;
use mint_tests::{Client, Guest, TestServer, eventually, uv};
use serde_json::json;
use tempfile::TempDir;

use super::sdk_fixture::find_python;

/// MINT's own command line.
const MINT: &str = "mint-sdk[cli]==1.2.10";
const PYTHON: &str = ">=3.12,<3.14";
/// In the place of a built front-end: the SDK for it is not in the registry in this version.
const PAGE: &str = "<!doctype html><title>Peaks</title>";

/// A scaffolded project.
struct Scaffold {
    directory: TempDir,
    python: String,
}

impl Scaffold {
    /// Makes one. None where no Python fits, said aloud.
    fn of(name: &str, options: &[&str]) -> Option<Self> {
        let python = find_python(PYTHON, "`mint init` of mint-sdk 1.2.10")?;
        let scaffold = Self { directory: tempfile::tempdir().unwrap(), python };
        let fixed = ["--yes", "--no-git", "--no-install", "--ai-assistant", "none", "--author", "A", "--email", "a@example.org"];
        scaffold.mint(&[&["init", "project", "--name", name, "--description", "Finds peaks."], options, &fixed].concat());
        Some(scaffold)
    }

    fn project(&self) -> PathBuf {
        self.directory.path().join("project")
    }

    /// Its bundle. The project's own tests run before it is built.
    fn build(&self) -> Guest {
        self.mint(&["build", "project", "--no-frontend"]);
        let mut made = fs::read_dir(self.directory.path().join("dist")).unwrap().map(|entry| entry.unwrap().path());
        Guest::at(made.find(|path| path.extension().is_some_and(|extension| extension == "mint")).unwrap())
    }

    #[expect(clippy::disallowed_methods, reason = "runs MINT's own command line, as an author would")]
    fn mint(&self, arguments: &[&str]) {
        let uv = uv();
        let mut command = Command::new(&uv);
        command.args(["tool", "run", "--no-python-downloads", "--from", MINT, "mint"]).args(arguments);
        command.current_dir(&self.directory).env("UV_PYTHON", &self.python);
        // `mint build` calls uv by name.
        if let Some(directory) = Path::new(&uv).parent() {
            let path = std::env::var_os("PATH").unwrap_or_default();
            let both = std::iter::once(directory.to_owned()).chain(std::env::split_paths(&path));
            command.env("PATH", std::env::join_paths(both).unwrap());
        }
        let output = command.output().unwrap();
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        assert!(output.status.success(), "mint {arguments:?}: {said}");
    }
}

async fn installed(scaffold: &Scaffold, slug: &str) -> TestServer {
    let guest = scaffold.build();
    let server = TestServer::with(&[("MINT_PLUGINS__UV__PYTHON", &scaffold.python)]).await;
    let operation = server.install(&guest).await;
    let shown = server.admin.plugin(slug).await;
    assert_eq!(operation["status"], "done", "{operation:#} {shown:#}");
    assert_eq!((&shown["state"], &shown["mode"]), (&json!("ready"), &json!("isolated")), "{shown:#}");
    server
}

#[tokio::test]
async fn a_generated_project_runs_its_job() {
    let Some(scaffold) = Scaffold::of("Peak Finder", &[]) else { return };
    let server = installed(&scaffold, "mint-plugin-peak-finder").await;
    let (member, base) = (server.client("member").await, "/api/mint-plugin-peak-finder");
    let runtime = member.get(&format!("{base}/_mint/runtime")).await;
    assert_eq!((runtime.status, &runtime.json()["name"]), (StatusCode::OK, &json!("peak-finder")), "{runtime:?}");
    let manifest = member.get(&format!("{base}/generated/manifest")).await;
    assert_eq!(manifest.status, StatusCode::OK, "{manifest:?}");
    let session = member.post(&format!("{base}/jobs/sessions"), &json!({ "tab_id": "one" })).await;
    let job = json!({
        "definition_id": "analyze", "inputs": { "value": 2.5 }, "session_id": session.json()["id"], "client_request_id": "one",
    });
    let begun = member.post(&format!("{base}/jobs"), &job).await;
    assert_eq!(begun.status, StatusCode::OK, "{begun:?}");
    let path = format!("{base}/jobs/{}", begun.json()["id"].as_str().unwrap());
    let job = eventually("the job to end", || async {
        let job = member.get(&path).await.json();
        (job["status"] != "running" && job["status"] != "queued").then_some(job)
    })
    .await;
    assert_eq!(job["status"], "completed", "{job:#}");
    let result = member.get(&format!("{path}/result")).await;
    assert!(result.text().contains("\"doubled\":5.0"), "{result:?}");
    let nobody = Client::anonymous(&server.url).get(&format!("{base}/jobs")).await;
    assert_eq!(nobody.status, StatusCode::UNAUTHORIZED, "{nobody:?}");
}

#[tokio::test]
async fn a_standard_project_answers_its_routes() {
    let Some(scaffold) = Scaffold::of("Peak Tools", &["--mode", "standard", "--type", "full"]) else { return };
    let pages = scaffold.project().join("frontend/dist");
    fs::create_dir_all(&pages).unwrap();
    fs::write(pages.join("index.html"), PAGE).unwrap();
    let server = installed(&scaffold, "mint-plugin-peak-tools").await;
    let (member, base) = (server.client("member").await, "/api/mint-plugin-peak-tools");
    let health = member.get(&format!("{base}/health")).await;
    assert_eq!((health.status, health.json()), (StatusCode::OK, json!({ "status": "healthy", "plugin": "peak-tools" })));
    let analyze = format!("{base}/analyze");
    let doubled = member.post(&analyze, &json!({ "value": 2.5 })).await;
    assert_eq!((doubled.status, doubled.json()), (StatusCode::OK, json!({ "input": 2.5, "doubled": 5.0 })));
    assert_eq!(member.post(&analyze, &json!({ "value": "x" })).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(Client::anonymous(&server.url).get(&format!("{base}/health")).await.status, StatusCode::UNAUTHORIZED);
}
