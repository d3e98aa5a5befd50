//! `mint plugin migrations` and `mint plugin reset`.

use std::process::ExitCode;

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    dry_run::DryRun,
    plugin::{text, watch},
    typed::typed,
};
use crate::{
    client::Connection,
    output::{Output, table},
};

/// Whose tables.
#[derive(Debug, clap::Args)]
pub(super) struct Migrations {
    /// Slug
    plugin: String,
    #[command(flatten)]
    connection: Connection,
}

/// How far to set tables back.
#[derive(Debug, clap::Args)]
pub(super) struct Reset {
    /// Slug
    plugin: String,
    /// The last migration that stays; 0 for none
    #[arg(long, value_name = "N")]
    revision: u32,
    /// The slug once more, to say that it is meant: what later migrations brought is lost
    #[arg(long, value_name = "SLUG")]
    confirm: Option<String>,
    #[command(flatten)]
    run: DryRun,
    #[command(flatten)]
    connection: Connection,
}

/// Prints them.
pub(super) async fn list(arguments: Migrations, output: Output) -> anyhow::Result<ExitCode> {
    let client = arguments.connection.client()?;
    let path = format!("/api/plugins/{}/migrations", arguments.plugin);
    let found = client.send(client.request(Method::GET, &path)).await?;
    output.print(&found, |found| {
        let migrations = found.get("migrations").and_then(Value::as_array).cloned().unwrap_or_default();
        if migrations.is_empty() {
            return format!("{} has no migrations", arguments.plugin);
        }
        let head = ["VERSION", "NAME", "STATE", "WHEN", ""].map(str::to_owned).to_vec();
        let row = |one: &Value| {
            let version = one.get("version").and_then(Value::as_u64).unwrap_or_default().to_string();
            let is_destructive = one.get("destructive").and_then(Value::as_bool).unwrap_or_default();
            let remark = match (text(one, "error"), is_destructive) {
                ("", true) => "destructive",
                (error, _) => error,
            };
            let [name, state, when] = ["name", "state", "applied_at"].map(|key| text(one, key).to_owned());
            vec![version, name, state, when, remark.to_owned()]
        };
        let rows: Vec<_> = std::iter::once(head).chain(migrations.iter().map(row)).collect();
        table(&rows)
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Sets tables back, and prints the steps.
pub(super) async fn reset(arguments: Reset, output: Output) -> anyhow::Result<ExitCode> {
    let client = arguments.connection.client()?;
    let confirm = match arguments.confirm {
        Some(confirm) => confirm,
        None if arguments.run.dry_run => String::new(),
        None => typed(&arguments.plugin, &format!("What migrations after {} brought", arguments.revision), output)?,
    };
    let to = json!({ "revision": arguments.revision, "confirm": confirm });
    let path = format!("/api/plugins/{}/reset", arguments.plugin);
    let begun = client.send(arguments.run.on(client.request(Method::POST, &path)).json(&to)).await?;
    watch(&client, output, begun).await
}
