//! `mint role plugin`: roles inside a plugin, and what it keeps of people.

use mint_tests::{Client, PASSWORD};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::Mint;
use crate::subprocess::Program;

const SECRET: &str = "canary-of-the-shell";

#[tokio::test]
async fn roles_inside_a_plugin_and_their_secret_fields_at_a_shell() {
    for database in mint_store::testing::databases().await {
        let mut mint = Mint::serving_on(Some(&database.url)).await;
        let ran = |arguments: &[&str], input: &str| -> String {
            let ran = mint.run_with(arguments, input);
            assert_eq!(ran.code, Some(0), "{arguments:?}: {}{}", ran.stdout, ran.stderr);
            assert!(!ran.stdout.contains(SECRET) && !ran.stderr.contains(SECRET), "{arguments:?}: {}", ran.stdout);
            ran.stdout
        };
        let refused = |arguments: &[&str], input: &str| -> String {
            let ran = mint.run_with(arguments, input);
            assert_eq!(ran.code, Some(1), "{arguments:?}: {}{}", ran.stdout, ran.stderr);
            ran.stderr
        };
        let json = |arguments: &[&str]| -> Value { serde_json::from_str(&ran(&[&["--json"], arguments].concat(), "")).unwrap() };
        ran(&["auth", "login", "admin"], PASSWORD);
        ran(&["user", "add", "ada"], PASSWORD);
        ran(&["plugin", "install", Program::NOSY.bundle("nosy").path.to_str().unwrap(), "--yes"], "");
        let admin = Client::sign_in(&mint.url, "default", "admin").await;
        let ada = json(&["user", "show", "ada"])["id"].clone();
        // What the plugin itself reads.
        let kept = async || {
            let call = json!({ "method": "GET", "path": format!("/plugin-roles/{ada}/fields") });
            admin.post("/api/nosy/call", &call).await.json()["body"]["fields"].clone()
        };
        let fields = ["role", "plugin", "fields", "nosy", "ada"];
        let told = refused(&[&fields[..], &["--field", "pin=1"]].concat(), "");
        assert!(told.contains("`mint role plugin set nosy ada ROLE` gives them one"), "{told}");
        assert_eq!(ran(&["role", "plugin", "set", "nosy", "ada", "analyst"], ""), "ada is analyst inside nosy\n");
        assert_eq!(ran(&fields, ""), "nothing is kept\n");

        let set =
            ran(&[&fields[..], &["--field", "token=-", "--field", "colour=a=b"]].concat(), &format!("{SECRET}\nof two lines\n"));
        let lines: Vec<&str> = set.lines().collect();
        assert!(
            lines[0].starts_with("FIELD   SECRET")
                && lines[1].starts_with("colour  sec_")
                && lines[2].starts_with("token   sec_")
        );
        assert_eq!(kept().await, json!({ "token": format!("{SECRET}\nof two lines"), "colour": "a=b" }));
        // Those that are not named stay as they are.
        let before = json(&fields)["fields"].clone();
        ran(&[&fields[..], &["--field", "colour=-"]].concat(), SECRET);
        let after = json(&fields)["fields"].clone();
        assert_eq!((&after["token"], after["colour"] == before["colour"]), (&before["token"], false));
        assert_eq!(kept().await["colour"], SECRET);
        assert!(ran(&["role", "plugin", "list", "nosy"], "").contains("ada   analyst  colour, token"));
        assert_eq!(json(&["role", "plugin", "list", "nosy"])[0]["fields"], after);

        let told = refused(&[&fields[..], &["--unset", "colour", "--unset", "nonsense"]].concat(), "");
        assert!(told.contains("nosy keeps no `nonsense` of ada; nothing was changed"), "{told}");
        let told = refused(&[&fields[..], &["--field", "a=-", "--field", "b=-"]].concat(), "x");
        assert!(told.contains("only one field can be read from standard input"), "{told}");
        assert_eq!(mint.run(&[&fields[..], &["--field", "token"]].concat()).code, Some(2));
        assert_eq!(json(&fields)["fields"], after);
        ran(&[&fields[..], &["--unset", "colour"]].concat(), "");
        assert_eq!(kept().await, json!({ "token": format!("{SECRET}\nof two lines") }));
        ran(&[&fields[..], &["--clear", "--field", "pin=2"]].concat(), "");
        assert_eq!(kept().await, json!({ "pin": "2" }));
        ran(&["role", "plugin", "set", "nosy", "ada", "reviewer"], "");
        assert_eq!(kept().await, json!({ "pin": "2" }));
        assert_eq!(ran(&[&fields[..], &["--clear"]].concat(), ""), "nothing is kept\n");
        ran(&["role", "plugin", "remove", "nosy", "ada"], "");
        assert_eq!(json(&["role", "plugin", "list", "nosy"]), json!([]));
        assert!(refused(&["role", "plugin", "remove", "nosy", "ada"], "").contains("plugin role"));
        assert!(refused(&["role", "plugin", "set", "nosy", "bob", "x"], "").contains("there is no user bob"));
        assert!(ran(&["audit", "list"], "").contains("plugin_role.fields"));
        assert_eq!(mint.end(Signal::TERM), Some(0), "{}", mint.log());
        assert!(!mint.log().contains(SECRET));
    }
}
