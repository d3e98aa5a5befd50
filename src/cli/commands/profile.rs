//! `mint profile`: the accounts that are kept here. Talks to no server.

use std::process::ExitCode;

use clap::Subcommand;
use mint_domain::Slug;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use crate::{
    client::Home,
    credentials::{Credentials, Profile},
    output::{Output, cell, table},
};

/// Lists, chooses and forgets accounts, which `mint auth login` makes.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Lists profiles, without their tokens
    List {
        #[command(flatten)]
        home: Home,
    },
    /// Uses a profile wherever none is named
    Use {
        /// As `list` shows it
        name: Slug,
        #[command(flatten)]
        home: Home,
    },
    /// Forgets a profile; its session goes on, unless `mint auth logout` ended it
    Remove {
        /// As `list` shows it
        name: Slug,
        #[command(flatten)]
        home: Home,
    },
}

/// Runs one of them.
pub(super) fn run(command: Command, output: Output) -> anyhow::Result<ExitCode> {
    match command {
        Command::List { home } => {
            let kept = Credentials::load(&home.credentials_path()?)?;
            let in_use = kept.in_use().map(|(name, _)| name.clone());
            let profiles: Vec<_> = kept.profiles().map(|(name, one)| shown(name, one, in_use.as_ref() == Some(name))).collect();
            output.print(&profiles, |profiles| {
                if profiles.is_empty() {
                    return "there is no profile; `mint auth login` makes one".to_owned();
                }
                let head = ["", "PROFILE", "URL", "WHO", "ENDS"].map(str::to_owned).to_vec();
                table(&std::iter::once(head).chain(profiles.iter().map(row)).collect::<Vec<_>>())
            })?;
        }
        Command::Use { name, home } => {
            Credentials::change(&home.credentials_path()?, |kept| kept.begin_to_use(&name))?;
            output.print(&json!({ "in_use": name }), |_| format!("profile {name} is in use"))?;
        }
        Command::Remove { name, home } => {
            let was_in_use = Credentials::change(&home.credentials_path()?, |kept| kept.remove(&name))?;
            output.print(&json!({ "removed": name, "was_in_use": was_in_use }), |_| match was_in_use {
                true => format!("profile {name} is forgotten; none is in use until `mint profile use` or `mint auth login`"),
                false => format!("profile {name} is forgotten"),
            })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn shown(name: &Slug, profile: &Profile, is_in_use: bool) -> Value {
    json!({
        "name": name,
        "url": profile.url,
        "username": profile.username,
        "tenant": profile.tenant,
        "is_signed_in": profile.token.is_some(),
        "expires_at": profile.expires_at.and_then(|at| at.format(&Rfc3339).ok()),
        "in_use": is_in_use,
    })
}

fn row(profile: &Value) -> Vec<String> {
    let [name, url, username, tenant, ends] = ["name", "url", "username", "tenant", "expires_at"].map(|key| cell(profile, key));
    let is = |key: &str| profile.get(key) == Some(&Value::Bool(true));
    let who = if tenant.is_empty() { username } else { format!("{username} of {tenant}") };
    let mark = if is("in_use") { "*" } else { "" };
    let ends = if is("is_signed_in") { ends } else { "signed out".to_owned() };
    vec![mark.to_owned(), name, url, who, ends]
}
