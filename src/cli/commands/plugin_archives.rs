//! `mint plugin archives` and `mint plugin purge`.

use std::process::ExitCode;

use mint_domain::ArchiveName;
use reqwest::Method;
use serde_json::Value;

use super::{
    dry_run::DryRun,
    plugin::{text, watch},
    typed::typed,
};
use crate::{
    client::Connection,
    output::{Output, table},
};

/// Whose.
#[derive(Debug, clap::Args)]
pub(super) struct Archives {
    #[command(flatten)]
    connection: Connection,
}

/// Which one.
#[derive(Debug, clap::Args)]
pub(super) struct Purge {
    /// Name of the archive
    archive: ArchiveName,
    /// The plugin's slug, to say that it is meant: what the archive holds is lost
    #[arg(long, value_name = "SLUG")]
    confirm: Option<String>,
    #[command(flatten)]
    run: DryRun,
    #[command(flatten)]
    connection: Connection,
}

/// Prints them.
pub(super) async fn list(arguments: Archives, output: Output) -> anyhow::Result<ExitCode> {
    let client = arguments.connection.client()?;
    let archives = client.send(client.request(Method::GET, "/api/archives")).await?;
    output.print(&archives, |archives| {
        let archives = archives.as_array().cloned().unwrap_or_default();
        if archives.is_empty() {
            return "nothing is archived; `mint plugin uninstall --archive` archives what a plugin holds".to_owned();
        }
        let head = ["ARCHIVE", "VERSION", "HOLDS", "BY", "ARCHIVED AT"].map(str::to_owned).to_vec();
        let row = |archive: &Value| {
            let has = |key: &str| archive.get(key).and_then(Value::as_bool).unwrap_or_default();
            let held = ["tables", "files"].into_iter().filter(|key| has(key)).chain(["settings"]).collect::<Vec<_>>().join(", ");
            let [name, version, by, at] =
                ["name", "version", "archived_by", "archived_at"].map(|key| text(archive, key).to_owned());
            vec![name, version, held, by, at]
        };
        let rows: Vec<_> = std::iter::once(head).chain(archives.iter().map(row)).collect();
        table(&rows)
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Deletes one, and prints the steps.
pub(super) async fn purge(arguments: Purge, output: Output) -> anyhow::Result<ExitCode> {
    let client = arguments.connection.client()?;
    let plugin = arguments.archive.plugin().as_str();
    let confirm = match arguments.confirm {
        Some(confirm) => confirm,
        None if arguments.run.dry_run => String::new(),
        None => typed(plugin, &format!("What {} holds", arguments.archive), output)?,
    };
    let path = format!("/api/archives/{}", arguments.archive);
    let begun = client.send(arguments.run.on(client.request(Method::DELETE, &path)).query(&[("confirm", confirm)])).await?;
    watch(&client, output, begun).await
}
