//! Python plugins whose imports stay in memory: a process is a copy, and for whoever uses it like any other.

use http::StatusCode;
use mint_tests::{Client, TestServer, eventually};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::{Parts, is_alive};

const TELLS: &str = r#"
import os
import random
import sys
import threading

from mint_sdk import AnalysisPlugin, APIRouter, PluginMetadata

SECRET_AT_IMPORT = "MINT_PLUGIN_TOKEN" in os.environ

class Plugin(AnalysisPlugin):
    @property
    def metadata(self):
        return PluginMetadata(name="tells", version="1.0.0", description="", analysis_type="x", routes_prefix="/SLUG")

    def get_routers(self):
        router = APIRouter()

        @router.get("/tell")
        async def tell():
            return {
                "pid": os.getpid(), "parent": os.getppid(), "session": os.getsid(0), "random": random.random(),
                "token": os.environ["MINT_PLUGIN_TOKEN"][:8], "early": SECRET_AT_IMPORT, "input": os.readlink("/proc/self/fd/0")
                if os.access("/proc/self/fd/0", os.R_OK) else "/dev/null",
            }

        @router.get("/leave")
        async def leave():
            if (child := os.fork()) == 0:
                os.setsid()
                while True:
                    threading.Event().wait()
            return {"pid": child}

        return [(router, "")]
"#;
const THREADS: &str = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n";

async fn serving(idle_seconds: &str) -> TestServer {
    TestServer::with(&[("MINT_PLUGINS__WARM_PARENT", "true"), ("MINT_PLUGINS__IDLE_SECONDS", idle_seconds)]).await
}

async fn install(server: &TestServer, slug: &str, source: &str) {
    let bundle = Parts::of_notebook().with_plugin(slug, &source.replace("SLUG", slug));
    let operation = server.admin.install(&bundle, json!({ "grant_requested": true, "mode": "isolated" })).await;
    assert_eq!(operation["status"], "done", "{operation:#}");
}

async fn told(client: &Client, slug: &str) -> Value {
    let reply = client.get(&format!("/api/{slug}/tell")).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    reply.json()
}

async fn gone(pid: &Value) {
    eventually("the end of a process", || async { (!is_alive(pid)).then_some(()) }).await;
}

#[tokio::test]
async fn every_start_is_a_copy_with_a_secret_of_its_own() {
    let mut server = serving("1").await;
    install(&server, "tells", TELLS).await;
    let admin = &server.admin;
    let first = told(admin, "tells").await;
    let parent = admin.plugin("tells").await["runtime"]["warm_parent"]["pid"].clone();
    assert_eq!((&first["parent"], &first["session"]), (&parent, &first["pid"]), "{first}");
    assert_eq!((&first["early"], &first["input"]), (&json!(false), &json!("/dev/null")));
    let left = admin.get("/api/tells/leave").await.json()["pid"].clone();
    gone(&first["pid"]).await;
    gone(&left).await;
    assert!(is_alive(&parent));

    let second = told(admin, "tells").await;
    assert_eq!(second["parent"], parent);
    for own in ["pid", "token", "random"] {
        assert_ne!(first[own], second[own], "{own}");
    }
    assert_eq!(admin.reload("tells").await["status"], "done");
    gone(&parent).await;
    let shown = admin.plugin("tells").await;
    let parent = shown["runtime"]["warm_parent"]["pid"].clone();
    server.stop().await;
    assert!(!is_alive(&parent));
}

#[tokio::test]
async fn a_copy_ends_with_what_it_is_copied_from_and_both_are_replaced() {
    let server = serving("0").await;
    install(&server, "tells", TELLS).await;
    let admin = &server.admin;
    let first = told(admin, "tells").await;
    kill_process(Pid::from_raw(first["parent"].as_i64().unwrap() as i32).unwrap(), Signal::KILL).unwrap();
    gone(&first["pid"]).await;
    let second = eventually("another process", || async {
        let reply = admin.get("/api/tells/tell").await;
        (reply.status == StatusCode::OK).then(|| reply.json())
    })
    .await;
    assert!(second["parent"] != first["parent"] && is_alive(&second["parent"]), "{second}");
    let runtime = admin.plugin("tells").await["runtime"].clone();
    assert_eq!(runtime["restarts"], 1, "{runtime}");
    assert!(runtime["last_exit"]["how"].as_str().unwrap().contains("SIGKILL"), "{runtime}");
}

#[tokio::test]
async fn a_plugin_that_starts_threads_when_it_is_imported_is_started_plainly() {
    let server = serving("1").await;
    install(&server, "threads", &format!("{THREADS}{TELLS}")).await;
    let admin = &server.admin;
    for _ in 0..2 {
        let told = told(admin, "threads").await;
        assert_eq!(told["parent"], std::process::id(), "{told}");
        assert_eq!(admin.plugin("threads").await["runtime"]["warm_parent"]["pid"], Value::Null);
        gone(&told["pid"]).await;
    }
}
