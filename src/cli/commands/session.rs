//! `mint session`: where somebody is signed in.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::json;

use super::user::find;
use crate::{
    client::{Client, Connection},
    output::{Output, cell, table},
};

/// Lists and ends sessions.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Lists live sessions
    List(Whose),
    /// Ends one session, or all but the one that asks
    Revoke {
        /// As `list` shows it; by default all others
        session: Option<String>,
        #[command(flatten)]
        whose: Whose,
    },
}

/// Whose sessions or tokens.
#[derive(Debug, Args)]
pub(super) struct Whose {
    /// Name of a user; by default one's own
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    #[command(flatten)]
    pub(super) connection: Connection,
}

impl Whose {
    /// The query that names them.
    pub(super) async fn query(&self, client: &Client) -> anyhow::Result<Vec<(&'static str, String)>> {
        match &self.user {
            Some(name) => Ok(vec![("user", cell(&find(client, name).await?, "id"))]),
            None => Ok(Vec::new()),
        }
    }
}

/// Runs one of them.
pub(super) async fn run(command: Command, output: Output) -> anyhow::Result<ExitCode> {
    match command {
        Command::List(whose) => {
            let client = whose.connection.client()?;
            let query = whose.query(&client).await?;
            let sessions = client.send(client.request(Method::GET, "/api/sessions").query(&query)).await?;
            output.print(&sessions, |sessions| {
                let head = ["SESSION", "LAST SEEN", "ENDS", "FROM", "CURRENT"].map(str::to_owned).to_vec();
                let keys = ["id", "last_seen_at", "expires_at", "address", "is_current"];
                let rows = sessions.as_array().into_iter().flatten();
                let rows = rows.map(|session| keys.map(|key| cell(session, key)).to_vec());
                table(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
            })?;
        }
        Command::Revoke { session, whose } => {
            let client = whose.connection.client()?;
            let query = whose.query(&client).await?;
            let path = session.as_ref().map_or_else(|| "/api/sessions".to_owned(), |id| format!("/api/sessions/{id}"));
            let ended = client.send(client.request(Method::DELETE, &path).query(&query)).await?;
            let ended = ended.get("ended").and_then(serde_json::Value::as_u64).unwrap_or(1);
            output.print(&json!({ "ended": ended }), |_| format!("{ended} session(s) ended"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
