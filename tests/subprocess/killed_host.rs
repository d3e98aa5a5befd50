//! The platform dies without a word: nothing of it stays, and the next one finds its way.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use http::{Method, StatusCode};
use mint_tests::{Client, bundle, eventually};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{Program, is_alive};
use crate::cli::Mint;

#[tokio::test]
async fn a_killed_platform_leaves_no_process_and_starts_again() {
    let mut mint = Mint::serving().await;
    let admin = Client::sign_in(&mint.url, "default", "admin").await;
    let everything = json!({ "grant_requested": true });
    for guest in [bundle("hello-process"), Program::STUBBORN.bundle("stubborn")] {
        assert_eq!(admin.install(&guest, everything.clone()).await["status"], "done");
    }
    let hello = admin.plugin("hello-process").await["runtime"]["pid"].clone();
    let family = admin.get("/api/stubborn/family").await.json()["pids"].clone();
    let run = mint.home().join("run");
    assert_eq!(fs::read_dir(&run).unwrap().count(), 2);

    assert_eq!(mint.end(Signal::KILL), None);
    for pid in [&hello, &family[0]] {
        eventually("the end of a plugin", || async { (!is_alive(pid)).then_some(()) }).await;
    }
    assert_eq!(fs::read_dir(&run).unwrap().count(), 2, "nobody was there to clean up");

    mint.serve().await;
    let admin = admin.at(&mint.url);
    for path in ["/api/hello-process/", "/api/stubborn/family"] {
        let reply = eventually("a plugin that was running before", || async {
            let reply = admin.get(path).await;
            (reply.status == StatusCode::OK).then_some(reply)
        })
        .await;
        assert_ne!(reply.json()["pids"], family);
    }
    assert!(!is_alive(&family[1]), "the child that left its group outlived two platforms");
    assert_eq!(fs::read_dir(&run).unwrap().count(), 2, "stale directories were left");
    let pids: Vec<Value> = admin.get("/api/stubborn/family").await.json()["pids"].as_array().unwrap().clone();
    assert_eq!(mint.end(Signal::TERM), Some(0));
    assert!(!pids.iter().any(is_alive), "{pids:?} outlived the platform");
    assert_eq!(fs::read_dir(&run).unwrap().count(), 0);
}

#[tokio::test]
async fn a_killed_platform_leaves_nothing_of_what_was_copied() {
    let mut mint = Mint::new();
    mint.set("MINT_PLUGINS__WARM_PARENT", "true".to_owned());
    mint.set("MINT_PLUGINS__UV__PATH", mint_tests::uv());
    if let Some(python) = mint_tests::python() {
        mint.set("MINT_PLUGINS__UV__PYTHON", python);
    }
    assert_eq!(mint.run_with(&["user", "create", "admin", "--role", "admin"], mint_tests::PASSWORD).code, Some(0));
    mint.serve().await;
    let admin = Client::sign_in(&mint.url, "default", "admin").await;
    let decision = json!({ "grant_requested": true, "mode": "isolated" });
    assert_eq!(admin.install(&bundle("notebook"), decision).await["status"], "done");
    let runtime = admin.plugin("notebook").await["runtime"].clone();
    let (parent, copy) = (&runtime["warm_parent"]["pid"], &runtime["pid"]);
    assert!(is_alive(parent) && is_alive(copy), "{runtime}");

    assert_eq!(mint.end(Signal::KILL), None);
    for pid in [parent, copy] {
        eventually("the end of a plugin", || async { (!is_alive(pid)).then_some(()) }).await;
    }
    mint.serve().await;
    let admin = admin.at(&mint.url);
    eventually("the plugin", || async { (admin.get("/api/notebook/").await.status == StatusCode::OK).then_some(()) }).await;
    assert_eq!(mint.end(Signal::TERM), Some(0));
    assert_eq!(fs::read_dir(mint.home().join("run")).unwrap().count(), 0);
}

/// What stands where the venvs of the notebook are: finished ones, and others.
fn venvs(cache: &Path) -> (usize, usize) {
    let Ok(entries) = fs::read_dir(cache.join("venvs/notebook")) else { return (0, 0) };
    let names: Vec<_> =
        entries.map(|entry| entry.unwrap()).filter(|entry| entry.path().is_dir()).map(|entry| entry.file_name()).collect();
    let begun = names.iter().filter(|name| name.to_string_lossy().starts_with('.')).count();
    (names.len() - begun, begun)
}

#[tokio::test]
async fn a_platform_that_is_killed_while_it_builds_a_venv_never_uses_half_of_it() {
    let mut mint = Mint::new();
    let (home, cache) = (mint.home().to_owned(), mint.home().join("cache"));
    let (uv, stuck, reached) = (home.join("uv"), home.join("stuck"), home.join("reached"));
    // Does what uv does, and then does not come back.
    let script = format!(
        "#!/bin/sh\n{real} \"$@\" || exit $?\nif [ \"$1 $2\" = 'pip install' ] && [ -e {stuck} ]; then\n\
         echo $$ > {reached}.new && mv {reached}.new {reached}\nexec sleep 600\nfi\n",
        real = mint_tests::uv(),
        stuck = stuck.display(),
        reached = reached.display(),
    );
    fs::write(&uv, script).unwrap();
    fs::set_permissions(&uv, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(&stuck, "").unwrap();
    mint.set("MINT_PLUGINS__UV__PATH", uv.display().to_string());
    mint.set("MINT_SERVER__CACHE_PATH", cache.display().to_string());
    assert_eq!(mint.run_with(&["user", "create", "admin", "--role", "admin"], mint_tests::PASSWORD).code, Some(0));
    mint.serve().await;

    let admin = Client::sign_in(&mint.url, "default", "admin").await;
    let decision = json!({ "grant_requested": true, "mode": "isolated" });
    assert_eq!(admin.upload(&bundle("notebook"), &decision).await.status, StatusCode::ACCEPTED);
    let pid = eventually("a venv that is all but finished", || async { fs::read_to_string(&reached).ok() }).await;
    let pid: Value = pid.trim().parse::<i64>().unwrap().into();
    assert_eq!(venvs(&cache), (0, 1));
    assert_eq!(mint.end(Signal::KILL), None);
    eventually("the end of uv", || async { (!is_alive(&pid)).then_some(()) }).await;

    fs::remove_file(&stuck).unwrap();
    mint.serve().await;
    let admin = admin.at(&mint.url);
    let state = eventually("the operation to be taken up", || async {
        let state = admin.plugin("notebook").await["state"].clone();
        (state == "ready" || state == "failed").then_some(state)
    })
    .await;
    if state == "failed" {
        assert_eq!(admin.reload("notebook").await["status"], "done");
    }
    assert_eq!(admin.get("/api/notebook/").await.status, StatusCode::OK);
    assert_eq!(venvs(&cache), (1, 0));
}

#[tokio::test]
async fn a_second_signal_ends_at_once() {
    let mut mint = Mint::serving().await;
    let admin = Client::sign_in(&mint.url, "default", "admin").await;
    let operation = admin.install(&Program::NOSY.bundle("nosy"), json!({ "grant_requested": true })).await;
    assert_eq!(operation["status"], "done");
    let pid = admin.plugin("nosy").await["runtime"]["pid"].clone();
    let held = admin.request(Method::GET, "/api/nosy/hold").send();
    let end = async {
        eventually("the request in progress", || async {
            (admin.plugin("nosy").await["usage"]["in_progress"] == 1).then_some(())
        })
        .await;
        mint.signal(Signal::INT);
        eventually("the first signal to be seen", || async { mint.log().contains("a second signal").then_some(()) }).await;
        mint.end(Signal::INT)
    };
    let (held, code) = tokio::join!(held, end);
    assert!(held.is_err(), "a request that never ends was answered: {held:?}");
    assert_eq!(code, Some(1));
    eventually("the end of the plugin", || async { (!is_alive(&pid)).then_some(()) }).await;
}
