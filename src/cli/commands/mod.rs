//! The commands, one file each.

mod audit;
mod auth;
mod build;
mod bundle_argument;
mod config;
mod db;
mod dev;
mod device_login;
mod dry_run;
mod experiment;
mod fsck;
mod job;
mod limits;
mod parts;
mod plugin;
mod plugin_archives;
mod plugin_install;
mod plugin_migrations;
mod plugin_plan;
mod plugin_releases;
mod plugin_role;
mod plugin_settings;
mod plugin_snapshots;
mod plugin_uninstall;
mod profile;
mod project;
mod role;
mod secrets;
mod serve;
mod service_token;
mod session;
mod status;
mod tenant;
mod tenant_export;
mod tenant_share;
mod token;
mod typed;
mod user;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

use crate::{compiler, output::Output};

/// A server that hosts a laboratory's plugins.
#[derive(Debug, Parser)]
#[command(name = "mint", version, propagate_version = true)]
struct Arguments {
    /// Print JSON instead of text
    #[arg(long, global = true)]
    json: bool,

    /// Configuration file; by default MINT_CONFIG_PATH, else config.json here
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the server
    Serve,
    /// Shows the servers that work together, and what answers at each
    Status(status::Arguments),
    /// Builds a guest's directory into a bundle
    Build(build::Arguments),
    /// Runs a plugin from its project's directory, reloading, as part of a running server
    Dev(dev::Arguments),
    /// Installs, shows and removes plugins
    #[command(subcommand)]
    Plugin(plugin::Command),
    /// Shows or changes what plugins of the laboratory may use up where nothing is said of one of them
    Limits(limits::Edits),
    /// Lists what plugins do when nobody waits, takes it back, tries it again
    #[command(subcommand)]
    Job(job::Command),
    /// Signs in and out
    #[command(subcommand)]
    Auth(auth::Command),
    /// Lists, chooses and forgets the accounts that `mint auth login` keeps here
    #[command(subcommand)]
    Profile(profile::Command),
    /// Lists, makes, changes, shares and deletes projects
    #[command(subcommand)]
    Project(project::Command),
    /// Shares single experiments
    #[command(subcommand)]
    Experiment(experiment::Command),
    /// Lists, makes, suspends and deletes laboratories
    #[command(subcommand)]
    Tenant(tenant::Command),
    /// Makes, changes and removes users
    #[command(subcommand)]
    User(user::Command),
    /// Lists, makes, changes and removes roles, and those inside plugins
    #[command(subcommand)]
    Role(role::Command),
    /// Shows, exports and verifies the record of changes
    #[command(subcommand)]
    Audit(audit::Command),
    /// Lists and ends sessions
    #[command(subcommand)]
    Session(session::Command),
    /// Makes, lists and revokes access tokens
    #[command(subcommand)]
    Token(token::Command),
    /// Looks after the platform's tables, at the machine of the server
    #[command(subcommand)]
    Db(db::Command),
    /// Shows and changes the keys of secrets that are stored, at the machine of the server
    #[command(subcommand)]
    Secrets(secrets::Command),
    /// Looks for disagreements between rows and files, while no server runs
    Fsck(fsck::Arguments),
    /// Tells about the configuration
    #[command(subcommand)]
    Config(config::Command),
    /// Compiles a component, for a server that asks for it
    #[command(hide = true, name = compiler::COMMAND)]
    CompileComponent { compatibility: String },
}

/// Runs the command line. The exit code is 0, 1 for a failure, 2 for a wrong command line.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    match tokio::runtime::Runtime::new().map_err(Into::into).and_then(|runtime| runtime.block_on(dispatch(arguments))) {
        Ok(code) => code,
        Err(error) => {
            use std::io::Write as _;
            // Nothing can be done about a closed stderr.
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn dispatch(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let (output, config) = (Output { json: arguments.json }, arguments.config.as_deref());
    match arguments.command {
        Command::Serve => serve::run(config).await,
        Command::Status(arguments) => status::run(arguments, output).await,
        Command::Build(arguments) => build::run(arguments, output),
        Command::Dev(arguments) => dev::run(arguments, config, output).await,
        Command::Plugin(command) => plugin::run(command, output).await,
        Command::Limits(edits) => limits::of_laboratory(edits, output).await,
        Command::Job(command) => job::run(command, output).await,
        Command::Auth(command) => auth::run(command, output).await,
        Command::Profile(command) => profile::run(command, output),
        Command::Tenant(command) => tenant::run(command, config, output).await,
        Command::User(command) => user::run(command, config, output).await,
        Command::Project(command) => project::run(command, output).await,
        Command::Experiment(command) => experiment::run(command, output).await,
        Command::Role(command) => role::run(command, output).await,
        Command::Audit(command) => audit::run(command, output).await,
        Command::Session(command) => session::run(command, output).await,
        Command::Token(command) => token::run(command, output).await,
        Command::Db(command) => db::run(command, config, output).await,
        Command::Secrets(command) => secrets::run(command, config, output).await,
        Command::Fsck(arguments) => fsck::run(arguments, config, output).await,
        Command::Config(command) => config::run(&command, output),
        Command::CompileComponent { compatibility } => compiler::run(&compatibility),
    }
}
