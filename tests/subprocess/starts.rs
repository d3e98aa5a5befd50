//! Processes that do not begin to answer.

use http::StatusCode;
use mint_tests::{TestServer, eventually};
use serde_json::{Value, json};

use super::{Program, is_alive};

const EXITS: Program = Program::of("print('no licence found', file=sys.stderr, flush=True)\nsys.exit(3)\n");
const ABORTS: Program = Program::of("os.abort()\n");
const NEVER_LISTENS: Program = Program::of("print('pid', os.getpid(), flush=True)\nthreading.Event().wait()\n");
const NEVER_ANSWERS: Program = Program::of(
    "import socket\nlistener = socket.socket(socket.AF_UNIX)\nlistener.bind(sys.argv[1])\nlistener.listen(256)\n\
     print('pid', os.getpid(), flush=True)\nthreading.Event().wait()\n",
);

async fn installed(server: &TestServer, program: Program, slug: &str) -> Value {
    let operation = server.install(&program.bundle(slug)).await;
    assert_eq!(operation["status"], "failed", "{operation}");
    assert_eq!(operation["outcome"]["failure"]["phase"], "start", "{operation}");
    let shown = server.admin.plugin(slug).await;
    assert_eq!((&shown["state"], &shown["phase"]), (&json!("failed"), &json!("start")), "{shown}");
    let reply = server.admin.get(&format!("/api/{slug}/pid")).await;
    assert_eq!((reply.status, reply.code().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "plugin.not_ready"), "{reply:?}");
    shown
}

#[tokio::test]
async fn one_that_exits_at_once_fails_with_its_last_words() {
    let server = TestServer::start().await;
    let shown = installed(&server, EXITS, "exits").await;
    let reason = shown["reason"].as_str().unwrap();
    assert!(reason.contains("exited with code 3 before it answered") && reason.contains("no licence found"), "{reason}");
    assert_eq!(shown["log_excerpt"], json!(["no licence found"]));

    let shown = installed(&server, ABORTS, "aborts").await;
    assert!(shown["reason"].as_str().unwrap().contains("SIGABRT"), "{shown}");

    assert_eq!(server.admin.reload("exits").await["status"], "failed");
    assert_eq!(server.admin.uninstall("exits", "keep").await["status"], "done");
}

/// Takes the 30 s that a start may last.
#[tokio::test]
async fn one_that_never_answers_fails_when_its_time_is_up() {
    let server = TestServer::start().await;
    let (deaf, mute) =
        tokio::join!(installed(&server, NEVER_LISTENS, "never-listens"), installed(&server, NEVER_ANSWERS, "never-answers"));
    for shown in [deaf, mute] {
        let reason = shown["reason"].as_str().unwrap();
        assert!(reason.contains("did not answer on its socket within 30 s"), "{reason}");
        assert!(shown["hint"].as_str().unwrap().contains("HTTP/1.1 on the socket"), "{shown}");
        let line = shown["log_excerpt"][0].as_str().unwrap();
        let pid: Value = line.strip_prefix("pid ").unwrap().parse().unwrap();
        eventually("the end of the process", || async { (!is_alive(&pid)).then_some(()) }).await;
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_run_says_so() {
    let server = TestServer::start().await;
    for (slug, text, words) in [
        ("nowhere", "#!/nonexistent/interpreter\n", "cannot be started: No such file"),
        ("text", "just some text", "exited with code 127 before it answered"),
    ] {
        let description = json!({
            "plugin": { "slug": slug, "version": "1.0.0" },
            "process": { "executable": "bin/plugin", "args": ["{socket}"] },
        });
        let operation = server.install(&mint_tests::manifest(description, &[("bin/plugin", text.as_bytes())])).await;
        assert_eq!(operation["status"], "failed", "{operation}");
        let reason = server.admin.plugin(slug).await["reason"].as_str().unwrap().to_owned();
        assert!(reason.contains(words), "{reason}");
    }
}
