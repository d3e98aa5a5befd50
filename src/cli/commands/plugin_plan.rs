//! `mint plugin plan`.

use std::process::ExitCode;

use anyhow::Context as _;
use mint_domain::{
    Mode,
    plan::Findings,
    requirement::{Clash, Want},
};
use reqwest::Method;
use serde_json::{Value, json};

use super::{bundle_argument::BundleArgument, plugin::text};
use crate::{
    client::Connection,
    output::{Output, table},
};

/// What to look into.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    bundle: BundleArgument,
    /// Ask for this mode: shared or isolated
    #[arg(long, value_parser = ["shared", "isolated"])]
    mode: Option<String>,
    #[command(flatten)]
    connection: Connection,
}

/// Asks the server and prints its plan. Fails where the bundle would be refused.
pub(super) async fn run(arguments: Arguments, output: Output) -> anyhow::Result<ExitCode> {
    let bundle = arguments.bundle.open()?;
    let client = arguments.connection.client()?;
    let form = bundle.form(&json!({ "mode": arguments.mode }), output).await?;
    let planned = client.send(client.request(Method::POST, "/api/plugins/plan").multipart(form)).await?;
    let findings = findings(&planned).context("the server did not answer with a plan")?;
    output.print(&planned, |planned| {
        let (name, version) = (text(planned, "name"), text(planned, "version"));
        let would = match text(planned, "mode") {
            "" => "would be refused".to_owned(),
            mode => format!("would run {mode}"),
        };
        format!("{name} {version} {would}: {}{}", text(planned, "reason"), describe(&findings))
    })?;
    let is_possible = planned.get("mode").is_some_and(Value::is_string);
    Ok(if is_possible { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What a plan was decided on, in an answer of the server's.
pub(super) fn findings(answer: &Value) -> Option<Findings> {
    serde_json::from_value(answer.get("plan")?.clone()).ok()
}

/// Everything that was found, each on a line. Begins with a line break where there is something.
pub(super) fn describe(findings: &Findings) -> String {
    let mut text = String::new();
    if !findings.wants.is_empty() {
        let head = ["PACKAGE", "VERSIONS", "WANTED BY"].map(str::to_owned).to_vec();
        let rows: Vec<_> = std::iter::once(head).chain(findings.wants.iter().map(row)).collect();
        text.push_str(&format!("\n\n{}", table(&rows)));
    }
    if !findings.not_carried.is_empty() {
        text.push_str("\n\nNot for a component:");
        findings.not_carried.iter().for_each(|missing| text.push_str(&format!("\n  {}", missing.why)));
    }
    if !findings.clashes.is_empty() {
        text.push_str("\n\nClashes:");
        findings.clashes.iter().for_each(|clash| text.push_str(&format!("\n  {} {}", clash.in_words(), effect(clash))));
    }
    if !findings.added.is_empty() {
        let added = findings.added.join(", ");
        text.push_str(&format!("\n\nAdded to its venv where it is granted `database`, for what its SDK promises: {added}"));
    }
    text
}

fn row(want: &Want) -> Vec<String> {
    let versions = if want.versions.is_empty() { "any".to_owned() } else { want.versions.to_string().replace(", ", ",") };
    vec![want.package.clone(), versions, want.by.clone()]
}

fn effect(clash: &Clash) -> &'static str {
    match (clash.rules_out.contains(&Mode::Shared), clash.rules_out.contains(&Mode::Isolated)) {
        (true, true) => "It cannot run.",
        (true, false) => "It cannot become a component.",
        (false, true) => "It cannot have a venv.",
        (false, false) => "Each has its own copy.",
    }
}
