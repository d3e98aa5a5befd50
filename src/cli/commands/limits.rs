//! `mint limits`, `mint plugin limits`, `mint plugin grant`, `mint plugin revoke`.

use std::{collections::BTreeMap, process::ExitCode};

use anyhow::{Context as _, bail};
use reqwest::Method;
use serde_json::{Value, json};

use super::plugin::{text, watch};
use crate::{
    client::{Client, Connection},
    output::{Output, table},
};

/// Limits of a laboratory, or of one plugin.
#[derive(Debug, clap::Args)]
pub(super) struct Edits {
    #[command(flatten)]
    changes: Changes,
    #[command(flatten)]
    connection: Connection,
}

/// What is said anew.
#[derive(Debug, clap::Args)]
pub(super) struct Changes {
    /// Sets a limit
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// Says nothing of a limit any more
    #[arg(long, value_name = "NAME")]
    unset: Vec<String>,
}

/// Limits of one plugin.
#[derive(Debug, clap::Args)]
pub(super) struct OfPlugin {
    /// Slug
    plugin: String,
    #[command(flatten)]
    edits: Edits,
}

/// Capabilities of one plugin.
#[derive(Debug, clap::Args)]
pub(super) struct Capabilities {
    /// Slug
    plugin: String,
    /// Capabilities, such as `experiments:read` or `http:api.example.org`
    #[arg(required = true, value_name = "CAPABILITY")]
    capabilities: Vec<String>,
    #[command(flatten)]
    connection: Connection,
}

impl Changes {
    /// By name; none says nothing of a limit any more.
    pub(super) fn edits(&self) -> anyhow::Result<BTreeMap<String, Option<u64>>> {
        let mut edits = BTreeMap::new();
        for edit in &self.set {
            let (name, value) = edit.split_once('=').with_context(|| format!("`{edit}` is not NAME=VALUE"))?;
            let value: u64 = value.parse().with_context(|| format!("`{value}` is not a whole number"))?;
            edits.insert(name.to_owned(), Some(value));
        }
        for name in &self.unset {
            if edits.insert(name.clone(), None).is_some() {
                bail!("`{name}` is set and unset at once");
            }
        }
        Ok(edits)
    }
}

impl Edits {
    fn body(&self) -> anyhow::Result<Option<Value>> {
        let edits = self.changes.edits()?;
        Ok((!edits.is_empty()).then(|| json!(edits)))
    }
}

/// Shows or changes what holds for all plugins of the laboratory.
pub(super) async fn of_laboratory(edits: Edits, output: Output) -> anyhow::Result<ExitCode> {
    let client = edits.connection.client()?;
    let limits = match edits.body()? {
        Some(body) => client.send(client.request(Method::PATCH, "/api/platform/limits").json(&body)).await?,
        None => client.send(client.request(Method::GET, "/api/platform/limits")).await?,
    };
    let head = ["LIMIT", "LABORATORY", "PLATFORM", "MOST"];
    output.print(&limits, |limits| rows(limits, &head, &["name", "value", "default", "max"]))?;
    Ok(ExitCode::SUCCESS)
}

/// Shows or changes the limits of a plugin.
pub(super) async fn of_plugin(arguments: OfPlugin, output: Output) -> anyhow::Result<ExitCode> {
    let OfPlugin { plugin, edits } = arguments;
    let client = edits.connection.client()?;
    let path = format!("/api/plugins/{plugin}/limits");
    let body = edits.body()?;
    let (limits, operation) = match body {
        Some(body) => {
            let mut changed = client.send(client.request(Method::PATCH, &path).json(&body)).await?;
            let operation = changed.get("operation").and_then(Value::as_i64);
            (changed.get_mut("limits").map(Value::take).unwrap_or_default(), operation)
        }
        None => (client.send(client.request(Method::GET, &path)).await?, None),
    };
    let head = ["LIMIT", "VALUE", "SAID BY", "NOW", "MOST SO FAR", "REACHED"];
    let holding: Vec<Value> =
        limits.as_array().into_iter().flatten().filter(|limit| limit.get("holds") == Some(&Value::Bool(true))).cloned().collect();
    output.print(&limits, |limits| {
        let rows = rows(&json!(holding), &head, &["name", "value", "from", "current", "peak", "reached"]);
        let others = limits.as_array().into_iter().flatten().filter(|limit| limit.get("instead").is_some());
        let others = others.map(|limit| format!("{}: {}", text(limit, "name"), text(limit, "instead")));
        std::iter::once(rows).chain(others).collect::<Vec<_>>().join("\n")
    })?;
    ended(&client, output, operation).await
}

/// Grants capabilities to a plugin.
pub(super) async fn grant(arguments: Capabilities, output: Output) -> anyhow::Result<ExitCode> {
    change("grant", arguments, output).await
}

/// Takes capabilities away from a plugin.
pub(super) async fn revoke(arguments: Capabilities, output: Output) -> anyhow::Result<ExitCode> {
    change("revoke", arguments, output).await
}

async fn change(what: &str, arguments: Capabilities, output: Output) -> anyhow::Result<ExitCode> {
    let client = arguments.connection.client()?;
    let path = format!("/api/plugins/{}/grants", arguments.plugin);
    let changed = client.send(client.request(Method::PATCH, &path).json(&json!({ what: arguments.capabilities }))).await?;
    output.print(&changed, |changed| {
        let granted: Vec<&str> =
            changed.get("grants").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        format!("granted: {}", if granted.is_empty() { "nothing".to_owned() } else { granted.join(", ") })
    })?;
    ended(&client, output, changed.get("operation").and_then(Value::as_i64)).await
}

/// Watches the operation that starts the plugin again, if there is one.
async fn ended(client: &Client, output: Output, operation: Option<i64>) -> anyhow::Result<ExitCode> {
    let Some(id) = operation else { return Ok(ExitCode::SUCCESS) };
    let begun = client.send(client.request(Method::GET, &format!("/api/operations/{id}"))).await?;
    watch(client, output, begun).await
}

/// Limits as a table.
pub(super) fn rows(limits: &Value, head: &[&str], keys: &[&str]) -> String {
    let cell = |limit: &Value, key: &str| match limit.get(key) {
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::String(_)) => text(limit, key).to_owned(),
        _ => "-".to_owned(),
    };
    let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
    let row = |limit: &Value| keys.iter().map(|key| cell(limit, key)).collect();
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(limits.as_array().into_iter().flatten().map(row)).collect();
    table(&rows)
}
