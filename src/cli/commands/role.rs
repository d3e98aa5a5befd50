//! `mint role`: what people may do.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::plugin_role;
use crate::{
    client::Connection,
    output::{Output, cell, table},
};

/// Lists, makes, changes and removes roles.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Lists roles, those of the system first
    List {
        #[command(flatten)]
        connection: Connection,
    },
    /// Makes a role of permissions that one has
    Create {
        /// What a user's role is to say
        role: String,
        #[command(flatten)]
        fields: Fields,
        #[command(flatten)]
        connection: Connection,
    },
    /// Changes a role, and what everybody may who has it
    Change {
        /// Slug
        role: String,
        #[command(flatten)]
        fields: Fields,
        /// Let it see and use every plugin
        #[arg(long, conflicts_with = "plugins")]
        all_plugins: bool,
        #[command(flatten)]
        connection: Connection,
    },
    /// Lists, gives and takes away roles inside a plugin, and sets what it keeps of people
    #[command(subcommand)]
    Plugin(plugin_role::Command),
    /// Removes a role that nobody has
    Delete {
        /// Slug
        role: String,
        #[command(flatten)]
        connection: Connection,
    },
}

/// What a role says.
#[derive(Debug, Args)]
pub(super) struct Fields {
    /// Name shown to people
    #[arg(long)]
    name: Option<String>,
    /// What it is for
    #[arg(long)]
    description: Option<String>,
    /// What it allows, such as projects.view,experiments.view
    #[arg(long, value_delimiter = ',')]
    permissions: Option<Vec<String>>,
    /// Slugs of the only plugins that it sees and uses; by default all
    #[arg(long, value_delimiter = ',')]
    plugins: Option<Vec<String>>,
    /// Where it counts: `all`, or `assigned`, in projects and experiments in which one has a part
    #[arg(long, value_parser = ["all", "assigned"])]
    project_scope: Option<String>,
}

impl Fields {
    fn body(self) -> Map<String, Value> {
        let fields = [
            ("name", self.name.map(Value::from)),
            ("description", self.description.map(Value::from)),
            ("permissions", self.permissions.map(Value::from)),
            ("plugins", self.plugins.map(Value::from)),
            ("project_scope", self.project_scope.map(Value::from)),
        ];
        fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }
}

/// Runs one of them.
pub(super) async fn run(command: Command, output: Output) -> anyhow::Result<ExitCode> {
    match command {
        Command::List { connection } => {
            let client = connection.client()?;
            let roles = client.send(client.request(Method::GET, "/api/roles")).await?;
            output.print(&roles, |roles| {
                let head = ["ROLE", "USERS", "PROJECTS", "PLUGINS", "PERMISSIONS"].map(str::to_owned).to_vec();
                let rows = roles.as_array().into_iter().flatten().map(row);
                table(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
            })?;
        }
        Command::Create { role, fields, connection } => {
            let client = connection.client()?;
            let mut body = fields.body();
            body.entry("name").or_insert_with(|| role.clone().into());
            body.entry("permissions").or_insert_with(|| json!([]));
            body.insert("slug".to_owned(), role.into());
            let made = client.send(client.request(Method::POST, "/api/roles").json(&body)).await?;
            output.print(&made, |made| row(made).join("  "))?;
        }
        Command::Change { role, fields, all_plugins, connection } => {
            let client = connection.client()?;
            let mut body = fields.body();
            if all_plugins {
                body.insert("plugins".to_owned(), Value::Null);
            }
            let changed = client.send(client.request(Method::PATCH, &format!("/api/roles/{role}")).json(&body)).await?;
            output.print(&changed, |changed| row(changed).join("  "))?;
        }
        Command::Plugin(command) => plugin_role::run(command, output).await?,
        Command::Delete { role, connection } => {
            let client = connection.client()?;
            client.send(client.request(Method::DELETE, &format!("/api/roles/{role}"))).await?;
            output.print(&json!({ "deleted": role }), |_| format!("role {role} is removed"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn row(role: &Value) -> Vec<String> {
    let joined = |key: &str| {
        let list = role.get(key).and_then(Value::as_array).into_iter().flatten();
        list.filter_map(Value::as_str).collect::<Vec<_>>().join(",")
    };
    let plugins = if role.get("plugin_access") == Some(&json!("all")) { "all".to_owned() } else { joined("plugins") };
    vec![cell(role, "slug"), cell(role, "users"), cell(role, "project_scope"), plugins, joined("permissions")]
}
