//! `mint token service`: what programs beside instruments sign in with, to one plugin.

use anyhow::Context as _;
use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    client::{Client, Connection},
    output::{Output, cell, table},
};

/// Makes, lists and revokes service tokens.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Makes a token for a program that asks one plugin, and prints it, this once
    Create {
        /// What to call it
        name: String,
        /// The plugin that it reaches
        #[arg(long)]
        plugin: String,
        /// Names or ids of the instruments that it stands for
        #[arg(long, value_delimiter = ',', required = true, num_args = 1..)]
        instruments: Vec<String>,
        /// How long it lasts
        #[arg(long, default_value_t = 90)]
        days: u32,
        /// Let it last until it is revoked
        #[arg(long, conflicts_with = "days")]
        never_ends: bool,
        #[command(flatten)]
        connection: Connection,
    },
    /// Lists the laboratory's service tokens
    List {
        #[command(flatten)]
        connection: Connection,
    },
    /// Ends a service token
    Revoke {
        /// As `list` shows it
        id: i64,
        #[command(flatten)]
        connection: Connection,
    },
}

/// Runs one of them.
pub(super) async fn run(command: Command, output: Output) -> anyhow::Result<()> {
    match command {
        Command::Create { name, plugin, instruments, days, never_ends, connection } => {
            let client = connection.client()?;
            let instruments = ids(&client, &instruments).await?;
            let days = (!never_ends).then_some(days);
            let body = json!({ "name": name, "plugin": plugin, "instruments": instruments, "days": days });
            let made = client.send(client.request(Method::POST, "/api/tokens/service").json(&body)).await?;
            output.note("this is shown once; keep it like a password");
            output.print(&made, |made| cell(made, "token"))
        }
        Command::List { connection } => {
            let client = connection.client()?;
            let tokens = client.send(client.request(Method::GET, "/api/tokens/service?limit=1000")).await?;
            output.print(&tokens, |tokens| {
                let head = ["ID", "NAME", "TOKEN", "PLUGIN", "INSTRUMENTS", "ENDS", "LAST USED"].map(str::to_owned).to_vec();
                let rows = tokens.as_array().into_iter().flatten().map(row);
                table(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
            })
        }
        Command::Revoke { id, connection } => {
            let client = connection.client()?;
            client.send(client.request(Method::DELETE, &format!("/api/tokens/service/{id}"))).await?;
            output.print(&json!({ "revoked": id }), |_| format!("service token {id} is revoked"))
        }
    }
}

/// The ids of instruments that people name as they like.
async fn ids(client: &Client, named: &[String]) -> anyhow::Result<Vec<String>> {
    let known = client.send(client.request(Method::GET, "/api/instruments")).await?;
    let known: Vec<&Value> = known.as_array().into_iter().flatten().collect();
    let id = |name: &String| {
        let mut fitting = known.iter().filter(|one| [cell(one, "id"), cell(one, "name")].contains(name));
        let found = fitting.next().with_context(|| {
            let names: Vec<String> = known.iter().map(|one| cell(one, "name")).collect();
            format!("there is no instrument `{name}`; there are: {}", names.join(", "))
        })?;
        anyhow::ensure!(fitting.next().is_none(), "several instruments are called `{name}`; say the id of one");
        Ok(cell(found, "id"))
    };
    named.iter().map(id).collect()
}

fn row(token: &Value) -> Vec<String> {
    let instruments = token.get("instruments").and_then(Value::as_array);
    let instruments: Vec<&str> = instruments.into_iter().flatten().filter_map(Value::as_str).collect();
    let [id, name, beginning, plugin, ends, used] =
        ["id", "name", "beginning", "plugin", "expires_at", "last_used_at"].map(|key| cell(token, key));
    let ends = if ends.is_empty() { "never".to_owned() } else { ends };
    vec![id, name, format!("{beginning}…"), plugin, instruments.join(","), ends, used]
}
