//! `mint experiment`: who has a part in one experiment.

use std::process::ExitCode;

use clap::Subcommand;

use super::parts::{self, Person, Role};
use crate::{client::Connection, output::Output};

/// Shares single experiments.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Lists who has a part in an experiment, whatever they are to its project
    Collaborators {
        /// Number
        id: i64,
        #[command(flatten)]
        connection: Connection,
    },
    /// Gives somebody a part in an experiment
    Share {
        #[command(flatten)]
        person: Person,
        /// Which
        #[arg(value_enum)]
        role: Role,
        #[command(flatten)]
        connection: Connection,
    },
    /// Takes somebody's part in an experiment away
    Unshare {
        #[command(flatten)]
        person: Person,
        #[command(flatten)]
        connection: Connection,
    },
}

/// Runs one of them.
pub(super) async fn run(command: Command, output: Output) -> anyhow::Result<ExitCode> {
    let at = |id: i64| format!("/api/experiments/{id}/collaborators");
    match command {
        Command::Collaborators { id, connection } => {
            parts::list(&connection.client()?, output, &format!("{}?limit=1000", at(id))).await?;
        }
        Command::Share { person: Person { id, username }, role, connection } => {
            parts::share(&connection.client()?, output, &at(id), &username, role).await?;
        }
        Command::Unshare { person: Person { id, username }, connection } => {
            parts::unshare(&connection.client()?, output, &at(id), &username).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
