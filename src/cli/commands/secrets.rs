//! `mint secrets`: for the operator at the machine of the server.

use std::{collections::BTreeMap, path::Path, process::ExitCode};

use clap::Subcommand;
use mint_context::secrets::Anew;
use mint_platform::secrets::{self, KeyUse, Sealing};
use serde::Serialize;

use super::user::at_the_machine;
use crate::output::{Output, table};

/// Looks after the keys of secrets that are stored.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(super) enum Command {
    /// Shows which keys there are, and what still needs each; one that nothing needs can be taken out of the configuration
    Status,
    /// Seals everything anew that another key than the present one has sealed; servers may run meanwhile
    Rotate,
}

#[derive(Debug, Serialize)]
struct Shown {
    #[serde(skip_serializing_if = "Option::is_none")]
    rotated: Option<Sealing>,
    keys: BTreeMap<String, KeyUse>,
}

/// Shows or seals. The exit code is 1 where a key is needed that is not here.
pub(super) async fn run(command: Command, config: Option<&Path>, output: Output) -> anyhow::Result<ExitCode> {
    let services = at_the_machine(config).await?;
    let shown = async {
        let rotated = match command {
            Command::Status => None,
            Command::Rotate => Some(secrets::seal(&services, Anew::Earlier).await?),
        };
        Ok::<_, mint_context::Error>(Shown { rotated, keys: secrets::keys(&services).await? })
    };
    let shown = shown.await;
    services.db.close().await;
    let shown = shown?;
    output.print(&shown, text)?;
    let is_whole = shown.keys.values().all(|key| key.is_here) && shown.rotated.is_none_or(|rotated| rotated.locked.is_empty());
    Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn text(shown: &Shown) -> String {
    let mut lines = Vec::new();
    if let Some(rotated) = &shown.rotated {
        lines.push(format!("sealed anew: {}", rotated.sealed));
        lines.extend(rotated.locked.iter().cloned());
    }
    let head = ["KEY", "IS", "SETTINGS", "ARCHIVES", "PEOPLE", "SNAPSHOTS"].map(str::to_owned).to_vec();
    let rows = shown.keys.iter().map(|(name, key)| {
        let is = match key {
            KeyUse { is_current: true, .. } => "the present one",
            KeyUse { is_here: true, .. } => "an earlier one",
            KeyUse { .. } => "not here",
        };
        let counts = [key.settings, key.archives, key.people, key.snapshots].map(|count| count.to_string());
        [name.clone(), is.to_owned()].into_iter().chain(counts).collect()
    });
    lines.push(table(&std::iter::once(head).chain(rows).collect::<Vec<_>>()));
    lines.join("\n")
}
