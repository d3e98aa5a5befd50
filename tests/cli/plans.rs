//! What would become of a bundle, told before it is installed.

use mint_tests::{PASSWORD, bundle};
use serde_json::Value;

use super::{Mint, binary::assert_session};
use crate::subprocess::{Parts, bundle_of, wheel};

async fn signed_in() -> Mint {
    let mint = Mint::serving().await;
    let login = mint.run_with(&["auth", "login", "admin"], PASSWORD);
    assert_eq!(login.code, Some(0), "{}", login.stderr);
    mint
}

#[tokio::test]
async fn a_plan_at_a_shell() {
    let mint = signed_in().await;
    let guest = |name: &str| bundle(name).path.display().to_string();
    let (hello, python, fit, process, notebook) =
        (guest("hello"), guest("hello-python"), guest("dose-response"), guest("hello-process"), guest("notebook"));
    assert_session!(mint.session(&[
        &["plugin", "plan", &hello],
        &["plugin", "plan", &python],
        &["plugin", "plan", &fit],
        &["plugin", "plan", &fit, "--mode", "shared"],
        &["plugin", "plan", &process],
        &["plugin", "plan", &process, "--mode", "shared"],
        &["plugin", "plan", &notebook],
        &["plugin", "plan", &hello, "--mode", "isolated"],
        &["plugin", "plan", "none.mint"],
        &["plugin", "list"],
    ]));
}

#[tokio::test]
async fn clashes_at_a_shell() {
    let mint = signed_in().await;
    let sdk = Parts::of_notebook().sdk;
    let (old, new, wishful) = (
        bundle_of("old", &wheel("old", &["mint-guest-sdk<2"], ""), &[(&sdk.0, &sdk.1)], None),
        bundle_of("new", &wheel("new", &["mint-guest-sdk>=2", "numpy"], ""), &[], None),
        bundle_of("wishful", &wheel("wishful", &["mint-guest-sdk>=99"], ""), &[(&sdk.0, &sdk.1)], None),
    );
    for (name, guest) in [("old", &old), ("new", &new), ("wishful", &wishful)] {
        std::fs::copy(&guest.path, mint.home().join(format!("{name}.mint"))).unwrap();
    }
    // Its module is empty, so it does not start; it is installed all the same.
    assert_eq!(mint.run(&["plugin", "install", "old.mint", "--yes"]).code, Some(1));
    assert_session!(mint.session(&[
        &["plugin", "plan", "new.mint"],
        &["plugin", "plan", "wishful.mint"],
        &["plugin", "install", "wishful.mint", "--yes"],
    ]));
    let shown = mint.run(&["plugin", "show", "old"]).stdout;
    let wanted = shown.lines().find(|line| line.starts_with("mint-guest-sdk")).unwrap_or_else(|| panic!("{shown}"));
    assert_eq!(wanted.split_whitespace().collect::<Vec<_>>(), ["mint-guest-sdk", "<2", "old", "1.0.0"]);
    let (refused, fits) =
        (mint.run(&["--json", "plugin", "plan", "wishful.mint"]), mint.run(&["--json", "plugin", "plan", "new.mint"]));
    assert_eq!((refused.code, fits.code), (Some(1), Some(0)));
    let plan: Value = serde_json::from_str(&refused.stdout).unwrap();
    assert_eq!((&plan["mode"], &plan["plan"]["clashes"][0]["package"]), (&Value::Null, &Value::from("mint-guest-sdk")));
}
