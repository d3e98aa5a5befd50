//! `mint plugin snapshots` and `mint plugin snapshot`.

use std::process::ExitCode;

use reqwest::Method;
use serde_json::Value;

use super::plugin::{text, watch};
use crate::{
    client::Connection,
    output::{Output, table},
};

/// Whose snapshots.
#[derive(Debug, clap::Args)]
pub(super) struct Snapshots {
    /// Slug
    plugin: String,
    #[command(flatten)]
    connection: Connection,
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
pub(super) async fn take(arguments: Snapshots, output: Output) -> anyhow::Result<ExitCode> {
    let client = arguments.connection.client()?;
    let path = format!("/api/plugins/{}/snapshots", arguments.plugin);
    let begun = client.send(client.request(Method::POST, &path)).await?;
    watch(&client, output, begun).await
}
