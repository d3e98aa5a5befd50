//! What a plugin's process can reach, and that this is what is shown.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
};

use mint_tests::{Guest, TestServer, eventually};
use serde_json::{Value, json};

use super::{Parts, Program};

/// The prisoner, which asks for these capabilities.
pub(crate) fn prisoner(slug: &str, capabilities: &[&str]) -> Guest {
    let capabilities: Vec<_> = capabilities.iter().map(|name| json!({ "name": name })).collect();
    Program::PRISONER.bundle_with(slug, json!({ "capabilities": capabilities }))
}

/// How the attempts of a prisoner ended: the name of an error, or `{"done": …}`.
pub(crate) async fn tries(server: &TestServer, slug: &str, attempts: Value) -> Vec<Value> {
    let reply = server.admin.post(&format!("/api/{slug}/try"), &attempts).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()["answers"].as_array().unwrap().clone()
}

/// Whether a control holds, as it is shown. Where it does not, the reason is told, and the test goes on without it.
pub(crate) async fn holds(server: &TestServer, slug: &str, control: &str) -> bool {
    let shown = server.admin.plugin(slug).await["runtime"]["sandbox"][control].clone();
    let detail = shown["detail"].as_str().unwrap_or_else(|| panic!("no control `{control}` is shown")).to_owned();
    assert!(!detail.is_empty());
    let on = shown["on"] == true;
    if !on {
        eprintln!("SKIPPED: this machine does not hold `{control}`: {detail}");
    }
    on
}

#[tokio::test]
async fn every_control_is_shown_with_its_reason() {
    let server = TestServer::start().await;
    server.install(&prisoner("prisoner", &[])).await;
    let shown = server.admin.plugin("prisoner").await["runtime"]["sandbox"].clone();
    let names: Vec<&str> = shown.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["cgroup", "files", "limits", "network", "privileges", "session", "signals", "syscalls", "user"]);
    for control in ["limits", "privileges", "session"] {
        assert!(holds(&server, "prisoner", control).await, "{shown:#}");
    }
    assert!(!holds(&server, "prisoner", "user").await, "no user ids are configured");
    let landlock = fs::read_to_string("/sys/kernel/security/lsm").map(|lsm| lsm.contains("landlock"));
    assert!(landlock.is_err() || landlock.unwrap() == holds(&server, "prisoner", "files").await, "{shown:#}");
}

#[tokio::test]
async fn it_leads_a_session_without_privileges_and_gives_way_to_the_server() {
    let server = TestServer::start().await;
    server.install(&prisoner("prisoner", &[])).await;
    let seccomp = holds(&server, "prisoner", "syscalls").await;
    let answers = tries(&server, "prisoner", json!([["status"], ["ids"], ["gives_way"]])).await;
    let [status, ids, gives_way] = &answers[..] else { panic!("three answers") };
    assert_eq!(gives_way["done"], true);
    let status = &status["done"];
    assert_eq!((&status["NoNewPrivs"], &status["CapEff"]), (&json!("1"), &json!("0000000000000000")), "{status:#}");
    assert_eq!((&status["CapPrm"], &status["CapInh"]), (&status["CapEff"], &status["CapEff"]));
    assert_eq!(status["Seccomp"], if seccomp { "2" } else { "0" });
    let [pid, group, session, _] = &ids["done"].as_array().unwrap()[..] else { panic!("four ids") };
    assert_eq!((group, session), (pid, pid));
}

#[tokio::test]
async fn its_files_are_its_own_and_written_only_where_that_is_granted() {
    let server = TestServer::start().await;
    server.install(&prisoner("owner", &["files"])).await;
    server.install(&prisoner("reader", &[])).await;
    if !holds(&server, "owner", "files").await {
        return;
    }
    let home = |slug: &str| server.data.join("plugin-data/default").join(slug);
    fs::write(home("reader").join("old"), "kept").unwrap();
    let answers = |slug: &'static str| {
        let attempts = json!([
            ["write", home(slug).join("new")],
            ["make", home(slug).join("directory")],
            ["semaphore"],
            ["run", "/bin/echo", "works"],
            ["list", "/proc/self/fd"],
            ["read", "/proc/cpuinfo"],
        ]);
        tries(&server, slug, attempts)
    };
    let owner = answers("owner").await;
    assert!(owner.iter().all(|answer| answer.get("done").is_some()), "{owner:?}");
    let reader = answers("reader").await;
    assert_eq!(&reader[..2], [json!("EACCES"), json!("EACCES")]);
    assert!(reader[2..].iter().all(|answer| answer.get("done").is_some()), "{reader:?}");
    let old = home("reader").join("old");
    let temporary = tries(&server, "reader", json!([["environment", "TMPDIR"]])).await[0]["done"].as_str().unwrap().to_owned();
    let there = format!("{temporary}/x");
    let answers = tries(&server, "reader", json!([["read", old], ["write", there], ["read", there], ["remove", there]])).await;
    assert_eq!(answers[..2], [json!({ "done": 4 }), json!({ "done": 1 })]);
    assert!(answers[2..].iter().all(|answer| answer.get("done").is_some()), "{answers:?}");
}

#[tokio::test]
async fn it_reaches_the_platform_and_what_is_granted() {
    let server = TestServer::start().await;
    let granted = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let [granted_port, other_port] = [&granted, &other].map(|listener| listener.local_addr().unwrap().port());
    server.install(&prisoner("hermit", &[])).await;
    server.install(&prisoner("caller", &[&format!("http:localhost:{granted_port}")])).await;

    let inet = [2, 10];
    let datagrams = json!(inet.map(|family| json!(["socket", family, 2])));
    let to = |port: u16| json!(["connect", "127.0.0.1", port]);
    for slug in ["hermit", "caller"] {
        let url = tries(&server, slug, json!([["environment", "MINT_PLATFORM_URL"]])).await[0]["done"].clone();
        let port: u16 = url.as_str().unwrap().rsplit_once(':').unwrap().1.parse().unwrap();
        assert_eq!(tries(&server, slug, json!([to(port)])).await, [json!({ "done": true })], "{slug}");
        if holds(&server, slug, "syscalls").await {
            // Netlink, packets, VSOCK; and MPTCP, which is not the TCP that is held.
            let families =
                tries(&server, slug, json!([["socket", 16, 3], ["socket", 17, 3], ["socket", 40, 1], ["socket", 2, 1, 262]]))
                    .await;
            assert!(families.iter().all(|answer| answer == "EACCES"), "{slug}: {families:?}");
            assert!(tries(&server, slug, datagrams.clone()).await.iter().all(|answer| *answer == "EACCES"), "{slug}");
        }
    }
    if holds(&server, "hermit", "network").await {
        let answers = tries(&server, "hermit", json!([to(granted_port), to(other_port), ["interfaces"]])).await;
        assert_eq!(answers[..2], [json!("ECONNREFUSED"), json!("ECONNREFUSED")], "nobody stands in its network");
        assert!(answers[2] == json!({ "done": ["lo"] }) || answers[2] == "EACCES", "{answers:?}");
        let far = tries(&server, "hermit", json!([["connect", "192.0.2.1", 443]])).await;
        assert_eq!(far, [json!("ENETUNREACH")]);
    } else if server.admin.plugin("hermit").await["runtime"]["sandbox"]["network"]["detail"].to_string().contains("TCP to port") {
        let answers = tries(&server, "hermit", json!([to(granted_port), to(other_port), ["bind", 0]])).await;
        assert!(answers.iter().all(|answer| answer == "EACCES"), "{answers:?}");
    }
    if holds(&server, "caller", "network").await {
        // What is granted is reached by the proxy, and by no other way.
        let answers = tries(&server, "caller", json!([to(granted_port), to(other_port), ["connect", "192.0.2.1", 443]])).await;
        assert_eq!(answers, [json!("ECONNREFUSED"), json!("ECONNREFUSED"), json!("ENETUNREACH")]);
    }
}

#[tokio::test]
async fn what_is_required_and_missing_refuses_the_start_in_words() {
    let server = TestServer::with(&[("MINT_PLUGINS__SANDBOX__REQUIRE", "limits, user")]).await;
    let operation = server.install(&prisoner("prisoner", &[])).await;
    assert_eq!(operation["status"], "failed", "{operation:#}");
    let shown = server.admin.plugin("prisoner").await;
    assert_eq!((&shown["state"], &shown["phase"]), (&json!("failed"), &json!("sandbox")), "{shown:#}");
    let (reason, hint) = (shown["reason"].as_str().unwrap(), shown["hint"].as_str().unwrap());
    assert!(reason.contains("`user` is off") && !reason.contains("`limits`"), "{reason}");
    assert!(hint.contains("plugins.sandbox.users") && hint.contains("plugins.sandbox.require"), "{hint}");

    let server = TestServer::with(&[("MINT_PLUGINS__SANDBOX__REQUIRE", "limits, privileges, session")]).await;
    assert_eq!(server.install(&prisoner("prisoner", &[])).await["status"], "done");
}

/// Its class is loaded when its venv is built, before it is ever started.
const EAGER: &str = r#"
import socket
from mint_sdk import AnalysisPlugin, APIRouter, PluginMetadata

for attempt in (lambda: open("FILE", "w"), lambda: open(__file__, "a"), lambda: socket.create_connection(("127.0.0.1", PORT), 1)):
    try:
        attempt()
    except OSError as error:
        print("refused", error.errno, flush=True)

class Plugin(AnalysisPlugin):
    @property
    def metadata(self):
        return PluginMetadata(name="eager", version="1.0.0", description="", analysis_type="x", routes_prefix="/eager")

    def get_routers(self):
        return [(APIRouter(), "")]
"#;

#[tokio::test]
async fn a_plugin_that_is_only_described_is_held_too() {
    let server = TestServer::start().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let escaped = server.data.join("escaped");
    let port = listener.local_addr().unwrap().port().to_string();
    let code = EAGER.replace("FILE", &escaped.display().to_string()).replace("PORT", &port);
    let guest = Parts::of_notebook().with_plugin("eager", &code);
    let operation = server.admin.install(&guest, json!({ "grant_requested": true, "mode": "isolated" })).await;
    assert_eq!(operation["status"], "done", "{operation:#}");
    if holds(&server, "eager", "files").await {
        assert!(!escaped.exists());
        let log = server.admin.plugin("eager").await["log"].to_string();
        assert!(log.matches("refused 13").count() >= 2, "{log}");
    }
    if holds(&server, "eager", "network").await {
        assert_eq!(listener.accept().map(drop).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    }
}

/// Needs root, and a system Python that every user may run.
#[tokio::test]
async fn a_server_of_root_gives_each_plugin_a_user_of_its_own() {
    let python = "/usr/bin/python3";
    if !rustix::process::geteuid().is_root() || fs::metadata(python).is_err() {
        eprintln!("SKIPPED: this takes root and {python}");
        return;
    }
    let mut server =
        TestServer::with(&[("MINT_PLUGINS__SANDBOX__USERS", "300000-300099"), ("MINT_PLUGINS__UV__PYTHON", python)]).await;
    // As a careful administrator may have it.
    let directory = server.data.parent().unwrap().to_owned();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).unwrap();
    let guest = Program::PRISONER.bundle_for(python, "first", json!({ "capabilities": [{ "name": "files" }] }));
    let operation = server.install(&guest).await;
    assert_eq!(operation["status"], "failed", "{operation:#}");
    let reason = server.admin.plugin("first").await["reason"].clone();
    assert!(reason.as_str().unwrap().contains("is closed to user 300000"), "{reason}");

    fs::set_permissions(&directory, fs::Permissions::from_mode(0o711)).unwrap();
    assert_eq!(server.admin.reload("first").await["status"], "done");
    let second = Program::PRISONER.bundle_for(python, "second", json!({}));
    assert_eq!(server.install(&second).await["status"], "done");
    for (slug, user) in [("first", 300_000), ("second", 300_001)] {
        assert!(holds(&server, slug, "user").await);
        assert_eq!(tries(&server, slug, json!([["ids"]])).await[0]["done"][3], user);
        let home = server.data.join("plugin-data/default").join(slug);
        assert_eq!(fs::metadata(&home).unwrap().uid(), user);
    }
    let own = server.data.join("plugin-data/default/first/cache/x");
    assert_eq!(tries(&server, "first", json!([["write", own]])).await, [json!({ "done": 1 })]);
    server.restart().await;
    let admin = &server.admin;
    eventually("the first plugin", || async { (admin.get("/api/first/pid").await.status == 200).then_some(()) }).await;
    assert_eq!(tries(&server, "first", json!([["ids"]])).await[0]["done"][3], 300_000, "it keeps its user");
}
