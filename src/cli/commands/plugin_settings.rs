//! `mint plugin settings`.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use reqwest::{Method, Response, header};
use serde_json::{Map, Value, json};

use super::dry_run::{self, DryRun};
use crate::{
    client::{Client, Connection},
    output::{Output, table},
    progress::Progress,
};

/// Settings of one plugin.
#[derive(Debug, clap::Args)]
pub(super) struct Settings {
    /// Slug
    plugin: String,
    /// Sets one: a JSON value, or a text as it is
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// Takes one away, so that its default holds
    #[arg(long, value_name = "NAME")]
    unset: Vec<String>,
    #[command(flatten)]
    run: DryRun,
    #[command(flatten)]
    connection: Connection,
}

/// Shows them, or changes them and prints the steps.
pub(super) async fn run(arguments: Settings, output: Output) -> anyhow::Result<ExitCode> {
    let Settings { plugin, set, unset, run, connection } = arguments;
    let client = connection.client()?;
    let path = format!("/api/plugins/{plugin}/config");
    let read = client.open(client.request(Method::GET, &path)).await?;
    let tag = read.headers().get(header::ETAG).cloned().context("the server gave no revision of the settings")?;
    let mut settings: Value = read.json().await.context("the server did not answer with JSON")?;
    if !set.is_empty() || !unset.is_empty() {
        let stored = settings.get("stored_settings").and_then(Value::as_object).cloned().unwrap_or_default();
        let config = edited(stored, &set, &unset)?;
        let request = run.on(client.request(Method::PUT, &path)).header(header::IF_MATCH, tag).json(&json!({ "config": config }));
        let changed = client.open(request).await?;
        let operation = operation(&changed);
        settings = changed.json().await.context("the server did not answer with JSON")?;
        if run.dry_run {
            return dry_run::print(&settings, output);
        }
        show_steps(&client, output, operation).await?;
    } else if run.dry_run {
        bail!("say what to change: --set NAME=VALUE or --unset NAME");
    }
    output.print(&settings, rows)?;
    Ok(ExitCode::SUCCESS)
}

fn edited(mut stored: Map<String, Value>, set: &[String], unset: &[String]) -> anyhow::Result<Map<String, Value>> {
    for edit in set {
        let (name, value) = edit.split_once('=').with_context(|| format!("`{edit}` is not NAME=VALUE"))?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
        stored.insert(name.to_owned(), value);
    }
    for name in unset {
        if set.iter().any(|edit| edit.split_once('=').is_some_and(|(set, _)| set == name)) {
            bail!("`{name}` is set and unset at once");
        }
        if stored.remove(name).is_none() {
            bail!("`{name}` is not set: what holds is its default");
        }
    }
    Ok(stored)
}

/// The path of the operation that a response names.
fn operation(response: &Response) -> Option<String> {
    let link = response.headers().get(header::LINK)?.to_str().ok()?;
    let (path, _) = link.strip_prefix('<')?.split_once('>')?;
    Some(path.to_owned())
}

/// They have all ended: the server answers when the change is done.
async fn show_steps(client: &Client, output: Output, operation: Option<String>) -> anyhow::Result<()> {
    let Some(path) = operation else { return Ok(()) };
    Progress::new(output).show(&client.send(client.request(Method::GET, &path)).await?);
    Ok(())
}

fn rows(settings: &Value) -> String {
    let in_force = settings.get("settings").and_then(Value::as_object).cloned().unwrap_or_default();
    if in_force.is_empty() {
        return "it has no settings".to_owned();
    }
    let locked: Vec<&str> =
        settings.get("locked").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let from = |name: &str| match settings.pointer("/stored_settings").and_then(|stored| stored.get(name)) {
        _ if locked.contains(&name) => "the environment",
        Some(_) => "an administrator",
        None => "the plugin",
    };
    let head = ["SETTING", "VALUE", "SAID BY"].map(str::to_owned).to_vec();
    let value = |value: &Value| match value {
        Value::String(text) => text.clone(),
        secret if secret.get("$secret").is_some() => "(secret)".to_owned(),
        other => other.to_string(),
    };
    let row = |(name, said): (&String, &Value)| vec![name.clone(), value(said), from(name).to_owned()];
    let rows: Vec<_> = std::iter::once(head).chain(in_force.iter().map(row)).collect();
    table(&rows)
}
