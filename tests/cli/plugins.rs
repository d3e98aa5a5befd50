//! Installing, showing and removing plugins.

use std::fs;

use mint_bundle::{Bounds, Bundle};
use mint_tests::{Client, PASSWORD, bundle, repackaged};
use serde_json::Value;

use super::{Mint, binary::assert_session};
use crate::hostile::tables::{execute, rows};

async fn signed_in() -> Mint {
    let mint = Mint::serving().await;
    let login = mint.run_with(&["auth", "login", "admin"], PASSWORD);
    assert_eq!(login.code, Some(0), "{}", login.stderr);
    mint
}

fn json(mint: &Mint, arguments: &[&str]) -> (Option<i32>, Value) {
    let ran = mint.run(&[&["--json"], arguments].concat());
    assert_eq!(ran.stderr, "", "{arguments:?}");
    (ran.code, serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stdout)))
}

#[tokio::test]
async fn the_life_of_a_plugin_at_a_shell() {
    let mint = signed_in().await;
    let hello = bundle("hello").path.display().to_string();
    let lcms = bundle("lcms-features").path.display().to_string();
    assert_session!(mint.session(&[
        &["plugin", "list"],
        &["plugin", "show", "hello"],
        &["plugin", "install", &lcms],
        &["plugin", "list"],
        &["plugin", "install", &hello],
        &["plugin", "install", &hello],
        &["plugin", "install", &lcms, "--grant", "experiments:read"],
        &["plugin", "install", &lcms, "--yes"],
        &["plugin", "list"],
        &["plugin", "reload", "hello"],
        &["plugin", "uninstall", "hello", "--purge"],
        &["plugin", "uninstall", "hello", "--purge", "--confirm", "hello"],
        &["plugin", "uninstall", "hello"],
        &["plugin", "list"],
    ]));
}

#[tokio::test]
async fn releases_come_and_go_at_a_shell() {
    let mint = signed_in().await;
    let first = bundle("hello").path.display().to_string();
    let second = repackaged(&bundle("hello"), |manifest| {
        manifest["plugin"]["version"] = "2.0.0".into();
        manifest["capabilities"] = serde_json::json!([{ "name": "experiments:read", "why": "Counts them." }]);
    });
    fs::rename(&second.path, mint.home().join("hello-2.mint")).unwrap();
    assert_session!(mint.session(&[
        &["plugin", "upgrade", "hello-2.mint"],
        &["plugin", "install", &first],
        &["plugin", "rollback", "hello"],
        &["plugin", "install", "hello-2.mint", "--yes"],
        &["plugin", "upgrade", "hello-2.mint"],
        &["plugin", "upgrade", "hello-2.mint", "--yes"],
        &["plugin", "rollback", "hello", "--to", "3.0.0"],
        &["plugin", "rollback", "hello"],
        &["plugin", "list"],
    ]));
    let (code, releases) = json(&mint, &["plugin", "releases", "hello"]);
    let versions: Vec<_> = releases.as_array().unwrap().iter().map(|release| release["version"].as_str().unwrap()).collect();
    assert_eq!((code, versions), (Some(0), vec!["1.0.0", "2.0.0", "1.0.0"]));
}

#[tokio::test]
async fn what_a_plugin_holds_goes_and_comes_back_at_a_shell() {
    let mint = signed_in().await;
    let admin = Client::sign_in(&mint.url, "default", "admin").await;
    let fine = |arguments: &[&str]| {
        let ran = mint.run(arguments);
        assert_eq!(ran.code, Some(0), "{arguments:?}: {}{}", ran.stdout, ran.stderr);
        ran
    };
    let wrong = |arguments: &[&str], words: &str| {
        let ran = mint.run(arguments);
        assert!(ran.code == Some(1) && ran.stderr.contains(words), "{arguments:?}: {}{}", ran.stdout, ran.stderr);
    };
    fine(&["plugin", "install", &bundle("everything").path.display().to_string(), "--yes"]);
    execute(&admin, "create table t (a text)").await;
    execute(&admin, "insert into t values ('first')").await;
    let held = || async { rows(&admin, "select a from t order by a").await };

    fine(&["plugin", "snapshot", "everything"]);
    let listed = fine(&["plugin", "snapshots", "everything"]).stdout;
    assert!(listed.starts_with("SNAPSHOT") && listed.contains("asked"), "{listed}");
    let (_, snapshots) = json(&mint, &["plugin", "snapshots", "everything"]);
    let snapshot = snapshots[0]["id"].to_string();
    let told = fine(&["plugin", "backup", "everything", "first.zip", "--dry-run"]).stdout;
    assert!(told.contains("snapshot") && !mint.home().join("first.zip").exists(), "{told}");
    let (_, unchanged) = json(&mint, &["plugin", "snapshots", "everything"]);
    assert_eq!(unchanged, snapshots);
    fine(&["plugin", "backup", "everything", "first.zip"]);
    wrong(&["plugin", "backup", "everything", "first.zip"], "is there already; nothing was written");

    execute(&admin, "insert into t values ('second')").await;
    fine(&["plugin", "rollback", "everything", "--snapshot", &snapshot]);
    assert_eq!(held().await, serde_json::json!([["first"]]));
    wrong(&["plugin", "rollback", "everything", "--snapshot", "999999"], "999999");

    execute(&admin, "delete from t").await;
    let told = fine(&["plugin", "restore", "first.zip", "--dry-run"]).stdout;
    assert!(told.contains("puts the tables, files and settings of the snapshot in the place of what it has"), "{told}");
    assert_eq!(held().await, serde_json::json!([]));
    fine(&["plugin", "restore", "first.zip"]);
    assert_eq!(held().await, serde_json::json!([["first"]]));
    fs::write(mint.home().join("nonsense.zip"), "nonsense").unwrap();
    wrong(&["plugin", "restore", "nonsense.zip"], "nonsense.zip is no backup");
    wrong(&["plugin", "backup", "nobody", "nobody.zip"], "nobody");
    assert!(!mint.home().join("nobody.zip").exists());
    let partial = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().ends_with(".partial");
    assert!(!fs::read_dir(mint.home()).unwrap().flatten().any(|entry| partial(&entry)), "a part of a backup stays");
}

#[tokio::test]
async fn programs_read_json() {
    let mint = signed_in().await;
    let hello = bundle("hello-process").path.display().to_string();
    let (code, installed) = json(&mint, &["plugin", "install", &hello, "--yes", "--limit", "wall_ms_max=5000"]);
    assert_eq!(
        (code, &installed["status"], &installed["plugin"]),
        (Some(0), &Value::from("done"), &Value::from("hello-process"))
    );
    let names: Vec<&str> = installed["steps"].as_array().unwrap().iter().filter_map(|step| step["name"].as_str()).collect();
    assert_eq!(names, ["verify", "frontend", "plan", "approve", "register", "stage", "migrate", "start", "switch"]);
    let (code, listed) = json(&mint, &["plugin", "list"]);
    assert_eq!(
        (code, &listed["loaded"][0], &listed["installed"][0]["mode"]),
        (Some(0), &"hello-process".into(), &"isolated".into())
    );
    let (code, shown) = json(&mint, &["plugin", "show", "hello-process"]);
    assert_eq!((code, &shown["limits"]["wall_ms_max"], &shown["runtime"]["process"]), (Some(0), &5_000.into(), &"up".into()));
    let (code, reloaded) = json(&mint, &["plugin", "reload", "hello-process"]);
    assert_eq!((code, &reloaded["kind"]), (Some(0), &Value::from("reload")));
    let (code, removed) = json(&mint, &["plugin", "uninstall", "hello-process"]);
    assert_eq!((code, &removed["status"]), (Some(0), &Value::from("done")));
    assert_eq!(json(&mint, &["plugin", "list"]).1["installed"], Value::Array(Vec::new()));
}

#[tokio::test]
async fn a_person_sees_how_a_plugin_stands() {
    let mint = signed_in().await;
    let (fine, broken) = (bundle("hello-process").path.display().to_string(), bundle("broken-start").path.display().to_string());
    assert_session!(mint.session(&[
        &["plugin", "install", &fine, "--yes"],
        &["plugin", "show", "hello-process"],
        &["plugin", "install", &broken, "--yes"],
        &["plugin", "show", "broken-start"],
        &["plugin", "list"],
        &["plugin", "reload", "broken-start"],
    ]));
}

#[tokio::test]
async fn a_bare_component_needs_a_name() {
    let mint = signed_in().await;
    let unpacked = mint.home().join("unpacked");
    Bundle::open(&bundle("hello").path, &Bounds::default()).unwrap().unpack(&unpacked).unwrap();
    fs::rename(unpacked.join("plugin.wasm"), mint.home().join("hello.wasm")).unwrap();
    assert_session!(mint.session(&[
        &["plugin", "install", "hello.wasm"],
        &["plugin", "install", "hello.wasm", "--slug", "Bad Slug"],
        &["plugin", "install", "hello.wasm", "--slug", "bare", "--release", "2.1"],
        &["plugin", "list"],
    ]));
}

#[tokio::test]
async fn what_cannot_be_installed_is_refused_with_the_reason() {
    let mint = signed_in().await;
    let hello = bundle("hello").path.display().to_string();
    fs::write(mint.home().join("text.mint"), "just text").unwrap();
    fs::write(mint.home().join("text.wasm"), "just text").unwrap();
    let whole = fs::read(&hello).unwrap();
    fs::write(mint.home().join("half.mint"), &whole[..whole.len() / 2]).unwrap();
    assert_session!(mint.session(&[
        &["plugin", "install", "none.mint"],
        &["plugin", "install", "text.mint"],
        &["plugin", "install", "half.mint"],
        &["plugin", "install", "text.wasm", "--slug", "text"],
        &["plugin", "install", &hello, "--yes", "--limit", "speed_max=1"],
        &["plugin", "install", &hello, "--yes", "--limit", "cpu_ms_max=0"],
        &["plugin", "install", &hello, "--yes", "--mode", "isolated"],
        &["plugin", "list"],
    ]));
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a program that makes a terminal for the one under test")]
async fn at_a_terminal_the_step_that_runs_is_shown() {
    let mint = signed_in().await;
    let endless = bundle("endless-start").path.display().to_string();
    let command = mint.command(&["plugin", "install", &endless, "--yes"]);
    let words: Vec<_> =
        std::iter::once(command.get_program()).chain(command.get_args()).map(|word| word.to_str().unwrap()).collect();
    let mut terminal = std::process::Command::new("script");
    terminal.args(["-qec", &words.join(" "), "/dev/null"]).current_dir(mint.home());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => terminal.env(name, value),
            None => terminal.env_remove(name),
        };
    }
    let shown = terminal.stdin(std::process::Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(text.contains("done   verify") && text.contains("failed start"), "{text}");
    // The line of the step that ran was drawn and taken away again.
    let drawn = text.split('\r').any(|piece| piece.contains(" start ") && piece.trim_end().ends_with('s'));
    assert!(drawn && text.contains('\u{1b}'), "{text:?}");
}
