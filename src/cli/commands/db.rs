//! `mint db`: for the operator at the machine of the server.

use std::{collections::BTreeMap, path::Path, process::ExitCode};

use clap::Subcommand;
use mint_store::{Db, Schema};
use serde_json::json;

use crate::{config::Config, output::Output};

/// Looks after the tables of the platform.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(super) enum Command {
    /// Shows whether the database can be reached, and which migrations are to be applied; changes nothing
    Status,
    /// Applies them; `mint serve` does that too
    Migrate,
}

/// Shows or applies. The exit code of `status` is 1 where the database cannot be used as it is.
pub(super) async fn run(command: Command, config: Option<&Path>, output: Output) -> anyhow::Result<ExitCode> {
    let config = Config::load(config)?;
    if config.database.url.is_none() {
        std::fs::create_dir_all(&config.server.data_path)?;
    }
    if let (Command::Status, Some(file)) = (command, missing_file(&config.database_url())) {
        let status = BTreeMap::from([("reachable", json!(false)), ("error", json!("there is no database yet"))]);
        output
            .print(&status, |_| format!("reachable  no: there is no {file} yet; `mint db migrate` and `mint serve` make it"))?;
        return Ok(ExitCode::FAILURE);
    }
    let db = match (Db::connect(&config.database()).await, command) {
        (Err(error), Command::Status) => {
            let status = BTreeMap::from([("reachable", json!(false)), ("error", json!(error.to_string()))]);
            output.print(&status, |_| format!("reachable  no: {error}"))?;
            return Ok(ExitCode::FAILURE);
        }
        (opened, _) => opened?,
    };
    let before = db.schema().await?;
    if matches!(command, Command::Migrate) {
        db.migrate().await?;
    }
    let after = db.schema().await?;
    db.close().await;
    let applied = before.pending.iter().filter(|name| !after.pending.contains(name)).collect::<Vec<_>>();
    let status = BTreeMap::from([
        ("reachable", json!(true)),
        ("kind", json!(after.kind)),
        ("version", json!(after.version)),
        ("pending", json!(after.pending)),
        ("unknown", json!(after.unknown)),
        ("applied", json!(applied)),
    ]);
    output.print(&status, |_| text(command, &after, &applied))?;
    let is_usable = after.pending.is_empty() && after.unknown.is_empty();
    Ok(if is_usable { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The file of an address, where that is to be one and is not there.
fn missing_file(url: &str) -> Option<&str> {
    let path = url.strip_prefix("sqlite:")?.trim_start_matches("//").split('?').next()?;
    (!Path::new(path).exists()).then_some(path)
}

fn text(command: Command, schema: &Schema, applied: &[&String]) -> String {
    let list = |names: Vec<String>| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let version = schema.version.map_or_else(|| "none yet".to_owned(), |version| version.to_string());
    let mut lines = vec![format!("reachable  yes, {}", schema.kind), format!("version    {version}")];
    if matches!(command, Command::Migrate) {
        lines.push(format!("applied    {}", list(applied.iter().map(ToString::to_string).collect())));
    }
    lines.push(format!("pending    {}", list(schema.pending.clone())));
    if !schema.unknown.is_empty() {
        let unknown = list(schema.unknown.iter().map(ToString::to_string).collect());
        lines.push(format!("unknown    {unknown}: a later version of mint made them; start that one"));
    }
    lines.join("\n")
}
