//! `mint status`.

use std::process::ExitCode;

use reqwest::Method;
use serde_json::Value;

use super::plugin::text;
use crate::{
    client::Connection,
    output::{Output, table},
};

/// Which server to ask.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    connection: Connection,
}

/// Prints the servers and what answers at each of them.
pub(super) async fn run(arguments: Arguments, output: Output) -> anyhow::Result<ExitCode> {
    let client = arguments.connection.client()?;
    let servers = client.send(client.request(Method::GET, "/api/replicas")).await?;
    output.print(&servers, |servers| {
        let head = ["SERVER", "ADDRESS", "VERSION", "SINCE", "SEEN", "PLUGINS"].map(str::to_owned).to_vec();
        let rows = servers.as_array().into_iter().flatten().map(row);
        table(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
    })?;
    Ok(ExitCode::SUCCESS)
}

fn row(server: &Value) -> Vec<String> {
    let served = server.get("serves").and_then(Value::as_array).into_iter().flatten();
    let plugins: Vec<_> = served.map(|served| format!("{} {}", text(served, "name"), text(served, "version"))).collect();
    let mut row = ["id", "address", "version", "started_at", "seen_at"].map(|name| text(server, name).to_owned()).to_vec();
    row.push(plugins.join(", "));
    row
}
