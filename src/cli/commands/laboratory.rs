//! `mint laboratory`: what each laboratory may take of the server.

use std::{collections::BTreeMap, path::Path, process::ExitCode, sync::Arc};

use clap::Subcommand;
use mint_domain::Slug;
use mint_platform::{Accounts, layout::Layout, running::Running};
use reqwest::Method;

use super::limits::{Changes, rows};
use crate::{client::Connection, config::Config, output::Output, serve::open_services};

/// Shows and sets laboratories' shares of the server.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Shows what all plugins of one's own laboratory together may take of the server, and what they do
    Share {
        #[command(flatten)]
        connection: Connection,
    },
    /// Gives a laboratory a share of its own, at the machine of the server
    Give {
        /// Slug of the laboratory
        tenant: Slug,
        #[command(flatten)]
        changes: Changes,
    },
}

/// Runs one of them.
pub(super) async fn run(command: Command, config: Option<&Path>, output: Output) -> anyhow::Result<ExitCode> {
    match command {
        Command::Share { connection } => {
            let client = connection.client()?;
            let share = client.send(client.request(Method::GET, "/api/platform/share")).await?;
            let head = ["SHARE", "VALUE", "SAID BY", "NOW", "MOST SO FAR", "REACHED"];
            output.print(&share, |share| rows(share, &head, &["name", "value", "from", "current", "peak", "reached"]))?;
        }
        Command::Give { tenant, changes } => {
            let edits = changes.edits()?;
            let config = Config::load(config)?;
            let layout = Layout::at(&config.server.data_path);
            let services = open_services(&config, &layout, Arc::new(Running::default())).await?;
            let share = Accounts::new(services.clone()).set_share(&tenant, &edits).await;
            services.db.close().await;
            let share = serde_json::to_value(share?)?;
            let own: BTreeMap<String, u64> = serde_json::from_value(share.clone())?;
            output.print(&share, |_| {
                let own: Vec<String> = own.iter().map(|(name, value)| format!("{name}={value}")).collect();
                format!("{tenant}: {}", if own.is_empty() { "as everybody".to_owned() } else { own.join(", ") })
            })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
