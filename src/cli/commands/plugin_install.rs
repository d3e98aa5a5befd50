//! `mint plugin install` and `mint plugin upgrade`.

use std::{
    io::{BufRead as _, IsTerminal as _, Write as _},
    process::ExitCode,
};

use anyhow::{Context as _, bail};
use mint_domain::{ArchiveName, Capability, Grants, Manifest, limit::LimitChanges};
use reqwest::Method;
use serde_json::{Value, json};

use super::{bundle_argument::BundleArgument, dry_run::DryRun, plugin::watch};
use crate::{client::Connection, output::Output};

/// What to install, and what to grant.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    bundle: BundleArgument,
    /// Grant a capability; may be repeated
    #[arg(long, value_name = "CAPABILITY")]
    grant: Vec<Capability>,
    /// Grant everything that the bundle asks for, without asking
    #[arg(long, short)]
    yes: bool,
    /// Set a limit, such as `cpu_ms_max=5000`; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = limit)]
    limit: Vec<(String, u64)>,
    /// Run it in this mode or not at all: shared or isolated
    #[arg(long, value_parser = ["shared", "isolated"])]
    mode: Option<String>,
    /// Let migrations take away what earlier releases use, once none of them answers any more
    #[arg(long)]
    allow_destructive: bool,
    #[command(flatten)]
    run: DryRun,
    #[command(flatten)]
    connection: Connection,
}

/// What to install, and what it is given.
#[derive(Debug, clap::Args)]
pub(super) struct Install {
    #[command(flatten)]
    arguments: Arguments,
    /// Give it what an earlier installation of it left behind: an archive of `mint plugin archives`
    #[arg(long, value_name = "ARCHIVE")]
    adopt: Option<ArchiveName>,
}

fn limit(text: &str) -> Result<(String, u64), String> {
    let (name, value) = text.split_once('=').ok_or("use NAME=VALUE")?;
    Ok((name.to_owned(), value.parse().map_err(|_| format!("`{value}` is not a whole number"))?))
}

/// Installs, and prints the steps.
pub(super) async fn install(install: Install, output: Output) -> anyhow::Result<ExitCode> {
    let Install { arguments, adopt } = install;
    let bundle = arguments.bundle.open()?;
    let client = arguments.connection.client()?;
    let mut decision = arguments.decision(&bundle.manifest, Grants::default(), output)?;
    if let (Some(adopt), Some(decision)) = (adopt, decision.as_object_mut()) {
        decision.insert("adopt".to_owned(), json!(adopt));
    }
    let form = bundle.form(&decision, output).await?;
    let begun = client.send(arguments.run.on(client.request(Method::POST, "/api/plugins/upload")).multipart(form)).await?;
    watch(&client, output, begun).await
}

/// Puts another release in the place of the installed one, and prints the steps.
pub(super) async fn upgrade(arguments: Arguments, output: Output) -> anyhow::Result<ExitCode> {
    let bundle = arguments.bundle.open()?;
    let client = arguments.connection.client()?;
    let path = format!("/api/plugins/{}", bundle.manifest.plugin.slug);
    let installed = client.send(client.request(Method::GET, &path)).await?;
    let granted = installed.get("grants").cloned().unwrap_or_default();
    let granted: Grants = serde_json::from_value(granted).context("the server did not say what is granted")?;
    let decision = arguments.decision(&bundle.manifest, granted, output)?;
    let form = bundle.form(&decision, output).await?;
    let begun = client.send(arguments.run.on(client.request(Method::POST, &format!("{path}/upgrade"))).multipart(form)).await?;
    watch(&client, output, begun).await
}

impl Arguments {
    /// What is decided about a bundle, in addition to what is granted already.
    fn decision(&self, manifest: &Manifest, granted: Grants, output: Output) -> anyhow::Result<Value> {
        let limits: Value = self.limit.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        let limits: LimitChanges = serde_json::from_value(limits).context("unknown limit")?;
        let granted = Grants::new(granted.iter().chain(&self.grant).cloned());
        let missing = granted.missing(manifest.requested());
        let grant_requested = self.yes || missing.is_empty() || (!self.run.dry_run && agreed(manifest, &missing, output)?);
        Ok(json!({ "grants": self.grant, "grant_requested": grant_requested, "limits": limits, "mode": self.mode,
            "allow_destructive": self.allow_destructive }))
    }
}

/// Shows what the bundle asks for and is not granted, and asks.
fn agreed(manifest: &Manifest, missing: &[Capability], output: Output) -> anyhow::Result<bool> {
    let mut stderr = std::io::stderr();
    writeln!(stderr, "{} {} asks for:", manifest.plugin.slug, manifest.plugin.version)?;
    for wanted in manifest.capabilities.iter().filter(|wanted| missing.contains(&wanted.name)) {
        writeln!(stderr, "  {:<24} {}", wanted.name.to_string(), wanted.why)?;
    }
    if output.json || !std::io::stdin().is_terminal() {
        bail!("say what to grant: --yes for all of it, or --grant for each");
    }
    write!(stderr, "Grant all of it? [y/N] ")?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    if !matches!(answer.trim(), "y" | "Y" | "yes") {
        bail!("not installed");
    }
    Ok(true)
}
