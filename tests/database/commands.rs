//! `mint db`.

use crate::cli::Mint;

#[tokio::test]
async fn the_tables_are_looked_at_and_brought_up_to_date() {
    let mint = Mint::new();
    let (none, made, fine) = (mint.run(&["db", "status"]), mint.run(&["db", "migrate"]), mint.run(&["db", "status"]));
    assert!(none.code == Some(1) && none.stdout.contains("there is no "), "{}{}", none.stdout, none.stderr);
    assert!(
        made.code == Some(0) && made.stdout.contains("applied    0001 tenants and people, "),
        "{}{}",
        made.stdout,
        made.stderr
    );
    assert!(fine.code == Some(0) && fine.stdout.contains("pending    none"), "{}{}", fine.stdout, fine.stderr);
    let again = mint.run(&["db", "migrate"]);
    assert!(again.code == Some(0) && again.stdout.contains("applied    none"), "{}{}", again.stdout, again.stderr);
}

#[tokio::test]
async fn several_do_it_at_once_on_a_server() {
    let Some(database) = mint_store::testing::databases().await.into_iter().find(|test| !test.url.starts_with("sqlite")) else {
        return;
    };
    let mut mint = Mint::new();
    mint.set("MINT_DATABASE__URL", database.url.clone());
    let fine = mint.run(&["--json", "db", "status"]);
    let status: serde_json::Value = serde_json::from_str(&fine.stdout).unwrap();
    assert_eq!((fine.code, &status["kind"], &status["pending"]), (Some(0), &"PostgreSQL".into(), &serde_json::json!([])));
    mint.set("MINT_DATABASE__URL", "postgres://nobody@127.0.0.1:1/none".to_owned());
    let away = mint.run(&["db", "status"]);
    assert!(away.code == Some(1) && away.stdout.starts_with("reachable  no: "), "{}{}", away.stdout, away.stderr);
}
