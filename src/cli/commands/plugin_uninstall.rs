//! `mint plugin uninstall`.

use std::process::ExitCode;

use reqwest::Method;

use super::{dry_run::DryRun, plugin::watch, typed::typed};
use crate::{client::Connection, output::Output};

/// What to remove, and what becomes of its data.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Slug
    plugin: String,
    /// Also delete the plugin's own files and tables
    #[arg(long)]
    purge: bool,
    /// Archive the plugin's own files, tables and settings, for a later installation that adopts them
    #[arg(long, conflicts_with = "purge")]
    archive: bool,
    /// The slug once more, to say that a purge is meant: what the plugin holds is lost
    #[arg(long, value_name = "SLUG", requires = "purge")]
    confirm: Option<String>,
    #[command(flatten)]
    run: DryRun,
    #[command(flatten)]
    connection: Connection,
}

/// Removes it, and prints the steps.
pub(super) async fn run(arguments: Arguments, output: Output) -> anyhow::Result<ExitCode> {
    let Arguments { plugin, purge, archive, confirm, run, connection } = arguments;
    let client = connection.client()?;
    let data = match (purge, archive) {
        (true, _) => "purge",
        (_, true) => "archive",
        _ => "keep",
    };
    let confirm = match confirm {
        None if purge && !run.dry_run => typed(&plugin, &format!("What {plugin} holds"), output)?,
        given => given.unwrap_or_default(),
    };
    let request =
        client.request(Method::DELETE, &format!("/api/plugins/{plugin}")).query(&[("data", data), ("confirm", &confirm)]);
    let begun = client.send(run.on(request)).await?;
    watch(&client, output, begun).await
}
