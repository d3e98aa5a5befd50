//! `mint tenant`: laboratories, for those who look after the whole installation.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context as _;
use clap::Subcommand;
use mint_domain::Slug;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{limits::Changes, tenant_export, tenant_share, typed::typed, user::read_lines};
use crate::{
    client::{Client, Connection},
    output::{Output, cell, table},
};

/// Time between two looks at a laboratory that is being deleted.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Lists, makes, bounds, suspends and deletes laboratories.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Lists laboratories
    List {
        #[command(flatten)]
        connection: Connection,
    },
    /// Shows one
    Show {
        /// Slug
        tenant: Slug,
        #[command(flatten)]
        connection: Connection,
    },
    /// Makes one
    Create {
        /// Slug
        tenant: Slug,
        /// Name shown to people; by default the slug
        #[arg(long)]
        name: Option<String>,
        /// Who is to look after it; the password is read from standard input
        #[arg(long, value_name = "NAME")]
        administrator: Option<String>,
        #[command(flatten)]
        connection: Connection,
    },
    /// Lets nobody use it, and ends its plugins, until `resume`
    Suspend {
        /// Slug
        tenant: Slug,
        /// A sentence that everybody is told who belongs to it
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        connection: Connection,
    },
    /// Lets people use it again
    Resume {
        /// Slug
        tenant: Slug,
        #[command(flatten)]
        connection: Connection,
    },
    /// Writes all that one's own laboratory has into a zip file: rows, and the bytes of files
    Export {
        /// Slug
        tenant: Slug,
        /// The file to write, which must not exist; by default standard output
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
        #[command(flatten)]
        connection: Connection,
    },
    /// Shows what all plugins of one's own laboratory together may take of the server, and what they do
    Share {
        #[command(flatten)]
        connection: Connection,
    },
    /// Gives one a share of its own, at the machine of the server
    Give {
        /// Slug
        tenant: Slug,
        #[command(flatten)]
        changes: Changes,
    },
    /// Deletes it with its people, experiments, files and plugins
    Delete {
        /// Slug
        tenant: Slug,
        /// The slug again, to say that it is meant
        #[arg(long, value_name = "SLUG")]
        confirm: Option<String>,
        #[command(flatten)]
        connection: Connection,
    },
}

/// Runs one of them.
pub(super) async fn run(command: Command, config: Option<&Path>, output: Output) -> anyhow::Result<ExitCode> {
    match command {
        Command::List { connection } => {
            let client = connection.client()?;
            let tenants = client.send(client.request(Method::GET, "/api/platform/tenants")).await?;
            output.print(&tenants, |tenants| {
                let head = ["TENANT", "STATUS", "USERS", "PLUGINS", "NAME"].map(str::to_owned).to_vec();
                let rows = tenants.as_array().into_iter().flatten();
                let rows = rows.map(|one| ["slug", "status", "users", "plugins", "name"].map(|key| cell(one, key)).to_vec());
                table(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
            })?;
        }
        Command::Show { tenant, connection } => {
            let client = connection.client()?;
            output.print(&client.send(client.request(Method::GET, &path(&tenant))).await?, line)?;
        }
        Command::Create { tenant, name, administrator, connection } => {
            let client = connection.client()?;
            let mut body = json!({ "slug": tenant });
            if let Some(fields) = body.as_object_mut() {
                fields.extend(name.map(|name| ("name".to_owned(), name.into())));
                if let Some(username) = administrator {
                    let [password] = read_lines()?;
                    fields.insert("administrator".to_owned(), json!({ "username": username, "password": password }));
                }
            }
            let made = client.send(client.request(Method::POST, "/api/platform/tenants").json(&body)).await?;
            output.print(&made, line)?;
        }
        Command::Suspend { tenant, reason, connection } => {
            let client = connection.client()?;
            let request = client.request(Method::PUT, &suspension(&tenant)).json(&json!({ "reason": reason }));
            output.print(&client.send(request).await?, line)?;
        }
        Command::Resume { tenant, connection } => {
            let client = connection.client()?;
            output.print(&client.send(client.request(Method::DELETE, &suspension(&tenant))).await?, line)?;
        }
        Command::Export { tenant, output: file, connection } => tenant_export::run(&tenant, file, &connection, output).await?,
        Command::Share { connection } => tenant_share::show(&connection, output).await?,
        Command::Give { tenant, changes } => tenant_share::give(&tenant, &changes, config, output).await?,
        Command::Delete { tenant, confirm, connection } => {
            let client = connection.client()?;
            let confirm = match confirm {
                Some(confirm) => confirm,
                None => typed(tenant.as_str(), "All people, experiments, files and plugins of the laboratory", output)?,
            };
            let request = client.request(Method::DELETE, &path(&tenant)).query(&[("confirm", confirm)]);
            client.send(request).await?;
            until_gone(&client, &tenant).await?;
            output.print(&json!({ "deleted": tenant }), |_| format!("laboratory {tenant} is deleted"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Waits for the servers, which end its plugins first.
async fn until_gone(client: &Client, tenant: &Slug) -> anyhow::Result<()> {
    loop {
        let answer = client.request(Method::GET, &path(tenant)).send().await.context("the server cannot be reached")?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(());
        }
        answer.error_for_status()?;
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

fn path(tenant: &Slug) -> String {
    format!("/api/platform/tenants/{tenant}")
}

fn suspension(tenant: &Slug) -> String {
    format!("{}/suspension", path(tenant))
}

fn line(tenant: &Value) -> String {
    let [slug, status, name, reason] = ["slug", "status", "name", "reason"].map(|key| cell(tenant, key));
    let reason = if reason.is_empty() { reason } else { format!(": {reason}") };
    format!("{slug} ({name}), {status}{reason}")
}
