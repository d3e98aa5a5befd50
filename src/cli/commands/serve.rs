//! `mint serve`.

use std::{io::IsTerminal as _, path::Path, process::ExitCode};

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::{
    config::{Config, LogFormat, Logging},
    open_files,
    serve::Server,
};

/// Runs the server until it is told to end: once to let requests finish, twice to end now.
pub(super) async fn run(config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let config = Config::load(config)?;
    begin_logging(&config.logging)?;
    open_files::raise();
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let server = Server::start(&config).await?;
    tracing::info!(server.address = %server.address, data.path = %config.server.data_path.display(), "listening on http://{}", server.address);
    if let Some(token) = server.platform.offer_setup().await? {
        let link = server.platform.layout().write_setup_link(server.address, &token);
        let link = link.context("the link by which the first administrator is made cannot be written")?;
        tracing::warn!(
            "nobody can sign in yet: open the link that stands in {}, which is good once and for a day, or run `mint user create --role admin <name>` on this machine",
            link.display()
        );
    }
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    tracing::info!("ending; a second signal ends at once");
    tokio::select! {
        () = server.stop() => Ok(ExitCode::SUCCESS),
        _ = interrupt.recv() => Ok(ExitCode::FAILURE),
        _ = terminate.recv() => Ok(ExitCode::FAILURE),
    }
}

fn begin_logging(logging: &Logging) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&logging.level)?;
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    match logging.format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
    Ok(())
}
