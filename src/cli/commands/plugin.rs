//! `mint plugin`.

use std::{process::ExitCode, time::Duration};

use anyhow::{Context as _, bail};
use clap::Subcommand;
use reqwest::Method;
use serde_json::Value;

use super::{
    dry_run::{self, DryRun},
    limits, plugin_archives, plugin_install, plugin_migrations, plugin_plan, plugin_releases, plugin_settings, plugin_snapshots,
    plugin_uninstall,
};
use crate::{
    client::{Client, Connection},
    output::{Output, table},
    progress::Progress,
};

/// Installs, shows and removes plugins.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Tells where a bundle would run, and why, without installing it
    Plan(plugin_plan::Arguments),
    /// Installs a bundle, or a bare component
    Install(plugin_install::Install),
    /// Puts another release in the place of the installed one, without an interruption
    Upgrade(plugin_install::Arguments),
    /// Puts an earlier release back in its place, without an interruption
    Rollback(plugin_releases::RollBack),
    /// Lists the releases that answered, the active one first
    Releases(plugin_releases::Releases),
    /// Lists the snapshots of a plugin, the latest first
    Snapshots(plugin_snapshots::Snapshots),
    /// Takes a snapshot of a plugin's tables, files and settings
    Snapshot(plugin_snapshots::Take),
    /// Writes a plugin's tables, files and settings into a file that can be restored here or on another server
    Backup(plugin_snapshots::Backup),
    /// Puts a backup in the place of what a plugin holds; it does not answer meanwhile
    Restore(plugin_snapshots::Restore),
    /// Lists installed plugins
    List {
        #[command(flatten)]
        connection: Connection,
    },
    /// Shows one plugin: state, reason, grants, limits, usage, last log lines
    Show {
        /// Slug
        plugin: String,
        #[command(flatten)]
        connection: Connection,
    },
    /// Shows the settings of a plugin, or changes them: one that refuses them, or is unhealthy with them, keeps the old ones
    Settings(plugin_settings::Settings),
    /// Shows what a plugin may use up and what it uses, or changes its limits
    Limits(limits::OfPlugin),
    /// Grants capabilities to a plugin
    Grant(limits::Capabilities),
    /// Takes capabilities away from a plugin; it is refused them from its next call on
    Revoke(limits::Capabilities),
    /// Removes a plugin; what it saved on experiments stays
    Uninstall(plugin_uninstall::Arguments),
    /// Lists what plugins that were removed left behind
    Archives(plugin_archives::Archives),
    /// Deletes an archive for good
    Purge(plugin_archives::Purge),
    /// Lists the migrations of a plugin's tables, and how they stand
    Migrations(plugin_migrations::Migrations),
    /// Takes migrations of a plugin's tables back, down to a revision
    Reset(plugin_migrations::Reset),
    /// Stops a plugin, and keeps it from answering until it is enabled; what it holds stays
    Disable(Named),
    /// Starts a plugin that was disabled
    Enable(Named),
    /// Starts a plugin again
    Reload {
        /// Slug
        plugin: String,
        /// Let migrations take away what earlier releases use
        #[arg(long)]
        allow_destructive: bool,
        #[command(flatten)]
        run: DryRun,
        #[command(flatten)]
        connection: Connection,
    },
}

/// Which plugin.
#[derive(Debug, clap::Args)]
pub(super) struct Named {
    /// Slug
    plugin: String,
    #[command(flatten)]
    run: DryRun,
    #[command(flatten)]
    connection: Connection,
}

/// Runs one of them.
pub(super) async fn run(command: Command, output: Output) -> anyhow::Result<ExitCode> {
    match command {
        Command::Plan(arguments) => plugin_plan::run(arguments, output).await,
        Command::Install(arguments) => plugin_install::install(arguments, output).await,
        Command::Upgrade(arguments) => plugin_install::upgrade(arguments, output).await,
        Command::Rollback(arguments) => plugin_releases::roll_back(arguments, output).await,
        Command::Releases(arguments) => plugin_releases::list(arguments, output).await,
        Command::Snapshots(arguments) => plugin_snapshots::list(arguments, output).await,
        Command::Snapshot(arguments) => plugin_snapshots::take(arguments, output).await,
        Command::Backup(arguments) => plugin_snapshots::backup(arguments, output).await,
        Command::Restore(arguments) => plugin_snapshots::restore(arguments, output).await,
        Command::Settings(arguments) => plugin_settings::run(arguments, output).await,
        Command::Limits(arguments) => limits::of_plugin(arguments, output).await,
        Command::Grant(arguments) => limits::grant(arguments, output).await,
        Command::Revoke(arguments) => limits::revoke(arguments, output).await,
        Command::List { connection } => list(&connection.client()?, output).await,
        Command::Show { plugin, connection } => show(&connection.client()?, output, &plugin).await,
        Command::Uninstall(arguments) => plugin_uninstall::run(arguments, output).await,
        Command::Archives(arguments) => plugin_archives::list(arguments, output).await,
        Command::Purge(arguments) => plugin_archives::purge(arguments, output).await,
        Command::Migrations(arguments) => plugin_migrations::list(arguments, output).await,
        Command::Reset(arguments) => plugin_migrations::reset(arguments, output).await,
        Command::Disable(named) => switch(named, "disable", output).await,
        Command::Enable(named) => switch(named, "enable", output).await,
        Command::Reload { plugin, allow_destructive, run, connection } => {
            let client = connection.client()?;
            let path = format!("/api/plugins/{plugin}/reload?allow_destructive={allow_destructive}");
            let begun = client.send(run.on(client.request(Method::POST, &path))).await?;
            watch(&client, output, begun).await
        }
    }
}

async fn switch(named: Named, verb: &str, output: Output) -> anyhow::Result<ExitCode> {
    let client = named.connection.client()?;
    let request = client.request(Method::POST, &format!("/api/plugins/{}/{verb}", named.plugin));
    let begun = client.send(named.run.on(request)).await?;
    watch(&client, output, begun).await
}

/// Prints the steps of an operation as they end, until it has ended itself; or what one would do.
pub(super) async fn watch(client: &Client, output: Output, mut operation: Value) -> anyhow::Result<ExitCode> {
    if operation.get("id").is_none() {
        return dry_run::print(&operation, output);
    }
    let id = operation.get("id").and_then(Value::as_i64).context("the server gave no operation")?;
    let (mut progress, mut asked_to_stop) = (Progress::new(output), false);
    loop {
        progress.show(&operation);
        if text(&operation, "status") != "running" {
            break;
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(100)) => {}
            interrupted = tokio::signal::ctrl_c() => {
                interrupted?;
                if asked_to_stop {
                    bail!("left alone; operation {id} goes on");
                }
                asked_to_stop = true;
                progress.note("stopping …");
                if let Err(error) = client.send(client.request(Method::POST, &format!("/api/operations/{id}/cancel"))).await {
                    progress.note(&format!("{error:#} It goes on."));
                }
            }
        }
        operation = client.send(client.request(Method::GET, &format!("/api/operations/{id}"))).await?;
    }
    let status = text(&operation, "status").to_owned();
    let words = |key: &str| operation.pointer(key).and_then(Value::as_str).map(str::to_owned);
    let message = words("/outcome/message")
        .or_else(|| Some(format!("{} {}", words("/outcome/failure/reason")?, words("/outcome/failure/hint")?)));
    let plugin = text(&operation, "plugin").to_owned();
    output.print(&operation, |operation| match (status.as_str(), &message) {
        ("done", Some(message)) => message.clone(),
        ("done", None) => format!("{} of {plugin}: done", text(operation, "kind")),
        ("failed", message) => format!("{plugin} is installed, but does not run. {}", message.clone().unwrap_or_default()),
        (_, message) => format!("Nothing was changed. {}", message.clone().unwrap_or_default()),
    })?;
    Ok(if status == "done" { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn list(client: &Client, output: Output) -> anyhow::Result<ExitCode> {
    let plugins = client.send(client.request(Method::GET, "/api/plugins")).await?;
    let installed = plugins.get("installed").and_then(Value::as_array).cloned().unwrap_or_default();
    output.print(&plugins, |_| {
        if installed.is_empty() {
            return "no plugin is installed; `mint plugin install <bundle>` installs one".to_owned();
        }
        let head = ["PLUGIN", "VERSION", "STATE", "MODE", "ROUTES"].map(str::to_owned).to_vec();
        let row = |plugin: &Value| {
            let state = match text(plugin, "health_status") {
                status @ ("degraded" | "unhealthy") => format!("{}, {status}", text(plugin, "state")),
                _ => text(plugin, "state").to_owned(),
            };
            let rest = ["name", "version", "mode", "api_prefix"].map(|key| text(plugin, key).to_owned());
            let [name, version, mode, prefix] = rest;
            vec![name, version, state, mode, prefix]
        };
        let rows: Vec<_> = std::iter::once(head).chain(installed.iter().map(row)).collect();
        table(&rows)
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn show(client: &Client, output: Output, plugin: &str) -> anyhow::Result<ExitCode> {
    let details = client.send(client.request(Method::GET, &format!("/api/plugins/{plugin}"))).await?;
    if !details.is_object() {
        bail!("the server did not answer with a plugin");
    }
    output.print(&details, describe)?;
    Ok(ExitCode::SUCCESS)
}

fn describe(plugin: &Value) -> String {
    let mut rows: Vec<Vec<String>> =
        ["name", "version", "state", "phase", "reason", "hint", "waits_for", "mode", "mode_reason", "api_prefix", "digest"]
            .iter()
            .filter(|key| !text(plugin, key).is_empty())
            .map(|key| vec![(*key).to_owned(), text(plugin, key).to_owned()])
            .collect();
    let granted: Vec<&str> =
        plugin.get("grants").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    rows.push(vec!["grants".to_owned(), if granted.is_empty() { "none".to_owned() } else { granted.join(", ") }]);
    let mut plugin = plugin.clone();
    let sandbox = plugin.get_mut("runtime").and_then(Value::as_object_mut).and_then(|runtime| runtime.remove("sandbox"));
    for key in ["usage", "runtime", "health"] {
        if let Some(value) = plugin.get(key).filter(|value| !value.is_null()) {
            rows.push(vec![key.to_owned(), value.to_string()]);
        }
    }
    for (position, (control, finding)) in sandbox.iter().filter_map(Value::as_object).flatten().enumerate() {
        let head = if position == 0 { "sandbox" } else { "" };
        let state = if finding.get("on") == Some(&Value::Bool(true)) { "on" } else { "off" };
        rows.push(vec![head.to_owned(), format!("{control} {state}: {}", text(finding, "detail"))]);
    }
    let found = plugin_plan::findings(&plugin).map(|findings| plugin_plan::describe(&findings)).unwrap_or_default();
    let mut lines = vec![table(&rows) + &found];
    let excerpt = |key: &str| plugin.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let log = Some(excerpt("log")).filter(|log| !log.is_empty()).unwrap_or_else(|| excerpt("log_excerpt"));
    lines.extend(log.iter().filter_map(Value::as_str).map(|line| format!("  | {line}")));
    lines.join("\n")
}

pub(super) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}
