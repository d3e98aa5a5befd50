//! `mint job`: what plugins do when nobody waits.

use std::process::ExitCode;

use clap::Subcommand;
use reqwest::Method;
use serde_json::Value;

use crate::{
    client::Connection,
    output::{Output, cell, table},
};

/// Shows jobs of plugins, takes them back, tries them again.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Lists jobs, newest first: your own, or everybody's with the permission `jobs.read_all`
    List {
        /// Only those of this plugin
        #[arg(long)]
        plugin: Option<String>,
        /// Only those that stand so
        #[arg(long, value_parser = ["queued", "running", "completed", "failed", "cancelled"])]
        status: Option<String>,
        /// How many
        #[arg(long, default_value_t = 100)]
        limit: u32,
        #[command(flatten)]
        connection: Connection,
    },
    /// Shows one job
    Show {
        /// As `list` shows it
        id: i64,
        #[command(flatten)]
        connection: Connection,
    },
    /// Takes a job back
    Cancel {
        /// As `list` shows it
        id: i64,
        #[command(flatten)]
        connection: Connection,
    },
    /// Tries a job again that failed or was cancelled
    Retry {
        /// As `list` shows it
        id: i64,
        #[command(flatten)]
        connection: Connection,
    },
}

/// Runs one of them.
pub(super) async fn run(command: Command, output: Output) -> anyhow::Result<ExitCode> {
    match command {
        Command::List { plugin, status, limit, connection } => {
            let client = connection.client()?;
            let mut query = vec![("limit", limit.to_string())];
            query.extend(plugin.map(|plugin| ("plugin", plugin)));
            query.extend(status.map(|status| ("status", status)));
            let jobs = client.send(client.request(Method::GET, "/api/jobs").query(&query)).await?;
            output.print(&jobs, |jobs| {
                let head = ["ID", "PLUGIN", "KIND", "STATUS", "ATTEMPT", "PROGRESS", "ASKED FOR"].map(str::to_owned).to_vec();
                let rows = jobs.as_array().into_iter().flatten().map(row);
                table(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
            })
        }
        Command::Show { id, connection } => {
            let client = connection.client()?;
            let job = client.send(client.request(Method::GET, &format!("/api/jobs/{id}"))).await?;
            output.print(&job, shown)
        }
        Command::Cancel { id, connection } => {
            let client = connection.client()?;
            let said = client.send(client.request(Method::POST, &format!("/api/jobs/{id}/cancel"))).await?;
            output.print(&said, |said| match said.get("cancelled").and_then(Value::as_bool) {
                Some(true) => format!("job {id} is not wanted any more; one that runs ends within ten seconds"),
                _ => format!("job {id} had ended"),
            })
        }
        Command::Retry { id, connection } => {
            let client = connection.client()?;
            let job = client.send(client.request(Method::POST, &format!("/api/jobs/{id}/retry"))).await?;
            output.print(&job, |_| format!("job {id} is tried again"))
        }
    }?;
    Ok(ExitCode::SUCCESS)
}

fn row(job: &Value) -> Vec<String> {
    let [id, plugin, kind, status, attempt, created] =
        ["id", "plugin_id", "kind", "status", "attempt", "created_at"].map(|key| cell(job, key));
    vec![id, plugin, kind, status, attempt, progress(job), created]
}

fn progress(job: &Value) -> String {
    let percent = job.get("percent").and_then(Value::as_u64).map(|percent| format!("{percent} %"));
    let message = job.get("message").and_then(Value::as_str).map(str::to_owned);
    percent.into_iter().chain(message).collect::<Vec<_>>().join(", ")
}

/// One job, a line for each thing that there is to say of it.
fn shown(job: &Value) -> String {
    let lines = [
        ("job", cell(job, "id")),
        ("plugin", cell(job, "plugin_id")),
        ("kind", cell(job, "kind")),
        ("key", cell(job, "key")),
        ("status", cell(job, "status")),
        ("attempts", cell(job, "attempt")),
        ("progress", progress(job)),
        ("asked for", cell(job, "created_at")),
        ("not before", cell(job, "run_at")),
        ("began", cell(job, "started_at")),
        ("ended", cell(job, "ended_at")),
        ("error", cell(job, "error")),
        ("given", document(job, "payload")),
        ("outcome", document(job, "outcome")),
        ("request", cell(job, "request_id")),
    ];
    let rows: Vec<Vec<String>> =
        lines.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| vec![name.to_owned(), value]).collect();
    table(&rows)
}

fn document(job: &Value, key: &str) -> String {
    job.get(key).filter(|value| !value.is_null()).map(Value::to_string).unwrap_or_default()
}
