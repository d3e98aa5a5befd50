//! All verbs, as `--help` tells of them.

use rustix::process::Signal;
use serde_json::Value;

use mint_tests::PASSWORD;

use super::Mint;

/// Those that talk to no server, or make what they talk to.
const AT_THE_MACHINE: [&str; 14] = [
    "build",
    "config names",
    "db migrate",
    "db status",
    "fsck",
    "profile list",
    "profile remove",
    "profile use",
    "secrets rotate",
    "secrets status",
    "serve",
    "tenant give",
    "user appoint",
    "user create",
];

/// Those that need no more words, and are not tried as they are: they end something, wait, or read a password.
const NOT_TRIED: [&str; 6] = ["audit export", "auth login", "auth logout", "fsck", "serve", "user password"];

/// A verb and what its help says.
struct Verb {
    path: String,
    help: String,
}

/// Every verb that has none below it.
fn verbs(mint: &Mint, path: &[&str], found: &mut Vec<Verb>) {
    let ran = mint.run(&[path, &["--json", "--help"]].concat());
    assert_eq!(ran.code, Some(0), "`mint {}` takes no --json: {}", path.join(" "), ran.stderr);
    match ran.stdout.split_once("\nCommands:\n") {
        Some((_, below)) => {
            let names = below.lines().take_while(|line| !line.is_empty()).filter(|line| !line.starts_with("   "));
            let names = names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help");
            for name in names {
                verbs(mint, &[path, &[name]].concat(), found);
            }
        }
        None => found.push(Verb { path: path.join(" "), help: ran.stdout }),
    }
}

#[tokio::test]
async fn every_verb_speaks_json_and_every_one_that_asks_a_server_knows_profiles() {
    let mut mint = Mint::serving().await;
    assert_eq!(mint.run(&["user", "appoint", "admin"]).code, Some(0));
    assert_eq!(mint.run_with(&["auth", "login", "admin"], PASSWORD).code, Some(0));
    let mut found = Vec::new();
    verbs(&mint, &[], &mut found);
    assert!(found.len() > 70, "{} verbs", found.len());
    let mut at_the_machine = Vec::new();
    for Verb { path, help } in &found {
        assert!(help.contains("--json"), "`mint {path} --help` does not tell of --json");
        let words =
            ["--url <URL>", "[env: MINT_URL=", "--profile <NAME>", "[env: MINT_PROFILE=", "--token <TOKEN>", "[env: MINT_TOKEN]"];
        // Long lines are broken anywhere between words.
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        match words.iter().filter(|word| help.contains(*word)).count() {
            0 => at_the_machine.push(path.as_str()),
            count => assert_eq!(count, words.len(), "`mint {path}` takes some of a connection's options: {help}"),
        }
    }
    at_the_machine.sort_unstable();
    assert_eq!(at_the_machine, AT_THE_MACHINE);

    let mut tried = Vec::new();
    for Verb { path, help } in &found {
        let words: Vec<_> = path.split(' ').collect();
        if NOT_TRIED.contains(&path.as_str()) || !help.contains(&format!("Usage: mint {path} [OPTIONS]\n")) {
            continue;
        }
        let ran = mint.run(&[&["--json"], &words[..]].concat());
        assert_eq!(ran.code, Some(0), "{path}: {}", ran.stderr);
        let printed = serde_json::from_str::<Value>(&ran.stdout);
        assert!(printed.is_ok(), "`mint --json {path}` printed {}", ran.stdout);
        tried.push(path.as_str());
    }
    assert!(tried.len() >= 15, "{tried:?}");
    assert_eq!(mint.end(Signal::TERM), Some(0), "{}", mint.log());
}
