//! Makes components of bundles that have pure wheels only: once per release, in a bounded process.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use mint_context::runtime::Release;
use mint_domain::{Digest, Manifest, lifecycle::Failure, manifest::Wheels, requirement::is_pure};
use serde::{Deserialize, Serialize};
use tokio::{sync::Semaphore, task::spawn_blocking, time::Instant};

use super::{CARRIED, COMPONENTIZE_PY, Entry, PYTHON_INSIDE, Recipe, RecipeError, World, sdk, tool::Tool};
use crate::{
    SubprocessConfig, chamber,
    exit::Exit,
    once::Place,
    run::{self, Broken, Ended},
    sandbox::{Allowance, Network, Sandbox},
    spawn::{Bounds, Confinement, Program, Spawner},
    unused::InUse,
    uv::Uv,
    venv::no_room,
    wheel::WheelInfo,
};

/// The phase of a failure while a component is made.
pub(super) const PHASE: &str = "make component";

const ENTRY: &str = "plugin.wasm";
const MARKER: &str = "mint-component.json";
/// Largest component, and largest file on the way to it.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// Everything on the way to a component.
const WORK_BYTES_MAX: u64 = 1 << 30;
/// How often that is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// Memory of componentize-py, which uses a few hundred MiB.
const MEMORY_BYTES_MAX: u64 = 4 << 30;
const PROCESSES_MAX: u64 = 256;
/// Lines of its explanation that are kept.
const LINES: usize = 40;

/// Makes components.
#[derive(Debug)]
pub(crate) struct Workshop {
    config: Arc<SubprocessConfig>,
    spawner: Spawner,
    sandbox: Arc<Sandbox>,
    /// One at a time: each takes all processors.
    turns: Semaphore,
}

/// In a directory with a component.
#[derive(Debug, Serialize, Deserialize)]
struct Marker {
    digest: Digest,
}

/// Something to run with componentize-py's Python.
#[derive(Debug)]
pub(super) struct Task<'a> {
    pub(super) tool: &'a Tool,
    /// The only place where it may write.
    pub(super) directory: &'a Path,
    pub(super) arguments: Vec<OsString>,
}

impl Task<'_> {
    /// A program in the sandbox, without any network.
    pub(super) fn program(self, sandbox: &Arc<Sandbox>) -> Program {
        let directory = self.directory.to_string_lossy().into_owned();
        let environment: BTreeMap<String, String> = [
            ("HOME", directory.as_str()),
            ("LANG", "C.UTF-8"),
            ("PYTHONDONTWRITEBYTECODE", "1"),
            ("PYTHONNOUSERSITE", "1"),
            ("TMPDIR", directory.as_str()),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let allowance = Allowance {
            programs: self.tool.programs(),
            readable: Vec::new(),
            writable: vec![self.directory.to_owned()],
            removable: Vec::new(),
            socket_directory: None,
            network: Network::Nobody,
            name: format!("component-{:016x}", rand::random::<u64>()),
            memory_bytes_max: MEMORY_BYTES_MAX,
            processes_max: PROCESSES_MAX,
            home: None,
        };
        Program {
            file: self.tool.python(),
            args: self.arguments,
            environment,
            directory: self.directory.to_owned(),
            input: None,
            bounds: Bounds::of_build(MEMORY_BYTES_MAX, FILE_BYTES_MAX),
            confinement: Some(Confinement { sandbox: Arc::clone(sandbox), allowance }),
        }
    }
}

impl Workshop {
    pub(crate) fn new(config: Arc<SubprocessConfig>, spawner: Spawner, sandbox: Arc<Sandbox>) -> Self {
        Self { config, spawner, sandbox, turns: Semaphore::new(1) }
    }

    /// Sees to it that componentize-py is there.
    ///
    /// # Errors
    /// A [`Failure`] that tells why it cannot be had.
    pub(crate) async fn open(&self) -> Result<(), Failure> {
        self.sandbox.permit(&Network::Nobody)?;
        self.tool(self.config.build_timeout).await.map(drop)
    }

    /// The release with a component made of its wheels, now or before. A release that has one is given back.
    ///
    /// # Errors
    /// A [`Failure`] with the words of what stopped it.
    pub(crate) async fn complete(&self, release: &Release) -> Result<Release, Failure> {
        let (None, Some(wheels)) = (&release.manifest.component, &release.manifest.wheels) else { return Ok(release.clone()) };
        let kind = format!("{} {COMPONENTIZE_PY} {}", release.digest, sdk::digest());
        let parent = self.config.cache_directory.join("made").join(release.manifest.plugin.slug.as_str());
        let place = Place::new(parent, Digest::of(kind.as_bytes()).hex());
        if let Some(made) = made(release, &place.path()) {
            // It is wanted still, for a while at least.
            drop(InUse::of(&place.path()).map_err(|error| no_room(&place.path(), &error))?);
            return Ok(made);
        }
        let unwritable = |error| no_room(&place.path(), &error);
        let turn = place.turn().await.map_err(unwritable)?;
        if let Some(made) = made(release, &place.path()) {
            return Ok(made);
        }
        let _turn = self.turns.acquire().await.map_err(|error| failed(error.to_string()))?;
        let (work, ready) = (turn.directory().join("work"), turn.directory().join("ready"));
        fs::create_dir(&work).and_then(|()| fs::create_dir(&ready)).map_err(unwritable)?;
        let deadline = Instant::now() + self.config.components.timeout;
        tokio::select! {
            made = self.make(release, wheels, &work, deadline) => made?,
            too_large = grown_too_large(&work) => return Err(too_large),
        }
        let (from, to) = (Recipe::new(&work).component(), ready.clone());
        let taken = spawn_blocking(move || take(&from, &to)).await.map_err(io::Error::from).flatten();
        taken.map_err(|error| failed(format!("What componentize-py left cannot be used: {error}")))?;
        turn.put(&ready).map_err(unwritable)?;
        made(release, &place.path()).ok_or_else(|| unwritable(io::ErrorKind::NotFound.into()))
    }

    async fn tool(&self, timeout: Duration) -> Result<Tool, Failure> {
        Tool::find(&self.config, &self.spawner, &self.sandbox, timeout).await
    }

    async fn make(&self, release: &Release, wheels: &Wheels, work: &Path, deadline: Instant) -> Result<(), Failure> {
        self.sandbox.permit(&Network::Nobody)?;
        let left = || deadline.saturating_duration_since(Instant::now());
        let tool = self.tool(self.config.build_timeout).await?;
        let main = release.directory.join(&wheels.main);
        let info = spawn_blocking(move || WheelInfo::read(&main)).await.map_err(|error| failed(error.to_string()))?;
        let info = info.map_err(|error| failed(format!("The wheel `{}` cannot be used: {error}", wheels.main)))?;
        let entry = entry(&info, wheels).map_err(prepared)?;
        let recipe = Recipe::new(work);
        self.install(&tool, release, wheels, &recipe, left()).await?;
        let arguments = {
            let recipe = recipe.clone();
            blocking(move || {
                recipe.remove_native_parts()?;
                let code = recipe.code();
                // A wheel may have brought something in its place.
                match fs::remove_dir_all(code.join("mint_sdk")) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => Err(RecipeError::File { path: code, source: error }),
                    _ => sdk::write(&code),
                }?;
                recipe.look_for_late_imports()
            })
            .await?
        };
        let isolated = std::iter::once("-I".into()).chain(arguments).collect();
        self.run(Task { tool: &tool, directory: work, arguments: isolated }, left()).await?;
        let world = world_of(&release.manifest);
        let arguments = blocking(move || recipe.prepare(&entry, &world)).await?;
        let arguments = Tool::arguments().into_iter().chain(arguments).collect();
        self.run(Task { tool: &tool, directory: work, arguments }, left()).await
    }

    /// Installs the pure wheels of the bundle, but for those in whose place the platform's own stand.
    async fn install(
        &self,
        tool: &Tool,
        release: &Release,
        wheels: &Wheels,
        recipe: &Recipe,
        timeout: Duration,
    ) -> Result<(), Failure> {
        let all = std::iter::once(&wheels.main).chain(&wheels.dependencies);
        let wanted = all.filter(|entry| is_pure(entry) && !is_carried(entry)).map(|entry| release.directory.join(entry).into());
        let (config, spawner) = (&self.config, &self.spawner);
        let uv = Uv { config, spawner, sandbox: None, directory: recipe.code(), reads: Vec::new(), timeout };
        fs::create_dir(recipe.code()).map_err(|error| no_room(&recipe.code(), &error))?;
        let mut arguments: Vec<OsString> =
            ["pip", "install", "--no-config", "--no-deps", "--no-index", "--offline", "--link-mode", "copy"]
                .map(OsString::from)
                .into();
        arguments.extend(["--python-version".into(), PYTHON_INSIDE.into(), "--python".into(), tool.python().into()]);
        arguments.extend(["--target".into(), recipe.code().into(), "--".into()]);
        arguments.extend(wanted);
        uv.run("unpacking the wheels of the bundle", arguments)
            .await
            .map_err(|failure| Failure { phase: PHASE.to_owned(), ..failure })
    }

    async fn run(&self, task: Task<'_>, timeout: Duration) -> Result<(), Failure> {
        match run::to_its_end(&self.spawner, task.program(&self.sandbox), timeout, LINES).await {
            Ok(Ended { exit: Exit::Code(0), .. }) => Ok(()),
            Ok(Ended { exit, stdout, stderr }) => {
                let lines = if stderr.is_empty() { stdout } else { stderr };
                let mut failure = failed(match telling(&lines) {
                    Some(line) => format!("componentize-py {exit}: {line}"),
                    None => format!("componentize-py {exit}"),
                });
                failure.log_excerpt = lines;
                Err(failure)
            }
            Err(Broken::TooSlow(_)) => {
                let most = self.config.components.timeout.as_secs();
                Err(failed(format!("It was stopped after the {most} s of plugins.components.secondsMax")))
            }
            Err(broken) => Err(failed(format!("componentize-py: {broken}"))),
        }
    }
}

/// The release with the component in `place`, if there is one.
fn made(release: &Release, place: &Path) -> Option<Release> {
    let Marker { digest } = serde_json::from_slice(&fs::read(place.join(MARKER)).ok()?).ok()?;
    let mut manifest = Manifest::clone(&release.manifest);
    manifest.component = Some(ENTRY.to_owned());
    manifest.files.insert(ENTRY.to_owned(), digest);
    Some(Release { manifest: Arc::new(manifest), digest: release.digest, directory: place.to_owned() })
}

/// Copies what was made out of the hands of who made it, and notes its digest.
fn take(from: &Path, to: &Path) -> io::Result<()> {
    let bytes = chamber::read(from, FILE_BYTES_MAX)?;
    fs::write(to.join(ENTRY), &bytes)?;
    fs::write(to.join(MARKER), serde_json::to_vec(&Marker { digest: Digest::of(&bytes) })?)
}

/// The class that the bundle means.
fn entry(info: &WheelInfo, wheels: &Wheels) -> Result<Entry, RecipeError> {
    let named = info.entry_points.iter().find(|point| point.name == wheels.entry_point);
    Entry::parse(named.map_or(wheels.entry_point.as_str(), |point| point.object.as_str()))
}

fn world_of(manifest: &Manifest) -> World {
    World::of_python(manifest.requested())
}

/// Whether a wheel is of a package that every component has already.
fn is_carried(entry: &str) -> bool {
    let file = entry.rsplit('/').next().unwrap_or(entry);
    let name = file.split('-').next().unwrap_or(file).to_lowercase().replace(['_', '.'], "-");
    CARRIED.iter().any(|(carried, _)| *carried == name)
}

/// Waits until there is too much in a directory. Never returns while there is not.
async fn grown_too_large(directory: &Path) -> Failure {
    loop {
        tokio::time::sleep(LOOK_INTERVAL).await;
        let directory = directory.to_owned();
        if spawn_blocking(move || bytes_in(&directory)).await.is_ok_and(|bytes| bytes > WORK_BYTES_MAX) {
            return failed(format!("It was stopped when it had written more than {WORK_BYTES_MAX} bytes"));
        }
    }
}

fn bytes_in(directory: &Path) -> u64 {
    let mut directories: Vec<PathBuf> = vec![directory.to_owned()];
    let mut bytes = 0;
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => directories.push(entry.path()),
                Ok(metadata) => bytes += metadata.len().max(1 << 12),
                Err(_) => {}
            }
        }
    }
    bytes
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, RecipeError> + Send + 'static) -> Result<T, Failure> {
    spawn_blocking(work).await.map_err(|error| failed(error.to_string()))?.map_err(prepared)
}

fn prepared(error: RecipeError) -> Failure {
    failed(error.to_string())
}

/// The line of an explanation that says most: the error that Python ends with.
fn telling(lines: &[String]) -> Option<&str> {
    let is_error = |line: &&str| {
        let name = line.split(':').next().unwrap_or_default();
        (name.ends_with("Error") || name.ends_with("Exception")) && !name.contains(' ')
    };
    let mut lines = lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty());
    let all: Vec<&str> = lines.by_ref().collect();
    all.iter().rev().copied().find(is_error).or_else(|| all.first().copied())
}

fn failed(what: String) -> Failure {
    Failure::new(
        PHASE,
        format!("No component could be made of the plugin's wheels. {}.", what.trim_end_matches('.')),
        "Let it run isolated, or ask the plugin's author for a bundle with a component.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wheel::EntryPoint;

    #[test]
    fn the_error_that_python_ends_with_says_most() {
        let told = |text: &str| telling(&text.lines().map(str::to_owned).collect::<Vec<_>>()).map(str::to_owned);
        let traceback = "Traceback (most recent call last):\n  File \"x.py\", line 1\nModuleNotFoundError: No module named 'ssl'\n\nCaused by:\n    it trapped";
        assert_eq!(told(traceback).as_deref(), Some("ModuleNotFoundError: No module named 'ssl'"));
        assert_eq!(told("\nit trapped\nmore").as_deref(), Some("it trapped"));
        assert_eq!(told("a long Error: x\n").as_deref(), Some("a long Error: x"));
        assert_eq!(told(""), None);
    }

    #[test]
    fn the_platforms_own_packages_are_known_in_every_spelling() {
        for (entry, expected) in [
            ("wheels/mint_guest_sdk-1.0.0-py3-none-any.whl", true),
            ("Mint.Guest_SDK-2-py3-none-any.whl", true),
            ("wheels/mint_guest_sdk_extra-1.0.0-py3-none-any.whl", false),
        ] {
            assert_eq!(is_carried(entry), expected, "{entry}");
        }
    }

    #[test]
    fn the_wheel_says_what_its_entry_point_is() {
        let wheels = |entry_point: &str| Wheels {
            main: "w".to_owned(),
            dependencies: Vec::new(),
            requirements: None,
            distribution: "d".to_owned(),
            entry_point: entry_point.to_owned(),
        };
        let points = vec![EntryPoint::of("other", "x:Y"), EntryPoint::of("peaks", "pkg.mod:Peaks")];
        let info = WheelInfo { entry_points: points, ..WheelInfo::default() };
        assert_eq!(entry(&info, &wheels("peaks")).unwrap(), Entry::parse("pkg.mod:Peaks").unwrap());
        assert!(entry(&info, &wheels("none")).unwrap_err().to_string().contains("`none`"));
    }

    #[test]
    fn what_was_made_is_taken_only_as_a_file() {
        let directory = tempfile::tempdir().unwrap();
        let (from, to) = (directory.path().join("made.wasm"), directory.path().join("ready"));
        fs::create_dir(&to).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", &from).unwrap();
        assert!(take(&from, &to).is_err());
        fs::remove_file(&from).unwrap();
        fs::write(&from, b"bytes").unwrap();
        take(&from, &to).unwrap();
        let marker: Marker = serde_json::from_slice(&fs::read(to.join(MARKER)).unwrap()).unwrap();
        assert_eq!((fs::read(to.join(ENTRY)).unwrap().as_slice(), marker.digest), (b"bytes".as_slice(), Digest::of(b"bytes")));
        assert!(bytes_in(directory.path()) >= 3 << 12);
    }
}
