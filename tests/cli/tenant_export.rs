//! `mint tenant export`: all that a laboratory has, as a file.

use std::{
    fs,
    io::{Cursor, Read as _},
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use mint_domain::Digest;
use mint_tests::{Client, PASSWORD};
use rustix::process::Signal;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use zip::ZipArchive;

use super::Mint;

/// What stands beside the server's data in a home.
fn files(home: &Path) -> Vec<String> {
    let names = fs::read_dir(home).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    let mut names: Vec<_> =
        names.filter(|name| name.contains("mint-") || name.contains("zip") || name.contains("part")).collect();
    names.sort();
    names
}

/// A way to the server at `url` on which each answer breaks off after so many bytes, for as long as the tasks live.
async fn cut(url: &str, bytes: usize) -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let way = format!("http://{}", listener.local_addr().unwrap());
    let server = url.strip_prefix("http://").unwrap().to_owned();
    let mut relay = JoinSet::new();
    relay.spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut server = TcpStream::connect(&server).await.unwrap();
            let (mut asked, mut said) = (vec![0; 64 << 10], Vec::new());
            let length = client.read(&mut asked).await.unwrap();
            server.write_all(&asked[..length]).await.unwrap();
            server.take(bytes as u64).read_to_end(&mut said).await.unwrap();
            client.write_all(&said).await.unwrap();
        }
    });
    (way, relay)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_laboratory_comes_as_a_file_that_is_whole_or_not_there() {
    for database in mint_store::testing::databases().await {
        let mut mint = Mint::serving_on(Some(&database.url)).await;
        let made = mint.run_with(&["user", "create", "grace", "--tenant", "north", "--role", "admin"], PASSWORD);
        assert_eq!(made.code, Some(0), "{}", made.stderr);
        assert_eq!(mint.run_with(&["auth", "login", "grace", "--tenant", "north"], PASSWORD).code, Some(0));
        let grace = Client::sign_in(&mint.url, "north", "grace").await;
        let experiment = grace.experiment("fluxes of the north").await;
        let path = format!("/api/experiments/{experiment}/objects/a.bin");
        assert!(grace.put(&path, vec![7; 1 << 20]).await.status.is_success());

        let export = ["tenant", "export", "north", "--output", "north.zip"];
        let ran = mint.run(&[&["--json"], &export[..]].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let told: Value = serde_json::from_str(&ran.stdout).unwrap();
        let file = mint.home().join("north.zip");
        let bytes = fs::read(&file).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!((&told["tenant"], told["bytes"].as_u64()), (&Value::from("north"), Some(bytes.len() as u64)));
        assert_eq!(told["digest"], Digest::of(&bytes).to_string());
        let mut zip = ZipArchive::new(Cursor::new(&bytes)).unwrap();
        let mut rows = String::new();
        zip.by_name("experiments.jsonl").unwrap().read_to_string(&mut rows).unwrap();
        assert!(rows.contains("fluxes of the north"), "{rows}");

        // One that is there stays as it is.
        let again = mint.run(&export);
        assert!(
            again.code == Some(1) && again.stderr.contains("north.zip is there already; nothing was written"),
            "{}",
            again.stderr
        );
        assert_eq!(fs::read(&file).unwrap(), bytes);
        let foreign = mint.run(&["tenant", "export", "default", "--output", "default.zip"]);
        assert_eq!(foreign.code, Some(1), "{}", foreign.stdout);
        // Of one that breaks off nothing stays.
        let (way, _relay) = cut(&mint.url, bytes.len() / 2).await;
        let broken = ["tenant", "export", "north", "--url", &way, "--token", grace.token(), "--output"];
        let ran = mint.run(&[&broken[..], &["broken.zip"]].concat());
        assert!(ran.code == Some(1) && ran.stderr.contains("the export broke off; nothing was written"), "{}", ran.stderr);
        let nowhere = mint.run(&["tenant", "export", "north", "--output", "absent/north.zip"]);
        assert!(nowhere.code == Some(1) && nowhere.stderr.contains("absent/north.zip cannot be written"), "{}", nowhere.stderr);
        assert_eq!(files(mint.home()), ["north.zip"]);
        assert_eq!(mint.end(Signal::TERM), Some(0), "{}", mint.log());
    }
}
