//! How a process begins: where it stands, what it is told and held to, and what the platform holds of it then.

use std::{
    collections::BTreeMap,
    fs, io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::Arc,
};

use mint_context::{logs::PluginLog, runtime::Activation};
use mint_domain::{Capability, lifecycle::Failure};
use tempfile::TempDir;
use tokio_util::task::AbortOnDropHandle;

use crate::{
    child::Child,
    directory::Directory,
    egress::WayOut,
    environment::{self, Facts},
    incarnation::{self, Setup},
    output,
    registry::Token,
    sandbox::{self, Allowance},
    spawn::{Bounds, Confinement, Program},
    tables::Tables,
    warm::Place,
};

/// The directories of a process. They go with it.
#[derive(Debug)]
pub(crate) struct Home {
    /// With its socket.
    pub(crate) directory: Directory,
    /// For its temporary files.
    pub(crate) temporary: TempDir,
    /// Its way to its tables, where it was granted some.
    pub(crate) tables: Option<Tables>,
    /// Carries its calls to the platform.
    _calls: AbortOnDropHandle<()>,
}

/// A process that was begun. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Begun {
    /// The process.
    pub(crate) child: Child,
    /// Take what it prints into its log.
    pub(crate) output: Vec<AbortOnDropHandle<()>>,
    /// Its directories.
    pub(crate) home: Arc<Home>,
    /// Carry what it sends to the platform's address, and to the world outside, where it has a network of its own.
    pub(crate) carriers: Vec<AbortOnDropHandle<()>>,
    /// What it is a copy of, if it is one.
    pub(crate) copied: Option<Place>,
}

impl Home {
    /// Makes them.
    ///
    /// # Errors
    /// A [`Failure`] when that cannot be done.
    pub(crate) fn create(setup: &Setup) -> Result<Self, Failure> {
        let Activation { authority, generation, data_directory, .. } = &setup.activation;
        let root = &setup.config.runtime_directory;
        let directory = Directory::create(root, &authority.tenant_slug, authority.slug(), *generation)?;
        let temporary = temporary_directory(data_directory.join("cache")).map_err(|error| {
            incarnation::failure(
                setup,
                format!("The plugin's data directory cannot be used: {error}."),
                "Make it writable for the platform's user.",
            )
        })?;
        let tables = Tables::open(setup, &directory)?;
        let platform = Arc::clone(setup.sandbox.platform());
        let calls = sandbox::forward_socket(&directory.platform_socket(), platform).map_err(|error| {
            let reason = format!("The socket for the plugin's calls cannot be made: {error}.");
            incarnation::failure(setup, reason, "Choose a short runtime directory that the platform's user can write to.")
        })?;
        Ok(Self { directory, temporary, tables, _calls: calls })
    }
}

impl Begun {
    /// Starts a process that knows `token`.
    ///
    /// # Errors
    /// A [`Failure`] when there is none.
    pub(crate) async fn plain(setup: &Setup, token: &Token) -> Result<Self, Failure> {
        let home = Home::create(setup)?;
        let program = program(setup, &home, Some(token), None);
        Self::start(setup, home, program).await.map_err(|error| broken(setup, &error))
    }

    /// Starts a program, and takes hold of it.
    pub(crate) async fn start(setup: &Setup, home: Home, program: Program) -> io::Result<Self> {
        let mut child = setup.spawner.start(program).await?;
        home.directory.note_process(child.pid())?;
        let mut listeners = child.listeners()?.into_iter();
        let to_platform = listeners.next().map(|listener| sandbox::forward(listener, Arc::clone(setup.sandbox.platform())));
        let to_hosts = listeners.next().zip(setup.way_out.as_ref()).map(|(listener, way_out)| way_out.serve(listener));
        let carriers = to_platform.into_iter().chain(to_hosts).collect::<io::Result<_>>()?;
        let (stdout, stderr) = child.output();
        let output = into_log(&setup.activation.log, stdout, stderr)?;
        Ok(Self { child, output, home: Arc::new(home), carriers, copied: None })
    }
}

/// That a process cannot be started.
pub(crate) fn broken(setup: &Setup, error: &io::Error) -> Failure {
    incarnation::failure(
        setup,
        format!("`{}` cannot be started: {error}.", setup.launch.file().display()),
        "Reload the plugin; if that does not help, install it again.",
    )
}

/// Takes what a process prints into its log.
pub(crate) fn into_log(
    log: &Arc<PluginLog>,
    stdout: Option<impl Into<OwnedFd>>,
    stderr: Option<impl Into<OwnedFd>>,
) -> io::Result<Vec<AbortOnDropHandle<()>>> {
    let stdout = stdout.map(|pipe| output::into_log(pipe, Arc::clone(log), "stdout")).transpose()?;
    let stderr = stderr.map(|pipe| output::into_log(pipe, Arc::clone(log), "stderr")).transpose()?;
    Ok(stdout.into_iter().chain(stderr).collect())
}

/// What to start, and what it is held to. Without a token: what is copied later, with `control` as its input.
pub(crate) fn program(setup: &Setup, home: &Home, token: Option<&Token>, control: Option<OwnedFd>) -> Program {
    let Activation { authority, .. } = &setup.activation;
    let socket = home.directory.socket();
    let (file, args) = match token {
        Some(_) => setup.launch.command(&socket),
        None => setup.launch.warm_command(&socket),
    };
    Program {
        file,
        args,
        environment: environment(setup, home, token),
        directory: home.directory.standing_place(),
        input: control,
        bounds: Bounds::of(&authority.limits(), home.tables.is_some()),
        confinement: Some(Confinement { sandbox: Arc::clone(&setup.sandbox), allowance: allowance(setup, home) }),
    }
}

/// The whole environment of a process.
pub(crate) fn environment(setup: &Setup, home: &Home, token: Option<&Token>) -> BTreeMap<String, String> {
    let Activation { authority, data_directory, .. } = &setup.activation;
    let own_url = setup.sandbox.own_platform_url(&setup.network);
    environment::environment(&Facts {
        platform_url: own_url.as_ref().unwrap_or(&setup.config.platform_url),
        token: token.map(Token::as_str),
        slug: authority.slug(),
        socket: &home.directory.socket(),
        platform_socket: &home.directory.platform_socket(),
        home: data_directory,
        temporary: home.temporary.path(),
        search_path: &setup.config.search_path,
        launch: &setup.launch,
        tables: home.tables.as_ref().map(|tables| (tables.url(), authority.limits().database_bytes_max)),
        way_out: setup.way_out.as_ref().map(WayOut::variables).unwrap_or_default(),
    })
}

/// What a process may do, by the effective grants. Its own directory is there to read without the grant of files too:
/// what it wrote before the grant was taken back is not lost.
fn allowance(setup: &Setup, home: &Home) -> Allowance {
    let Activation { authority, data_directory, .. } = &setup.activation;
    let mut writable = vec![home.temporary.path().to_owned()];
    if authority.grants().allow(&Capability::Files) {
        writable.push(data_directory.clone());
    }
    writable.extend(home.tables.as_ref().and_then(Tables::directory).map(Path::to_owned));
    Allowance {
        programs: setup.launch.programs(),
        readable: vec![data_directory.clone()],
        writable,
        socket_directory: Some(home.directory.path().to_owned()),
        network: setup.network.clone(),
        name: home.directory.path().file_name().unwrap_or_default().to_string_lossy().into_owned(),
        memory_bytes_max: authority.limits().process_memory_bytes_max,
        processes_max: authority.limits().processes_max,
        home: Some(data_directory.clone()),
    }
}

/// A directory for the temporary files of one process.
pub(crate) fn temporary_directory(cache: PathBuf) -> io::Result<TempDir> {
    fs::create_dir_all(&cache)?;
    tempfile::Builder::new().prefix("tmp-").tempdir_in(cache)
}
