//! `mint audit`: who changed what.

use std::{io::Write as _, process::ExitCode};

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::Value;

use crate::{
    client::Connection,
    output::{Output, cell, table},
};

/// Shows, exports and verifies the record of changes.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Lists changes, the newest first
    List {
        #[command(flatten)]
        which: Which,
        /// Most entries, up to 500
        #[arg(long, default_value_t = 50)]
        limit: u32,
        #[command(flatten)]
        connection: Connection,
    },
    /// Writes all of them as lines of JSON, the oldest first
    Export {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        connection: Connection,
    },
    /// Looks whether the record is what was written; fails where it is not
    Verify {
        #[command(flatten)]
        connection: Connection,
    },
}

/// Which changes.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// Only this action, such as user.update
    #[arg(long)]
    action: Option<String>,
    /// Only things of this kind, such as user
    #[arg(long)]
    entity_type: Option<String>,
    /// With --entity-type: only this one
    #[arg(long, requires = "entity_type")]
    entity_id: Option<String>,
    /// Only by this actor, such as user:ada
    #[arg(long)]
    actor: Option<String>,
    /// From this time on, such as 2026-01-31T12:00:00Z
    #[arg(long)]
    since: Option<String>,
    /// Before this time
    #[arg(long)]
    until: Option<String>,
}

impl Which {
    fn query(self) -> Vec<(&'static str, String)> {
        let fields = [
            ("action", self.action),
            ("entity_type", self.entity_type),
            ("entity_id", self.entity_id),
            ("actor", self.actor),
            ("since", self.since),
            ("until", self.until),
        ];
        fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

/// Runs one of them.
pub(super) async fn run(command: Command, output: Output) -> anyhow::Result<ExitCode> {
    match command {
        Command::List { which, limit, connection } => {
            let client = connection.client()?;
            let request = client.request(Method::GET, "/api/admin/audit").query(&which.query()).query(&[("limit", limit)]);
            let entries = client.send(request).await?;
            output.print(&entries, |entries| {
                let head = ["AT", "ACTOR", "ACTION", "ENTITY", "DETAILS"].map(str::to_owned).to_vec();
                let rows = entries.as_array().into_iter().flatten();
                let rows = rows.map(|entry| ["at", "actor", "action", "entity", "details"].map(|key| cell(entry, key)).to_vec());
                table(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
            })?;
        }
        Command::Export { which, connection } => {
            let client = connection.client()?;
            let request = client.request(Method::GET, "/api/admin/audit/export").query(&which.query());
            let mut lines = client.open(request).await?;
            let mut out = std::io::stdout();
            while let Some(bytes) = lines.chunk().await? {
                out.write_all(&bytes)?;
            }
        }
        Command::Verify { connection } => {
            let client = connection.client()?;
            let verdict = client.send(client.request(Method::GET, "/api/admin/audit/verify")).await?;
            output.print(&verdict, |verdict| match verdict.get("problem").and_then(Value::as_str) {
                Some(problem) => format!("the record was changed. {problem}"),
                None => format!("whole: {} entries, the last with the hash {}", cell(verdict, "entries"), cell(verdict, "hash")),
            })?;
            if verdict.get("whole") != Some(&Value::Bool(true)) {
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
