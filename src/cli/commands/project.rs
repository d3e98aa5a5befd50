//! `mint project`: projects, and who has a part in them.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::parts::{self, Person, Role};
use crate::{
    client::Connection,
    output::{Output, cell, table},
};

/// Lists, makes, changes, shares and deletes projects.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Lists the projects that one sees
    List {
        #[command(flatten)]
        connection: Connection,
    },
    /// Makes a project
    Create {
        /// Unique in the laboratory
        name: String,
        /// What it is about
        #[arg(short, long)]
        description: Option<String>,
        #[command(flatten)]
        connection: Connection,
    },
    /// Changes a project
    Update {
        /// Number
        id: i64,
        #[command(flatten)]
        fields: Fields,
        #[command(flatten)]
        connection: Connection,
    },
    /// Deletes a project in which there is nothing
    Delete {
        /// Number
        id: i64,
        #[command(flatten)]
        connection: Connection,
    },
    /// Lists the experiments of a project
    Experiments {
        /// Number
        id: i64,
        #[command(flatten)]
        connection: Connection,
    },
    /// Lists who has a part in a project
    Members {
        /// Number
        id: i64,
        #[command(flatten)]
        connection: Connection,
    },
    /// Gives somebody a part in a project, and so in its experiments
    Share {
        #[command(flatten)]
        person: Person,
        /// Which
        #[arg(value_enum)]
        role: Role,
        #[command(flatten)]
        connection: Connection,
    },
    /// Takes somebody's part in a project away
    Unshare {
        #[command(flatten)]
        person: Person,
        #[command(flatten)]
        connection: Connection,
    },
}

/// What a project says.
#[derive(Debug, Args)]
pub(super) struct Fields {
    /// Another name
    #[arg(long)]
    name: Option<String>,
    /// What it is about; an empty text empties it
    #[arg(short, long)]
    description: Option<String>,
    /// active, archived or completed
    #[arg(long)]
    status: Option<String>,
}

impl Fields {
    fn body(self) -> Map<String, Value> {
        let described = |text: String| if text.is_empty() { Value::Null } else { text.into() };
        let fields = [
            ("name", self.name.map(Value::from)),
            ("description", self.description.map(described)),
            ("status", self.status.map(Value::from)),
        ];
        fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }
}

/// Runs one of them.
pub(super) async fn run(command: Command, output: Output) -> anyhow::Result<ExitCode> {
    let at = |id: i64| format!("/api/projects/{id}");
    match command {
        Command::List { connection } => {
            let client = connection.client()?;
            let listed = client.send(client.request(Method::GET, "/api/projects?limit=1000")).await?;
            output.print(&listed, |listed| rows(listed, "projects", ["id", "name", "status"]))?;
        }
        Command::Create { name, description, connection } => {
            let client = connection.client()?;
            let body = json!({ "name": name, "description": description });
            let made = client.send(client.request(Method::POST, "/api/projects").json(&body)).await?;
            output.print(&made, line)?;
        }
        Command::Update { id, fields, connection } => {
            let client = connection.client()?;
            let changed = client.send(client.request(Method::PATCH, &at(id)).json(&fields.body())).await?;
            output.print(&changed, line)?;
        }
        Command::Delete { id, connection } => {
            let client = connection.client()?;
            client.send(client.request(Method::DELETE, &at(id))).await?;
            output.print(&json!({ "deleted": id }), |_| format!("project {id} is deleted"))?;
        }
        Command::Experiments { id, connection } => {
            let client = connection.client()?;
            let path = format!("{}/experiments?limit=1000", at(id));
            let listed = client.send(client.request(Method::GET, &path)).await?;
            output.print(&listed, |listed| rows(listed, "experiments", ["id", "name", "status"]))?;
        }
        Command::Members { id, connection } => {
            parts::list(&connection.client()?, output, &format!("{}/members?limit=1000", at(id))).await?;
        }
        Command::Share { person: Person { id, username }, role, connection } => {
            parts::share(&connection.client()?, output, &format!("{}/members", at(id)), &username, role).await?;
        }
        Command::Unshare { person: Person { id, username }, connection } => {
            parts::unshare(&connection.client()?, output, &format!("{}/members", at(id)), &username).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn line(project: &Value) -> String {
    format!("{} {} ({})", cell(project, "id"), cell(project, "name"), cell(project, "status"))
}

fn rows(listed: &Value, of: &str, columns: [&str; 3]) -> String {
    let head = columns.map(str::to_uppercase).to_vec();
    let listed = listed.get(of).and_then(Value::as_array).into_iter().flatten();
    let rows = listed.map(|item| columns.map(|column| cell(item, column)).to_vec());
    table(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
}
