//! `mint user`: people of a laboratory. `create` works at the machine of the server, before anybody can sign in.

use std::{collections::BTreeMap, io::Read as _, path::Path, process::ExitCode, sync::Arc};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use mint_context::Services;
use mint_domain::Slug;
use mint_platform::{Accounts, layout::Layout, running::Running};
use reqwest::Method;
use secrecy::SecretString;
use serde_json::{Map, Value, json};

use crate::{
    client::{Client, Connection},
    config::Config,
    output::{Output, cell, table},
    serve::open_services,
};

/// Makes, changes and removes users.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Makes a user, and the laboratory when it is new, at the machine of the server; reads the password from standard input
    Create {
        /// Name to sign in with
        username: String,
        /// Slug of the laboratory
        #[arg(long, default_value = "default")]
        tenant: Slug,
        /// admin, member or viewer
        #[arg(long, default_value = "member")]
        role: String,
    },
    /// Lets somebody look after the whole installation, and make and delete laboratories; at the machine of the server
    Appoint {
        /// Name to sign in with
        username: String,
        /// Slug of the laboratory
        #[arg(long, default_value = "default")]
        tenant: Slug,
        /// Let them no longer
        #[arg(long)]
        withdraw: bool,
    },
    /// Makes a user of one's own laboratory, through the server; reads the password from standard input
    Add {
        /// Name to sign in with
        username: String,
        #[command(flatten)]
        fields: Fields,
        #[command(flatten)]
        connection: Connection,
    },
    /// Lists users
    List {
        #[command(flatten)]
        connection: Connection,
    },
    /// Shows a user
    Show {
        /// Name
        username: String,
        #[command(flatten)]
        connection: Connection,
    },
    /// Changes a user; an empty text empties a field
    Change {
        /// Name
        username: String,
        /// Another name to sign in with
        #[arg(long, value_name = "NAME")]
        rename: Option<String>,
        /// Whether the person may sign in
        #[arg(long, value_name = "true|false")]
        active: Option<bool>,
        #[command(flatten)]
        fields: Fields,
        #[command(flatten)]
        connection: Connection,
    },
    /// Removes a user; what they made stays, without their name
    Delete {
        /// Name
        username: String,
        #[command(flatten)]
        connection: Connection,
    },
    /// Changes one's own password, read from standard input as two lines: the present one, the new one
    Password {
        /// Whose password to set instead; then one line is read
        #[arg(long, value_name = "NAME")]
        of: Option<String>,
        #[command(flatten)]
        connection: Connection,
    },
}

/// What a record says.
#[derive(Debug, Args)]
pub(super) struct Fields {
    /// Slug of a role
    #[arg(long)]
    role: Option<String>,
    /// Address
    #[arg(long)]
    email: Option<String>,
    /// Initials
    #[arg(long)]
    shortname: Option<String>,
    /// Given name
    #[arg(long)]
    first_name: Option<String>,
    /// Family name
    #[arg(long)]
    last_name: Option<String>,
}

impl Fields {
    fn body(self) -> Map<String, Value> {
        let mut body = Map::new();
        let texts = [
            ("email", self.email),
            ("shortname", self.shortname),
            ("first_name", self.first_name),
            ("last_name", self.last_name),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                body.insert(name.to_owned(), if text.is_empty() { Value::Null } else { text.into() });
            }
        }
        body.extend(self.role.map(|role| ("role".to_owned(), role.into())));
        body
    }
}

/// Runs one of them.
pub(super) async fn run(command: Command, config: Option<&Path>, output: Output) -> anyhow::Result<ExitCode> {
    match command {
        Command::Create { username, tenant, role } => create(config, output, &username, &tenant, &role).await?,
        Command::Appoint { username, tenant, withdraw } => appoint(config, output, &username, &tenant, !withdraw).await?,
        Command::Add { username, fields, connection } => {
            let client = connection.client()?;
            let mut body = fields.body();
            body.insert("username".to_owned(), username.into());
            let [password] = read_lines()?;
            body.insert("password".to_owned(), password.into());
            let user = client.send(client.request(Method::POST, "/api/users").json(&body)).await?;
            output.print(&user, line)?;
        }
        Command::List { connection } => {
            let client = connection.client()?;
            let users = client.send(client.request(Method::GET, "/api/users?limit=1000")).await?;
            output.print(&users, |users| {
                let head = ["USER", "ROLE", "ACTIVE", "EMAIL"].map(str::to_owned).to_vec();
                let rows = users.as_array().into_iter().flatten();
                let rows = rows.map(|user| ["username", "role", "is_active", "email"].map(|key| cell(user, key)).to_vec());
                table(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
            })?;
        }
        Command::Show { username, connection } => {
            output.print(&find(&connection.client()?, &username).await?, line)?;
        }
        Command::Change { username, rename, active, fields, connection } => {
            let client = connection.client()?;
            let mut body = fields.body();
            body.extend(rename.map(|name| ("username".to_owned(), name.into())));
            body.extend(active.map(|active| ("is_active".to_owned(), active.into())));
            let path = path(&client, &username).await?;
            let user = client.send(client.request(Method::PATCH, &path).json(&body)).await?;
            output.print(&user, line)?;
        }
        Command::Delete { username, connection } => {
            let client = connection.client()?;
            let path = path(&client, &username).await?;
            client.send(client.request(Method::DELETE, &path)).await?;
            output.print(&json!({ "deleted": username }), |_| format!("user {username} is removed"))?;
        }
        Command::Password { of, connection } => password(&connection.client()?, output, of).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn create(config: Option<&Path>, output: Output, username: &str, tenant: &Slug, role: &str) -> anyhow::Result<()> {
    let [password] = read_lines()?;
    let services = at_the_machine(config).await?;
    let accounts = Accounts::new(services.clone());
    let lab = accounts.ensure_tenant(tenant, tenant.as_str()).await?;
    let user = accounts.create_user(&lab, username, &SecretString::from(password), role).await?;
    services.db.close().await;
    Layout::at(&Config::load(config)?.server.data_path).forget_setup_link();
    let made = BTreeMap::from([
        ("id", json!(user.id)),
        ("username", json!(user.username)),
        ("role", json!(user.role)),
        ("tenant", json!(tenant)),
    ]);
    output.print(&made, |_| format!("user {username} ({role}) of {tenant}"))
}

async fn appoint(config: Option<&Path>, output: Output, username: &str, tenant: &Slug, is: bool) -> anyhow::Result<()> {
    let services = at_the_machine(config).await?;
    let appointed = Accounts::new(services.clone()).appoint(tenant, username, is).await;
    services.db.close().await;
    appointed?;
    output.print(&json!({ "username": username, "tenant": tenant, "is_platform_admin": is }), |_| match is {
        true => format!("{username} of {tenant} looks after the whole installation"),
        false => format!("{username} of {tenant} looks after the whole installation no longer"),
    })
}

/// The data themselves, without a server.
pub(super) async fn at_the_machine(config: Option<&Path>) -> anyhow::Result<Arc<Services>> {
    let config = Config::load(config)?;
    std::fs::create_dir_all(&config.server.data_path)?;
    let layout = Layout::at(&config.server.data_path);
    open_services(&config, &layout, Arc::new(Running::default())).await
}

async fn password(client: &Client, output: Output, of: Option<String>) -> anyhow::Result<()> {
    match of {
        Some(username) => {
            let [new] = read_lines()?;
            let path = format!("{}/password", path(client, &username).await?);
            client.send(client.request(Method::PUT, &path).json(&json!({ "new": new }))).await?;
            output.print(&json!({ "changed": username }), |_| {
                format!("{username} has a new password, and is signed out everywhere")
            })
        }
        None => {
            let [present, new] = read_lines()?;
            let body = json!({ "present": present, "new": new });
            client.send(client.request(Method::PUT, "/api/users/me/password").json(&body)).await?;
            output.print(&json!({ "changed": "me" }), |_| "you have a new password; your other sessions have ended".to_owned())
        }
    }
}

/// A user by name.
pub(super) async fn find(client: &Client, username: &str) -> anyhow::Result<Value> {
    let request = client.request(Method::GET, "/api/users").query(&[("username", username)]);
    let found = client.send(request).await?;
    found.get(0).cloned().with_context(|| format!("there is no user {username}"))
}

async fn path(client: &Client, username: &str) -> anyhow::Result<String> {
    let user = find(client, username).await?;
    Ok(format!("/api/users/{}", cell(&user, "id")))
}

fn line(user: &Value) -> String {
    let state = if user.get("is_active") == Some(&Value::Bool(false)) { ", may not sign in" } else { "" };
    let names = ["first_name", "last_name", "email"].map(|key| cell(user, key));
    let names: Vec<String> = names.into_iter().filter(|text| !text.is_empty()).collect();
    format!("{} ({}{state}) {}", cell(user, "username"), cell(user, "role"), names.join(" ")).trim_end().to_owned()
}

/// So many lines of standard input.
pub(super) fn read_lines<const N: usize>() -> anyhow::Result<[String; N]> {
    let mut text = String::new();
    std::io::stdin().take(4_096).read_to_string(&mut text).context("passwords are read from standard input")?;
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let found = lines.len();
    lines.try_into().map_err(|_| anyhow::anyhow!("{N} line(s) are wanted on standard input, and there are {found}"))
}
