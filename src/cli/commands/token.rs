//! `mint token`: what programs sign in with.

use std::process::ExitCode;

use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use super::{service_token, session::Whose};
use crate::{
    client::Connection,
    output::{Output, cell, table},
};

/// Makes, lists and revokes access tokens.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Makes a token and prints it, this once
    Create {
        /// What to call it
        name: String,
        /// How long it lasts
        #[arg(long, default_value_t = 90)]
        days: u32,
        /// Let it change nothing
        #[arg(long)]
        read_only: bool,
        /// What it allows at most; by default all that you may
        #[arg(long, value_delimiter = ',')]
        permissions: Option<Vec<String>>,
        #[command(flatten)]
        connection: Connection,
    },
    /// Lists tokens
    List(Whose),
    /// Makes, lists and revokes tokens of programs that ask one plugin and are no person
    #[command(subcommand)]
    Service(service_token::Command),
    /// Ends a token
    Revoke {
        /// As `list` shows it
        id: i64,
        #[command(flatten)]
        connection: Connection,
    },
}

/// Runs one of them.
pub(super) async fn run(command: Command, output: Output) -> anyhow::Result<ExitCode> {
    match command {
        Command::Create { name, days, read_only, permissions, connection } => {
            let client = connection.client()?;
            let body = json!({ "name": name, "days": days, "read_only": read_only, "permissions": permissions });
            let made = client.send(client.request(Method::POST, "/api/tokens").json(&body)).await?;
            output.note("this is shown once; keep it like a password");
            output.print(&made, |made| cell(made, "token"))?;
        }
        Command::List(whose) => {
            let client = whose.connection.client()?;
            let query = whose.query(&client).await?;
            let tokens = client.send(client.request(Method::GET, "/api/tokens").query(&query)).await?;
            output.print(&tokens, |tokens| {
                let head = ["ID", "NAME", "TOKEN", "MAY", "ENDS", "LAST USED"].map(str::to_owned).to_vec();
                let rows = tokens.as_array().into_iter().flatten().map(row);
                table(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
            })?;
        }
        Command::Service(command) => service_token::run(command, output).await?,
        Command::Revoke { id, connection } => {
            let client = connection.client()?;
            client.send(client.request(Method::DELETE, &format!("/api/tokens/{id}"))).await?;
            output.print(&json!({ "revoked": id }), |_| format!("token {id} is revoked"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn row(token: &Value) -> Vec<String> {
    let permissions = token.get("permissions").and_then(Value::as_array);
    let listed = permissions.map(|list| list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","));
    let may = match (token.get("read_only") == Some(&Value::Bool(true)), listed) {
        (true, _) => "read".to_owned(),
        (false, Some(listed)) => listed,
        (false, None) => "all".to_owned(),
    };
    let [id, name, beginning, ends, used] = ["id", "name", "beginning", "expires_at", "last_used_at"].map(|key| cell(token, key));
    vec![id, name, format!("{beginning}…"), may, ends, used]
}
