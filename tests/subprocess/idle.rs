//! A process of which nobody wants anything is stopped, and starts when somebody does.

use std::{cell::RefCell, collections::BTreeSet, fs, path::PathBuf};

use futures_util::future::join_all;
use http::{Method, StatusCode};
use mint_tests::{Client, HANDSHAKE, TestServer, eventually};
use serde_json::{Value, json};

use super::{Program, is_alive};

/// The shortest time there is.
const SOON: (&str, &str) = ("MINT_PLUGINS__IDLE_SECONDS", "1");

/// Calls the platform again and again, for nobody.
const CALLS: Program = Program::of(
    "def call():\n    headers = {'x-mint-internal-token': os.environ['MINT_PLUGIN_TOKEN'], \
     'x-mint-plugin-name': os.environ['MINT_PLUGIN_NAME']}\n    while True:\n        \
     connection = HTTPConnection(os.environ['MINT_PLATFORM_URL'].removeprefix('http://'))\n        \
     connection.request('GET', '/api/internal/plugin-config/calls', headers=headers)\n        connection.getresponse().read()\n        \
     time.sleep(1)\n\nthreading.Thread(target=call, daemon=True).start()\nserve()\n",
);
/// Computes in a child, as a job does.
const COMPUTES: Program = Program::of(
    "@route('/compute')\ndef compute(_):\n    child = subprocess.Popen([sys.executable, '-c', 'while True: pass'])\n    \
     return {'pid': child.pid}\n\nserve()\n",
);
/// Does not start while there is a file, and waits for another one to go before it serves.
const FRAIL: Program = Program::of(
    "home = os.environ['HOME']\nif os.path.exists(home + '/broken'):\n    print('no licence found', file=sys.stderr, flush=True)\n    \
     sys.exit(3)\nif os.path.exists(home + '/wait'):\n    print('waiting', flush=True)\n    \
     while os.path.exists(home + '/wait'):\n        time.sleep(0.01)\nserve()\n",
);

/// The process of a plugin, from its own mouth.
async fn pid(client: &Client, slug: &str) -> Value {
    let reply = client.get(&format!("/api/{slug}/pid")).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    reply.json()["pid"].clone()
}

/// Waits for the end of a process without asking the plugin anything, as its administrator's page does.
async fn gone(pid: &Value) {
    eventually("an idle process to end", || async { (!is_alive(pid)).then_some(()) }).await;
}

async fn process(client: &Client, slug: &str) -> String {
    client.plugin(slug).await["runtime"]["process"].as_str().unwrap().to_owned()
}

async fn with(program: &Program, slug: &str) -> TestServer {
    let server = TestServer::with(&[SOON]).await;
    server.admin.installed(&program.bundle(slug), json!({})).await;
    server
}

fn data(server: &TestServer, slug: &str) -> PathBuf {
    server.data.join("plugin-data/default").join(slug)
}

#[tokio::test]
async fn an_idle_one_is_stopped_and_one_process_starts_for_everybody() {
    let server = with(&Program::NOSY, "nosy").await;
    let admin = &server.admin;
    let first = pid(admin, "nosy").await;
    gone(&first).await;
    let shown = admin.plugin("nosy").await;
    assert_eq!((&shown["state"], &shown["runtime"]["process"]), (&json!("ready"), &json!("idle")), "{shown}");
    assert_eq!(shown["runtime"]["pid"], Value::Null);
    assert_eq!(admin.get("/api/plugins").await.json()["loaded"], json!(["nosy"]));

    let pids = join_all((0..20).map(|_| pid(admin, "nosy"))).await;
    assert!(pids[0] != first && pids.iter().all(|pid| *pid == pids[0]), "{pids:?}");
    let runtime = admin.plugin("nosy").await["runtime"].clone();
    assert_eq!((&runtime["process"], &runtime["incarnation"]), (&json!("up"), &json!(2)), "{runtime}");
    assert_eq!(runtime["restarts"], 0, "that it was idle is no fault");

    gone(&pids[0]).await;
    let (head, _stream) = admin.handshake("/api/nosy/echo", &HANDSHAKE).await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert_eq!(process(admin, "nosy").await, "up");
}

#[tokio::test]
async fn one_that_is_at_work_goes_on() {
    // Longer than the pause between two looks at what processes compute.
    let server = TestServer::with(&[("MINT_PLUGINS__IDLE_SECONDS", "3")]).await;
    let admin = &server.admin;
    let (holds, talks) = ((&Program::NOSY, "holds"), (&Program::TUNNELS, "talks"));
    for (program, slug) in [holds, talks, (&CALLS, "calls"), (&COMPUTES, "computes"), (&Program::NOSY, "rests")] {
        admin.installed(&program.bundle(slug), json!({})).await;
    }
    let held = admin.request(Method::GET, "/api/holds/hold").send();
    let at_work = async {
        eventually("a request in progress", || async {
            let shown = admin.plugin("holds").await;
            (shown["usage"]["in_progress"] == 1 && shown["runtime"]["process"] == "up").then_some(())
        })
        .await;
        let (head, socket) = admin.handshake("/api/talks/echo", &HANDSHAKE).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        let computing = admin.get("/api/computes/compute").await.json()["pid"].clone();
        let slugs = ["holds", "talks", "calls", "computes"];
        let before = join_all(slugs.map(|slug| pid_of(admin, slug))).await;
        // Twice over, as long as it takes for one that has nothing to do.
        for _ in 0..2 {
            let resting = pid(admin, "rests").await;
            gone(&resting).await;
        }
        assert_eq!(join_all(slugs.map(|slug| pid_of(admin, slug))).await, before);
        assert!(is_alive(&computing));

        drop(socket);
        assert_eq!(admin.get("/api/holds/release").await.status, StatusCode::OK);
        for (slug, pid) in slugs.iter().zip(&before) {
            if !["calls", "computes"].contains(slug) {
                gone(pid).await;
            }
        }
    };
    let (held, ()) = tokio::join!(held, at_work);
    assert_eq!(held.unwrap().status(), StatusCode::OK);
}

/// The process of a plugin, as the platform knows it.
async fn pid_of(admin: &Client, slug: &str) -> Value {
    admin.plugin(slug).await["runtime"]["pid"].clone()
}

#[tokio::test]
async fn to_ask_how_it_is_neither_keeps_it_nor_starts_it() {
    let often = ("MINT_PLUGINS__HEALTH__INTERVAL_SECONDS", "1");
    let server = TestServer::with(&[("MINT_PLUGINS__IDLE_SECONDS", "3"), often]).await;
    let admin = &server.admin;
    admin.installed(&Program::MORTAL.bundle("mortal"), json!({})).await;
    gone(&pid(admin, "mortal").await).await;
    // The platform asks every second, and so does this.
    let seconds = RefCell::new(BTreeSet::new());
    eventually("some more questions", || async {
        let now = admin.plugin("mortal").await;
        assert_eq!((&now["runtime"]["process"], &now["state"]), (&json!("idle"), &json!("ready")), "{now}");
        assert_eq!(now["health"]["status"], "healthy", "{now}");
        let checked_at = now["health"]["checked_at"].as_str().unwrap();
        seconds.borrow_mut().insert(checked_at.split('.').next().unwrap().to_owned());
        (seconds.borrow().len() == 4).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_idle_one_is_changed_like_any_other() {
    let schema = json!({ "type": "object", "properties": { "mood": { "type": "string" } } });
    let server = TestServer::with(&[SOON]).await;
    let admin = &server.admin;
    let bundle = Program::NOSY.bundle_with("nosy", json!({ "settings_schema": schema }));
    assert_eq!(server.install(&bundle).await["status"], "done");
    gone(&pid(admin, "nosy").await).await;
    assert_eq!(admin.configure("nosy", json!({ "mood": "happy" })).await.status, StatusCode::OK);
    let asked = json!({ "method": "GET", "path": "/plugin-config/nosy" });
    let said = admin.post("/api/nosy/call", &asked).await.json();
    assert!(said["body"].to_string().contains("happy"), "{said}");

    gone(&pid(admin, "nosy").await).await;
    assert_eq!(admin.reload("nosy").await["status"], "done");
    gone(&pid(admin, "nosy").await).await;
    assert_eq!(admin.uninstall("nosy", "keep").await["status"], "done");
}

#[tokio::test]
async fn one_that_does_not_start_again_says_why() {
    let server = with(&FRAIL, "frail").await;
    let admin = &server.admin;
    gone(&pid(admin, "frail").await).await;
    let broken = data(&server, "frail").join("broken");
    fs::write(&broken, "").unwrap();
    for reply in join_all((0..5).map(|_| admin.get("/api/frail/pid"))).await {
        assert_eq!((reply.status, reply.code().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "plugin.down"), "{reply:?}");
        assert!(reply.text().contains("exited with code 3") && reply.text().contains("no licence found"), "{reply:?}");
    }
    let failed = eventually("the end of the budget", || async {
        let shown = admin.plugin("frail").await;
        (shown["state"] == "failed").then_some(shown)
    })
    .await;
    assert_eq!(failed["quarantine"]["faults"], 5, "{failed}");
    fs::remove_file(&broken).unwrap();
    assert_eq!(admin.reload("frail").await["status"], "done");
    pid(admin, "frail").await;
}

#[tokio::test]
async fn so_many_start_at_once_and_the_rest_afterwards() {
    let server = TestServer::with(&[SOON]).await;
    let admin = &server.admin;
    let slugs: Vec<String> = (0..6).map(|number| format!("frail-{number}")).collect();
    for slug in &slugs {
        admin.installed(&FRAIL.bundle(slug), json!({})).await;
        gone(&pid(admin, slug).await).await;
        fs::write(data(&server, slug).join("wait"), "").unwrap();
    }
    let begun = || async {
        let logs = join_all(slugs.iter().map(|slug| async { admin.plugin(slug).await["log"].clone() })).await;
        logs.iter().filter(|log| log.as_array().unwrap().contains(&json!("waiting"))).count()
    };
    let asked = join_all(slugs.iter().map(|slug| pid(admin, slug)));
    let watched = async {
        eventually("the places to be taken", || async { (begun().await == 4).then_some(()) }).await;
        let states = join_all(slugs.iter().map(|slug| process(admin, slug))).await;
        assert!(states.iter().all(|state| state == "starting"), "{states:?}");
        assert_eq!(begun().await, 4);
        for slug in &slugs {
            fs::remove_file(data(&server, slug).join("wait")).unwrap();
        }
    };
    let (pids, ()) = tokio::join!(asked, watched);
    assert!(pids.iter().all(is_alive));
}
