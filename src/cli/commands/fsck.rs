//! `mint fsck`: for the operator at the machine of the server, while it does not run.

use std::{path::Path, process::ExitCode, sync::Arc};

use mint_platform::{
    fsck::{Finding, Fsck, Thoroughness},
    layout::Layout,
    running::Running,
};

use crate::{
    config::Config,
    lock::DataLock,
    output::{Output, table},
    serve::open_services,
};

/// What to do about what is found.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct Arguments {
    /// Mend what can be mended
    #[arg(long)]
    repair: bool,
    /// Read every byte of the experiments' files, not only their sizes
    #[arg(long)]
    deep: bool,
}

/// Looks, and prints what was found. The exit code is 1 where something is left as it was.
pub(super) async fn run(arguments: Arguments, config: Option<&Path>, output: Output) -> anyhow::Result<ExitCode> {
    let config = Config::load(config)?;
    let _lock = DataLock::take(&config.server.data_path)?;
    let layout = Layout::prepare(&config.server.data_path)?;
    let services = open_services(&config, &layout, Arc::new(Running::default())).await?;
    let thoroughness = if arguments.deep { Thoroughness::Contents } else { Thoroughness::Sizes };
    let mut findings = Fsck::new(services.clone(), layout, thoroughness, arguments.repair).run().await?;
    services.db.close().await;
    findings.extend(mint_subprocess::broken_venvs(&config.cache_path(), arguments.repair)?.into_iter().map(|venv| Finding {
        kind: "venv",
        name: venv.display().to_string(),
        problem: "it is not whole".to_owned(),
        remedy: Some("removed; it is made again when it is needed".to_owned()),
        repaired: arguments.repair,
    }));
    output.print(&findings, |findings| text(findings, arguments))?;
    let is_left = findings.iter().any(|finding| !finding.repaired);
    Ok(if is_left { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn text(findings: &[Finding], arguments: Arguments) -> String {
    if findings.is_empty() {
        return "rows and files agree".to_owned();
    }
    let head = ["KIND", "NAME", "PROBLEM", "REPAIR"].map(str::to_owned).to_vec();
    let rows = findings.iter().map(|finding| {
        let repair = match (&finding.remedy, finding.repaired) {
            (Some(remedy), true) => remedy.clone(),
            (Some(_), false) => "with --repair".to_owned(),
            (None, _) => "none".to_owned(),
        };
        vec![finding.kind.to_owned(), finding.name.clone(), finding.problem.clone(), repair]
    });
    let mut text = table(&std::iter::once(head).chain(rows).collect::<Vec<_>>());
    if !arguments.repair {
        text.push_str("\nnothing was changed");
    }
    text
}
