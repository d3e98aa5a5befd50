//! What the program is told, and told wrong.

use std::fs;

use rustix::process::Signal;

use super::{Mint, binary::assert_session};

#[test]
fn names_of_the_configuration() {
    let mint = Mint::new();
    assert_session!(mint.session(&[&["config", "names"]]));
    let names: Vec<serde_json::Value> = serde_json::from_str(&mint.run(&["--json", "config", "names"]).stdout).unwrap();
    assert!(names.iter().any(|name| name["variable"] == "MINT_SERVER__DATA_PATH"));
}

#[test]
fn every_mistake_is_told_at_once_and_nothing_begins() {
    let mint = Mint::new();
    fs::write(mint.home().join("config.json"), r#"{"server": {"lisen": "x", "listen": 5}, "databse": {}, "logging": {"format": "xml"}, "plugins": {"forceShared": ["Bad Slug"]}, "database": 7}"#).unwrap();
    let output = mint
        .command(&["serve"])
        .env_remove("MINT_SERVER__LISTEN")
        .env("MINT_SERVER__LISEN", "127.0.0.1:1")
        .env("MINT_PLUGINS__UV__OFFLINE", "maybe")
        .env("MINT_PLUGINS__INSTANCES", "many")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(!mint.home().join("data").exists());
    assert_session!(String::from_utf8(output.stderr).unwrap());
}

#[test]
fn wrong_files_and_wrong_command_lines() {
    let mint = Mint::new();
    fs::write(mint.home().join("list.json"), "[]").unwrap();
    fs::write(mint.home().join("broken.json"), "{\"server\": ").unwrap();
    assert_session!(mint.session(&[
        &["--config", "none.json", "serve"],
        &["--config", "list.json", "serve"],
        &["--config", "broken.json", "serve"],
        &["plugin", "explode"],
        &["plugin", "install"],
        &["plugin", "install", "x.mint", "--limit", "cpu_ms_max"],
        &["plugin", "install", "x.mint", "--grant", "root"],
        &["plugin", "install", "x.mint", "--mode", "both"],
    ]));
}

#[tokio::test]
async fn a_second_server_on_the_same_data_or_address_is_refused() {
    let mut mint = Mint::serving().await;
    let second = mint.run(&["serve"]);
    assert_eq!(second.code, Some(1));
    let other = Mint::new();
    let address = mint.url.strip_prefix("http://").unwrap().to_owned();
    let output = other.command(&["serve"]).env("MINT_SERVER__LISTEN", &address).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert_session!(format!("{}\n{said}", second.shown(&mint)));
    assert_eq!(mint.end(Signal::TERM), Some(0));
}
