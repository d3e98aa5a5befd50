//! `mint plugin snapshots`, `snapshot`, `backup` and `restore`.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use mint_bundle::archive::Archive;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    dry_run::{self, DryRun},
    plugin::{text, watch},
};
use crate::{
    client::Connection,
    download,
    output::{Output, table},
    progress::sent_file,
};

/// Whose snapshots.
#[derive(Debug, clap::Args)]
pub(super) struct Snapshots {
    /// Slug
    plugin: String,
    #[command(flatten)]
    connection: Connection,
}

/// Of what to take one.
#[derive(Debug, clap::Args)]
pub(super) struct Take {
    /// Slug
    plugin: String,
    #[command(flatten)]
    run: DryRun,
    #[command(flatten)]
    connection: Connection,
}

/// What to back up.
#[derive(Debug, clap::Args)]
pub(super) struct Backup {
    /// Slug
    plugin: String,
    /// The file to write, which must not exist
    file: PathBuf,
    #[command(flatten)]
    run: DryRun,
    #[command(flatten)]
    connection: Connection,
}

/// What to put back.
#[derive(Debug, clap::Args)]
pub(super) struct Restore {
    /// A file that `mint plugin backup` wrote
    file: PathBuf,
    /// Let migrations that the data lack take away what earlier releases use
    #[arg(long)]
    allow_destructive: bool,
    #[command(flatten)]
    run: DryRun,
    #[command(flatten)]
    connection: Connection,
}

/// Takes a snapshot, and writes it into a file, which is whole when it has its name.
pub(super) async fn backup(arguments: Backup, output: Output) -> anyhow::Result<ExitCode> {
    let Backup { plugin, file, run, connection } = arguments;
    download::expect_absent(&file)?;
    let client = connection.client()?;
    let mut begun = client.send(run.on(client.request(Method::POST, &format!("/api/plugins/{plugin}/snapshots")))).await?;
    if run.dry_run {
        let further = json!({ "name": "download", "would": format!("writes it into {}", file.display()) });
        begun.get_mut("steps").and_then(Value::as_array_mut).context("the server told no steps")?.push(further);
        return dry_run::print(&begun, output);
    }
    let operation = begun.get("id").and_then(Value::as_i64).context("the server gave no operation")?;
    let ended = watch(&client, output, begun).await?;
    if ended != ExitCode::SUCCESS {
        return Ok(ended);
    }
    let snapshots = client.send(client.request(Method::GET, &format!("/api/plugins/{plugin}/snapshots"))).await?;
    let taken = |snapshot: &&Value| snapshot.get("operation").and_then(Value::as_i64) == Some(operation);
    let snapshot = snapshots.as_array().into_iter().flatten().find(taken).context("the snapshot is gone already")?;
    let id = snapshot.get("id").and_then(Value::as_i64).context("the snapshot has no number")?;
    let request = client.request(Method::GET, &format!("/api/plugins/{plugin}/snapshots/{id}"));
    let response = client.open(request).await?;
    download::save(response, &file, (output, "download"), |partial| check(partial, text(snapshot, "digest"))).await?;
    output.note(&format!("{} holds {plugin} {} of {}", file.display(), text(snapshot, "version"), text(snapshot, "created_at")));
    Ok(ExitCode::SUCCESS)
}

fn check(file: &Path, digest: &str) -> anyhow::Result<()> {
    let digest = digest.parse().ok().context("the server gave no digest")?;
    Archive::<Value>::open(file, Some(digest), u64::MAX).context("what came is no backup; nothing was written")?;
    Ok(())
}

/// Uploads a backup, puts it back, and prints the steps.
pub(super) async fn restore(arguments: Restore, output: Output) -> anyhow::Result<ExitCode> {
    let Restore { file, allow_destructive, run, connection } = arguments;
    let archive = Archive::<Value>::open(&file, None, u64::MAX).with_context(|| format!("{} is no backup", file.display()))?;
    let plugin = text(&archive.about, "plugin").to_owned();
    let client = connection.client()?;
    let (body, length) = sent_file(output, &file).await?;
    let upload = client.request(Method::POST, &format!("/api/plugins/{plugin}/snapshots/upload")).body(body);
    let upload = run.on(upload).header("content-type", "application/zip").header("content-length", length);
    if run.dry_run {
        let foreseen = client.send(upload.query(&[("allow_destructive", allow_destructive)])).await?;
        return dry_run::print(&foreseen, output);
    }
    let snapshot = client.send(upload).await?;
    let id = snapshot.get("id").cloned().context("the server gave no snapshot")?;
    let path = format!("/api/plugins/{plugin}/restore");
    let what = json!({ "snapshot": id, "allow_destructive": allow_destructive });
    let begun = client.send(client.request(Method::POST, &path).json(&what)).await?;
    watch(&client, output, begun).await
}

/// Prints them.
pub(super) async fn list(arguments: Snapshots, output: Output) -> anyhow::Result<ExitCode> {
    let client = arguments.connection.client()?;
    let path = format!("/api/plugins/{}/snapshots", arguments.plugin);
    let snapshots = client.send(client.request(Method::GET, &path)).await?;
    output.print(&snapshots, |snapshots| {
        let head = ["SNAPSHOT", "VERSION", "TAKEN AT", "BEFORE", "BY", "KIB"].map(str::to_owned).to_vec();
        let number = |snapshot: &Value, key: &str| snapshot.get(key).and_then(Value::as_i64).unwrap_or_default();
        let row = |snapshot: &Value| {
            let [version, at, reason, by] =
                ["version", "created_at", "reason", "taken_by"].map(|key| text(snapshot, key).to_owned());
            let (id, size) = (number(snapshot, "id").to_string(), (number(snapshot, "size") / 1024).to_string());
            vec![id, version, at, reason, by, size]
        };
        let rows: Vec<_> = std::iter::once(head).chain(snapshots.as_array().into_iter().flatten().map(row)).collect();
        table(&rows)
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Takes one, and prints the steps.
pub(super) async fn take(arguments: Take, output: Output) -> anyhow::Result<ExitCode> {
    let client = arguments.connection.client()?;
    let path = format!("/api/plugins/{}/snapshots", arguments.plugin);
    let begun = client.send(arguments.run.on(client.request(Method::POST, &path))).await?;
    watch(&client, output, begun).await
}
