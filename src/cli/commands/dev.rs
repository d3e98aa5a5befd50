//! `mint dev`: a plugin from its project's directory, as part of a running server.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context as _, bail};
use mint_domain::{Capability, Prefix, Slug};
use serde_json::{Value, json};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{
    client::{Client, Connection},
    config::Config,
    dev::{
        child::{self, Server},
        project::{Description, Project},
        session::Session,
    },
    output::Output,
};

/// Between two tries to find a server that has gone away.
const AGAIN: Duration = Duration::from_secs(1);
/// What a command of the developer's own learns its port by.
const PORT_VARIABLE: &str = "MINT_DEV_PORT";

/// What to develop, and where.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Directory of the plugin's project
    #[arg(default_value = ".")]
    directory: PathBuf,

    /// Port of the development server
    #[arg(long, default_value_t = 8003)]
    port: u16,

    /// Name of the plugin in URLs; by default that of mint.toml, else of the project
    #[arg(long)]
    slug: Option<Slug>,

    /// Where its routes stand, without /api; by default as the project says
    #[arg(long)]
    prefix: Option<Prefix>,

    /// A capability that it has; by default those of mint.toml, else all
    #[arg(long = "grant", value_name = "CAPABILITY")]
    grants: Vec<Capability>,

    /// JSON file with the settings that it begins with
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,

    /// Python for the project, as uv takes it
    #[arg(long)]
    python: Option<String>,

    #[command(flatten)]
    connection: Connection,

    /// A command that serves the plugin instead, on 127.0.0.1 and the port MINT_DEV_PORT
    #[arg(last = true)]
    command: Vec<OsString>,
}

/// How a turn of the server ended.
enum Turn {
    /// The developer wants to end.
    Done,
    /// The platform is gone.
    Lost,
    /// The development server has ended.
    Ended(String),
}

/// The signals that end it.
struct Ends {
    interrupt: Signal,
    terminate: Signal,
}

/// Has the plugin answer until it is told to end.
pub(super) async fn run(arguments: Arguments, config: Option<&Path>, output: Output) -> anyhow::Result<ExitCode> {
    let directory = arguments.directory.canonicalize();
    let directory = directory.with_context(|| format!("{} is not a directory", arguments.directory.display()))?;
    let client = arguments.connection.client()?;
    let mut ends = Ends { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? };
    let project = match arguments.command.is_empty() {
        true => Some(Project::read(&directory, &Config::load(config)?.plugins.uv.path, arguments.python.as_deref())?),
        false => None,
    };
    let described = async {
        match &project {
            Some(project) => project.describe().await,
            None => Description::of_command(&directory, arguments.slug.as_ref()),
        }
    };
    let description = tokio::select! {
        description = described => description?,
        () = ends.wait() => return Ok(ExitCode::SUCCESS),
    };
    let wanted = request(&arguments, description)?;
    let (words, environment) = match &project {
        Some(project) => project.command(arguments.port),
        None => own_command(&arguments),
    };
    let (mut is_first, mut told) = (true, String::new());
    loop {
        let begun = tokio::select! {
            begun = Session::begin(&client, &wanted) => begun,
            () = ends.wait() => return Ok(ExitCode::SUCCESS),
        };
        let session = match begun {
            Err(error) if is_first => return Err(error),
            Err(error) => {
                let why = format!("{error:#}; trying again");
                if told != why {
                    output.note(&why);
                    told = why;
                }
                tokio::select! {
                    () = tokio::time::sleep(AGAIN) => continue,
                    () = ends.wait() => return Ok(ExitCode::SUCCESS),
                }
            }
            Ok(session) => session,
        };
        is_first = false;
        expect_free(arguments.port)?;
        tell(&session, &client, output)?;
        match serve(session, (&words, &directory, &environment), &mut ends).await? {
            Turn::Done => return Ok(ExitCode::SUCCESS),
            Turn::Lost => output.note("The server has gone away; the plugin is started again when it is back."),
            Turn::Ended(how) => bail!("the development server ended: {how}"),
        }
    }
}

/// Runs the development server for as long as its place lasts.
async fn serve(
    mut session: Session,
    (words, directory, environment): (&[OsString], &Path, &BTreeMap<String, OsString>),
    ends: &mut Ends,
) -> anyhow::Result<Turn> {
    let mut environment = environment.clone();
    let given = session.development.environment.iter();
    environment.extend(given.map(|(name, value)| (name.clone(), OsString::from(value))));
    let mut server = Server::start(child::command(words, directory, &environment)?)?;
    let turn = tokio::select! {
        status = server.ended() => Turn::Ended(status?.to_string()),
        () = session.lost() => Turn::Lost,
        () = ends.wait() => Turn::Done,
    };
    // Nobody is sent to it any more while it ends.
    drop(session);
    server.stop().await;
    Ok(turn)
}

/// What the platform is asked for.
fn request(arguments: &Arguments, description: Description) -> anyhow::Result<Value> {
    let Description { mut plugin, name, own_prefix, is_mld, wanted } = description;
    if let Some(slug) = &arguments.slug {
        plugin.slug = slug.clone();
    }
    if let Some(prefix) = &arguments.prefix {
        plugin.routes_prefix = Some(prefix.clone());
    }
    let grants = if arguments.grants.is_empty() { wanted } else { Some(arguments.grants.clone()) };
    let settings = match &arguments.settings {
        None => json!({}),
        Some(path) => {
            let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
            serde_json::from_str(&text).with_context(|| format!("{} is not JSON", path.display()))?
        }
    };
    Ok(json!({
        "plugin": plugin,
        "address": SocketAddr::from((Ipv4Addr::LOCALHOST, arguments.port)),
        "name": name,
        "own_prefix": own_prefix,
        "is_mld": is_mld,
        "grants": grants,
        "settings": settings,
    }))
}

fn own_command(arguments: &Arguments) -> (Vec<OsString>, BTreeMap<String, OsString>) {
    (arguments.command.clone(), BTreeMap::from([(PORT_VARIABLE.to_owned(), arguments.port.to_string().into())]))
}

/// Whoever listens there already would be taken for the plugin.
fn expect_free(port: u16) -> anyhow::Result<()> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .map(drop)
        .with_context(|| format!("the port {port} cannot be used; end whatever listens there, or choose another with --port"))
}

fn tell(session: &Session, client: &Client, output: Output) -> anyhow::Result<()> {
    let development = &session.development;
    let url = format!("{}{}", client.url, development.api_prefix);
    output.print(&json!({ "plugin": development.plugin, "url": url }), |_| {
        format!("{} is developed under {url}; Ctrl-C ends that", development.plugin)
    })
}

impl Ends {
    async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
