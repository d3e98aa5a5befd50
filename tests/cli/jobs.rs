//! `mint job`, as people use it.

use mint_tests::{Client, PASSWORD, bundle};
use serde_json::json;

use super::Mint;
use crate::jobs::{begin, stands};

#[tokio::test]
async fn jobs_at_a_shell() {
    let mint = Mint::serving().await;
    let ran = |arguments: &[&str]| -> String {
        let ran = mint.run(arguments);
        assert_eq!(ran.code, Some(0), "{arguments:?}: {}{}", ran.stdout, ran.stderr);
        ran.stdout
    };
    assert_eq!(mint.run_with(&["auth", "login", "admin"], PASSWORD).code, Some(0));
    ran(&["plugin", "install", bundle("hostile").path.to_str().unwrap(), "--yes"]);
    let head = "ID  PLUGIN  KIND  STATUS  ATTEMPT  PROGRESS  ASKED FOR";
    assert_eq!(ran(&["job", "list"]).trim_end(), head);

    let admin = Client::sign_in(&mint.url, "default", "admin").await;
    let payload = json!({ "message": "The plate is empty.", "final": true });
    let failed = begin(&admin, "hostile", json!({ "kind": "fail", "payload": payload, "key": "plate 7" })).await;
    stands(&admin, failed, "failed").await;
    let waiting = begin(&admin, "hostile", json!({ "kind": "echo", "payload": [1, 2], "delay_seconds": 3_600 })).await;

    let listed = ran(&["job", "list", "--plugin", "hostile"]);
    let kinds: Vec<Vec<&str>> = listed.lines().skip(1).map(|line| line.split_whitespace().take(5).collect()).collect();
    let (failed, waiting) = (failed.to_string(), waiting.to_string());
    assert_eq!(kinds, [[&waiting, "hostile", "echo", "queued", "0"], [&failed, "hostile", "fail", "failed", "1"]], "{listed}");
    assert_eq!(ran(&["job", "list", "--status", "queued"]).lines().count(), 2);
    assert_eq!(ran(&["job", "list", "--plugin", "other"]).trim_end(), head);
    let shown = ran(&["job", "show", &failed]);
    for (name, value) in [("status", "failed"), ("key", "plate 7"), ("error", "The plate is empty."), ("attempts", "1")] {
        assert!(shown.lines().any(|line| line.starts_with(name) && line.ends_with(value)), "{name} in\n{shown}");
    }
    assert!(!shown.contains("outcome"), "{shown}");

    let cancelled = format!("job {waiting} is not wanted any more; one that runs ends within ten seconds\n");
    assert_eq!(ran(&["job", "cancel", &waiting]), cancelled);
    assert_eq!(ran(&["job", "cancel", &waiting]), format!("job {waiting} had ended\n"));
    assert_eq!(ran(&["job", "retry", &waiting]), format!("job {waiting} is tried again\n"));
    stands(&admin, waiting.parse().unwrap(), "completed").await;
    assert!(ran(&["--json", "job", "show", &waiting]).contains("\"outcome\": [\n"));
    let done = mint.run(&["job", "retry", &waiting]);
    assert_eq!(done.code, Some(1));
    assert!(done.stderr.contains(&format!("Job {waiting} is completed")), "{}", done.stderr);
    assert!(mint.run(&["job", "show", "999"]).stderr.contains("There is no job 999"));
}
