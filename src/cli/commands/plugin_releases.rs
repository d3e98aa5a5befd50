//! `mint plugin rollback` and `mint plugin releases`.

use std::process::ExitCode;

use mint_domain::Capability;
use reqwest::Method;
use serde_json::{Value, json};

use super::plugin::{text, watch};
use crate::{
    client::Connection,
    output::{Output, table},
};

/// Where to go back to.
#[derive(Debug, clap::Args)]
pub(super) struct RollBack {
    /// Slug
    plugin: String,
    /// The version; the one before the present one where none is given
    #[arg(long, value_name = "VERSION")]
    to: Option<String>,
    /// Also put back what the plugin held then: a snapshot of `mint plugin snapshots`. It does not answer meanwhile
    #[arg(long, value_name = "SNAPSHOT", conflicts_with = "to")]
    snapshot: Option<i64>,
    /// Let migrations that the data of the snapshot lack take away what earlier releases use
    #[arg(long, requires = "snapshot")]
    allow_destructive: bool,
    /// Grant a capability that the earlier release asks for; may be repeated
    #[arg(long, value_name = "CAPABILITY")]
    grant: Vec<Capability>,
    #[command(flatten)]
    connection: Connection,
}

/// Whose releases.
#[derive(Debug, clap::Args)]
pub(super) struct Releases {
    /// Slug
    plugin: String,
    #[command(flatten)]
    connection: Connection,
}

/// Goes back, and prints the steps.
pub(super) async fn roll_back(arguments: RollBack, output: Output) -> anyhow::Result<ExitCode> {
    let client = arguments.connection.client()?;
    let (verb, to) = match arguments.snapshot {
        Some(snapshot) => {
            let allowed = arguments.allow_destructive;
            ("restore", json!({ "snapshot": snapshot, "grants": arguments.grant, "allow_destructive": allowed }))
        }
        None => ("rollback", json!({ "version": arguments.to, "grants": arguments.grant })),
    };
    let path = format!("/api/plugins/{}/{verb}", arguments.plugin);
    let begun = client.send(client.request(Method::POST, &path).json(&to)).await?;
    watch(&client, output, begun).await
}

/// Prints them.
pub(super) async fn list(arguments: Releases, output: Output) -> anyhow::Result<ExitCode> {
    let client = arguments.connection.client()?;
    let releases = client.send(client.request(Method::GET, &format!("/api/plugins/{}/releases", arguments.plugin))).await?;
    output.print(&releases, |releases| {
        let head = ["VERSION", "SINCE", "UNTIL"].map(str::to_owned).to_vec();
        let row = |release: &Value| {
            let until = Some(text(release, "ended_at")).filter(|until| !until.is_empty()).unwrap_or("active");
            vec![text(release, "version").to_owned(), text(release, "began_at").to_owned(), until.to_owned()]
        };
        let rows: Vec<_> = std::iter::once(head).chain(releases.as_array().into_iter().flatten().map(row)).collect();
        table(&rows)
    })?;
    Ok(ExitCode::SUCCESS)
}
