//! Keys of secrets, as an operator changes them.

use std::fs;

use mint_tests::{bundle, eventually, repackaged};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::Mint;

const CANARY: &str = "canary-at-a-shell";
const FIRST: &str = "1111111111111111111111111111111111111111111111111111111111111111";
const SECOND: &str = "2222222222222222222222222222222222222222222222222222222222222222";

#[tokio::test]
async fn a_key_of_a_command_is_changed_and_the_earlier_one_retired() {
    let mut mint = Mint::new();
    let keys = mint.home().join("keys");
    fs::write(&keys, FIRST).unwrap();
    mint.set("MINT_SECRETS__KEY_COMMAND", format!("cat,{}", keys.display()));
    mint.set("MINT_LOGGING__LEVEL", "debug".to_owned());
    mint.make_admin();
    mint.serve().await;
    let mut told = String::new();
    let mut ran = |mint: &Mint, arguments: &[&str], code: i32| -> Value {
        let ran = mint.run_with(&[&["--json"], arguments].concat(), mint_tests::PASSWORD);
        assert_eq!(ran.code, Some(code), "{arguments:?}: {}{}", ran.stdout, ran.stderr);
        told.push_str(&ran.stdout);
        told.push_str(&ran.stderr);
        serde_json::from_str(&ran.stdout).unwrap_or_default()
    };
    ran(&mint, &["auth", "login", "admin"], 0);
    let guest = repackaged(&bundle("everything"), |manifest| {
        manifest["settings_schema"]["properties"]["token"] = json!({ "type": "string", "writeOnly": true });
    });
    ran(&mint, &["plugin", "install", guest.path.to_str().unwrap(), "--yes"], 0);
    let set = format!("token={CANARY}");
    let settings = ran(&mint, &["plugin", "settings", "everything", "--set", &set], 0);
    assert!(settings["settings"]["token"]["$secret"].is_string(), "{settings}");
    ran(&mint, &["plugin", "settings", "everything", "--set", "colour=red"], 0);
    let text = mint.run(&["plugin", "settings", "everything"]).stdout;
    assert!(text.contains("(secret)") && !text.contains("sec_"), "{text}");
    let needed = |shown: &Value| -> Vec<(bool, u64)> {
        let keys = shown["keys"].as_object().unwrap().values();
        let mut keys: Vec<_> = keys.map(|key| (key["is_current"] == true, key["settings"].as_u64().unwrap())).collect();
        keys.sort();
        keys
    };
    let before = ran(&mint, &["secrets", "status"], 0);
    assert!(needed(&before).contains(&(true, 1)), "{before}");
    assert_eq!(mint.end(Signal::TERM), Some(0));
    let mut log = mint.log();

    fs::write(&keys, format!("{SECOND}\n{FIRST}\n")).unwrap();
    mint.serve().await;
    let rotated = ran(&mint, &["secrets", "rotate"], 0);
    assert_eq!(rotated["rotated"], json!({ "sealed": 1, "locked": [] }), "{rotated}");
    assert!(needed(&rotated).contains(&(true, 1)) && needed(&rotated).iter().all(|(current, count)| *current || *count == 0));
    assert_eq!(mint.end(Signal::TERM), Some(0));
    log.push_str(&mint.log());

    fs::write(&keys, SECOND).unwrap();
    mint.serve().await;
    // It listens at another port, to which the session does not belong.
    ran(&mint, &["auth", "login", "admin"], 0);
    let shown = eventually("its start", || async {
        let shown = mint.run(&["--json", "plugin", "show", "everything"]);
        let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
        (!shown["runtime"].is_null()).then_some(shown)
    })
    .await;
    assert_eq!(shown["state"], "ready", "{shown}");
    assert_eq!(mint.end(Signal::TERM), Some(0));
    log.push_str(&mint.log());

    // A command that gives none: the server runs, and says so.
    mint.set("MINT_SECRETS__KEY_COMMAND", "false".to_owned());
    mint.serve().await;
    ran(&mint, &["auth", "login", "admin"], 0);
    let failed = eventually("its failure", || async {
        let shown = mint.run(&["--json", "plugin", "show", "everything"]);
        let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
        (shown["phase"] == "secrets").then_some(shown)
    })
    .await;
    assert!(failed["reason"].as_str().unwrap().contains("sealed with the key"), "{failed}");
    ran(&mint, &["plugin", "settings", "everything", "--set", "token=another"], 1);
    ran(&mint, &["secrets", "status"], 1);
    assert_eq!(mint.end(Signal::TERM), Some(0));
    log.push_str(&mint.log());
    assert!(log.contains("secrets.keyCommand gave no key"), "{log}");
    for (what, text) in [("log", &log), ("commands", &told)] {
        assert!(!text.contains(CANARY) && !text.contains(FIRST) && !text.contains(SECOND), "{what}: {text}");
    }
}
