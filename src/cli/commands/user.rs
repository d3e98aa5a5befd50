//! `mint user`: for the operator at the machine of the server, before anybody can sign in.

use std::{collections::BTreeMap, io::Read as _, path::Path, process::ExitCode, sync::Arc};

use anyhow::Context as _;
use clap::Subcommand;
use mint_domain::Slug;
use mint_platform::{Accounts, layout::Layout, running::Running};
use secrecy::SecretString;
use serde_json::json;

use crate::{config::Config, output::Output, serve::open_services};

/// Makes users.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Makes a user, and the laboratory when it is new; reads the password from standard input
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
}

/// Makes a user.
pub(super) async fn run(command: Command, config: Option<&Path>, output: Output) -> anyhow::Result<ExitCode> {
    let Command::Create { username, tenant, role } = command;
    let config = Config::load(config)?;
    let mut password = String::new();
    std::io::stdin().take(4_096).read_to_string(&mut password).context("the password is read from standard input")?;
    let password = SecretString::from(password.trim_end_matches(['\r', '\n']));
    std::fs::create_dir_all(&config.server.data_path)?;
    let layout = Layout::at(&config.server.data_path);
    let services = open_services(&config, &layout, Arc::new(Running::default())).await?;
    let accounts = Accounts::new(services.clone());
    let lab = accounts.ensure_tenant(&tenant, tenant.as_str()).await?;
    let user = accounts.create_user(&lab, &username, &password, &role).await?;
    services.db.close().await;
    let made = BTreeMap::from([
        ("id", json!(user.id)),
        ("username", json!(user.username)),
        ("role", json!(user.role)),
        ("tenant", json!(tenant)),
    ]);
    output.print(&made, |_| format!("user {username} ({role}) of {tenant}"))?;
    Ok(ExitCode::SUCCESS)
}
