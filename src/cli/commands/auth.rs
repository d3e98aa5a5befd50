//! `mint auth`.

use std::{
    io::{IsTerminal as _, Read as _, Write as _},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use super::device_login;
use crate::{client::Connection, credentials::Credentials, output::Output};

/// Signs in and out.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Signs in and keeps the token; reads the password from standard input
    Login {
        /// Name to sign in with
        #[arg(required_unless_present = "device")]
        username: Option<String>,
        /// Slug of the laboratory; by default that of the server's host, else `default`
        #[arg(long)]
        tenant: Option<String>,
        /// Show a code, and wait for you to let this in where you have a browser
        #[arg(long, conflicts_with = "username")]
        device: bool,
        /// Let this change nothing
        #[arg(long, requires = "device")]
        read_only: bool,
        #[command(flatten)]
        connection: Connection,
    },
    /// Ends the session and forgets the token
    Logout {
        #[command(flatten)]
        connection: Connection,
    },
    /// Says who is signed in
    Status {
        #[command(flatten)]
        connection: Connection,
    },
}

/// Signs in or out.
pub(super) async fn run(command: Command, output: Output) -> anyhow::Result<ExitCode> {
    match command {
        Command::Login { username: Some(username), tenant, connection, .. } => {
            login(&connection, output, tenant, &username).await
        }
        Command::Login { username: None, tenant, read_only, connection, .. } => {
            let client = connection.client()?;
            let (token, username) = device_login::wait(&client, tenant.as_deref(), read_only).await?;
            signed_in(&connection, output, &client.url, token, &username)
        }
        Command::Logout { connection } => {
            let client = connection.client()?;
            client.send(client.request(Method::POST, "/api/auth/logout")).await?;
            keep(&connection, &client.url, None)?;
            output.print(&json!({ "signed_out": client.url }), |_| format!("signed out of {}", client.url))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Status { connection } => {
            let client = connection.client()?;
            let me = client.send(client.request(Method::GET, "/api/auth/verify")).await?;
            let text = |key: &str| me.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
            output.print(&me, |_| format!("{} ({}) at {}", text("username"), text("role"), client.url))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn login(connection: &Connection, output: Output, tenant: Option<String>, username: &str) -> anyhow::Result<ExitCode> {
    let client = connection.client()?;
    if std::io::stdin().is_terminal() {
        write!(std::io::stderr(), "Password (shown as typed; end with Ctrl-D): ")?;
    }
    let mut password = String::new();
    std::io::stdin().take(4_096).read_to_string(&mut password)?;
    let mut body = json!({ "username": username, "password": password.trim_end_matches(['\r', '\n']) });
    if let (Some(fields), Some(tenant)) = (body.as_object_mut(), tenant) {
        fields.insert("tenant".to_owned(), tenant.into());
    }
    let session = client.send(client.request(Method::POST, "/api/auth/login").json(&body)).await?;
    let token = session.get("access_token").and_then(Value::as_str).context("the server gave no token")?;
    signed_in(connection, output, &client.url, token.to_owned(), username)
}

fn signed_in(connection: &Connection, output: Output, url: &str, token: String, username: &str) -> anyhow::Result<ExitCode> {
    keep(connection, url, Some(token))?;
    output.print(&json!({ "url": url, "username": username }), |_| format!("signed in to {url} as {username}"))?;
    Ok(ExitCode::SUCCESS)
}

fn keep(connection: &Connection, url: &str, token: Option<String>) -> anyhow::Result<()> {
    let path = connection.credentials_path()?;
    let mut credentials = Credentials::load(&path)?;
    credentials.set(url, token);
    credentials.save(&path)
}
