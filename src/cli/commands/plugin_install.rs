//! `mint plugin install`.

use std::{
    io::{BufRead as _, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, anyhow, bail};
use mint_bundle::{Bounds, Bundle};
use mint_domain::{Capability, Manifest, Slug, limit::LimitChanges};
use reqwest::{
    Method,
    multipart::{Form, Part},
};
use serde_json::{Value, json};

use super::plugin::watch;
use crate::{client::Connection, output::Output};

/// What to install, and what to grant.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A `.mint` bundle (also MINT's own), or a component (`.wasm`)
    bundle: PathBuf,
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
    /// For a bare component: its slug
    #[arg(long)]
    slug: Option<Slug>,
    /// For a bare component: its version
    #[arg(long, value_name = "VERSION", default_value = "0.0.0")]
    release: String,
    #[command(flatten)]
    connection: Connection,
}

fn limit(text: &str) -> Result<(String, u64), String> {
    let (name, value) = text.split_once('=').ok_or("use NAME=VALUE")?;
    Ok((name.to_owned(), value.parse().map_err(|_| format!("`{value}` is not a whole number"))?))
}

/// Installs, and prints the steps.
pub(super) async fn run(arguments: Arguments, output: Output) -> anyhow::Result<ExitCode> {
    let limits: Value = arguments.limit.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    let limits: LimitChanges = serde_json::from_value(limits).context("unknown limit")?;
    let scratch = tempfile::tempdir()?;
    let bundle = match arguments.bundle.extension().and_then(|extension| extension.to_str()) {
        Some("wasm") => wrap(&arguments, scratch.path())?,
        _ => arguments.bundle.clone(),
    };
    let opened = Bundle::open(&bundle, &Bounds::default()).map_err(|error| match error {
        // Names the file itself.
        mint_bundle::Error::Io { .. } => anyhow!("{error}"),
        _ => anyhow!("{}: {error}", bundle.display()),
    })?;
    let grant_requested =
        arguments.yes || asks_for_nothing(opened.manifest(), &arguments.grant) || agreed(opened.manifest(), output)?;
    let decision =
        json!({ "grants": arguments.grant, "grant_requested": grant_requested, "limits": limits, "mode": arguments.mode });
    let client = arguments.connection.client()?;
    let form = Form::new()
        .text("decision", decision.to_string())
        .part("bundle", Part::file(&bundle).await.with_context(|| bundle.display().to_string())?);
    let begun = client.send(client.request(Method::POST, "/api/plugins/upload").multipart(form)).await?;
    watch(&client, output, begun).await
}

/// A bundle around a component that has none.
fn wrap(arguments: &Arguments, scratch: &Path) -> anyhow::Result<PathBuf> {
    let Some(slug) = &arguments.slug else { bail!("a bare component has no name: give it one with --slug") };
    let manifest = json!({
        "format_version": 2,
        "plugin": { "slug": slug, "version": arguments.release },
        "component": "plugin.wasm",
        "files": { "plugin.wasm": mint_domain::Digest::of(b"") },
    });
    let manifest = Manifest::parse(&serde_json::to_vec(&manifest)?)?;
    let path = scratch.join(format!("{slug}.mint"));
    mint_bundle::write(&path, manifest, [("plugin.wasm".to_owned(), arguments.bundle.clone())])?;
    Ok(path)
}

fn asks_for_nothing(manifest: &Manifest, granted: &[Capability]) -> bool {
    manifest.requested().all(|wanted| granted.iter().any(|granted| granted.allows(wanted)))
}

/// Shows what the bundle asks for, and asks.
fn agreed(manifest: &Manifest, output: Output) -> anyhow::Result<bool> {
    let mut stderr = std::io::stderr();
    writeln!(stderr, "{} {} asks for:", manifest.plugin.slug, manifest.plugin.version)?;
    for wanted in &manifest.capabilities {
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
