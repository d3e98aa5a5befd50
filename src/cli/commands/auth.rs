//! `mint auth`.

use std::{
    io::{IsTerminal as _, Read as _, Write as _},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::device_login::{self, SignedIn};
use crate::{
    client::{Client, Connection},
    credentials::{Credentials, Profile},
    output::{Output, cell},
};

/// Signs in and out.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Signs in and keeps the token as a profile, the one in use from then on; reads the password from standard input
    ///
    /// `--profile` names the profile, new or not. Without it, the one in use for that server is signed in anew.
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
    /// Ends the session and forgets the token; the profile stays, to sign in again
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
        Command::Login { username, tenant, read_only, connection, .. } => {
            let client = connection.newcomer()?;
            let signed = match username {
                Some(username) => by_password(&client, tenant.as_deref(), username).await?,
                None => device_login::wait(&client, tenant.as_deref(), read_only).await?,
            };
            let who = signed.username.clone();
            let profile = Profile {
                url: client.url.clone(),
                username: Some(signed.username),
                tenant,
                expires_at: signed.expires_at,
                token: Some(signed.token),
            };
            let path = connection.credentials_path()?;
            let named = connection.profile().cloned();
            let name = Credentials::change(&path, |kept| Ok(kept.sign_in(named, profile)))?;
            let told = json!({ "url": client.url, "username": who, "profile": name });
            output.print(&told, |_| format!("signed in to {} as {who} (profile {name})", client.url))?;
        }
        Command::Logout { connection } => {
            let client = connection.client()?;
            client.send(client.request(Method::POST, "/api/auth/logout")).await?;
            if let Some((name, token)) = client.account() {
                Credentials::change(&connection.credentials_path()?, |kept| {
                    kept.sign_out(name, token);
                    Ok(())
                })?;
            }
            output.print(&json!({ "signed_out": client.url }), |_| format!("signed out of {}", client.url))?;
        }
        Command::Status { connection } => {
            let client = connection.client()?;
            let me = client.send(client.request(Method::GET, "/api/auth/verify")).await?;
            let by = client.account().map(|(name, _)| format!(" (profile {name})")).unwrap_or_default();
            output.print(&me, |me| format!("{} ({}) at {}{by}", cell(me, "username"), cell(me, "role"), client.url))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn by_password(client: &Client, tenant: Option<&str>, username: String) -> anyhow::Result<SignedIn> {
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
    let expires_at = OffsetDateTime::parse(&cell(&session, "expires_at"), &Rfc3339).ok();
    Ok(SignedIn { token: token.into(), username, expires_at })
}
