//! Runs `uv`: bounded in time and output, without anybody's configuration.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use mint_domain::lifecycle::Failure;

use crate::{
    SubprocessConfig,
    exit::Exit,
    run::{self, Broken, Ended},
    sandbox::{Allowance, Network, Sandbox, of_interpreter},
    spawn::{Bounds, Confinement, Program, Spawner},
    venv::no_room,
};

/// The phase of a failure while a venv is built.
pub(crate) const PHASE: &str = "build venv";

/// Memory, and bytes of one file, of whatever builds packages.
const BUILD_BYTES_MAX: u64 = 8 << 30;
/// Processes and threads of whatever builds packages.
const BUILD_PROCESSES_MAX: u64 = 1_024;
/// Lines of uv's explanation that are kept.
const LINES: usize = 40;

/// Runs uv with one configuration.
#[derive(Debug)]
pub(crate) struct Uv<'a> {
    pub(crate) config: &'a SubprocessConfig,
    pub(crate) spawner: &'a Spawner,
    /// What it is held to where it may run what packages bring; none where it only takes wheels.
    pub(crate) sandbox: Option<&'a Arc<Sandbox>>,
    /// Where it stands: a directory without any project around it.
    pub(crate) directory: PathBuf,
    /// What else it reads: the bundle.
    pub(crate) reads: Vec<PathBuf>,
    /// Longest time for a command.
    pub(crate) timeout: Duration,
}

impl Uv<'_> {
    /// Runs a command of uv, such as `venv`. `doing` completes "While … ".
    ///
    /// # Errors
    /// A [`Failure`] with uv's own explanation.
    pub(crate) async fn run<I, S>(&self, doing: &str, args: I) -> Result<(), Failure>
    where
        I: IntoIterator<Item = S>,
        S: Into<OsString>,
    {
        let confinement = self.confinement()?;
        let place = self.place();
        for directory in ["uv-home", "uv-temporary"].map(|name| place.join(name)) {
            std::fs::create_dir_all(&directory).map_err(|error| no_room(&directory, &error))?;
        }
        let program = Program {
            file: self.config.uv.clone(),
            args: args.into_iter().map(Into::into).collect(),
            environment: self.environment(),
            directory: self.directory.clone(),
            input: None,
            bounds: if confinement.is_some() { Bounds::of_build(BUILD_BYTES_MAX, BUILD_BYTES_MAX) } else { Bounds::default() },
            confinement,
        };
        match run::to_its_end(self.spawner, program, self.timeout, LINES).await {
            Ok(Ended { exit: Exit::Code(0), .. }) => Ok(()),
            Ok(Ended { exit, stderr, .. }) => Err(explain(doing, exit, stderr)),
            Err(Broken::Start(error)) => Err(self.cannot_start(&error)),
            Err(Broken::Output(error)) => {
                Err(Failure::new(PHASE, format!("The output of uv cannot be read: {error}."), "Try again."))
            }
            Err(Broken::TooSlow(_)) => Err(too_slow(self.timeout, doing)),
        }
    }

    /// Where packages come from. After the command, before its own arguments.
    pub(crate) fn sources(&self) -> Vec<OsString> {
        let config = self.config;
        let mut args: Vec<OsString> = Vec::new();
        if let Some(url) = &config.index_url {
            args.extend(["--default-index".into(), url.into()]);
        }
        for url in &config.extra_index_urls {
            args.extend(["--index".into(), url.into()]);
        }
        if config.offline {
            args.push("--offline".into());
        }
        args
    }

    /// Wheels only, unless an administrator allows source builds.
    pub(crate) fn wheels_only(&self) -> &'static [&'static str] {
        if self.config.source_builds { &[] } else { &["--only-binary", ":all:"] }
    }

    fn environment(&self) -> BTreeMap<String, String> {
        let place = self.place();
        let cache = |name: &str| place.join(name).to_string_lossy().into_owned();
        let mut environment = BTreeMap::from([
            ("HOME".to_owned(), cache("uv-home")),
            ("LANG".to_owned(), "C.UTF-8".to_owned()),
            ("PATH".to_owned(), self.config.search_path.clone()),
            ("TMPDIR".to_owned(), cache("uv-temporary")),
            ("UV_CACHE_DIR".to_owned(), cache("uv")),
        ]);
        environment.extend(self.config.pass_environment.iter().cloned());
        for (name, value) in [("NO_COLOR", "1"), ("UV_NO_CONFIG", "1"), ("UV_NO_PROGRESS", "1"), ("UV_PYTHON_DOWNLOADS", "never")]
        {
            environment.insert(name.to_owned(), value.to_owned());
        }
        environment
    }

    /// Whether it runs what packages bring.
    fn builds(&self) -> Option<&Arc<Sandbox>> {
        self.sandbox.filter(|_| self.config.source_builds)
    }

    /// Where it keeps its files: for all venvs together, or for one only, which what it runs could change.
    fn place(&self) -> &Path {
        if self.builds().is_some() { &self.directory } else { &self.config.cache_directory }
    }

    fn confinement(&self) -> Result<Option<Confinement>, Failure> {
        let Some(sandbox) = self.builds() else { return Ok(None) };
        let network = if self.config.offline { Network::Nobody } else { Network::Ports(self.ports()) };
        sandbox.permit(&network)?;
        let searched: Vec<PathBuf> = std::env::split_paths(&self.config.search_path).collect();
        let interpreters = searched.iter().flat_map(|directory| of_interpreter(&directory.join("python3")));
        let uv = searched.iter().map(|directory| directory.join(&self.config.uv)).find(|file| file.is_file());
        let programs = interpreters.chain(uv).chain([self.directory.clone()]).chain(searched.iter().cloned());
        let indexes = self.indexes().filter_map(|url| url.strip_prefix("file://")).map(PathBuf::from);
        let allowance = Allowance {
            programs: programs.filter(|path| path.exists()).collect(),
            readable: indexes.chain(self.reads.iter().cloned()).filter(|path| path.exists()).collect(),
            writable: vec![self.directory.clone()],
            removable: Vec::new(),
            socket_directory: None,
            network,
            name: format!("build-{:016x}", rand::random::<u64>()),
            memory_bytes_max: BUILD_BYTES_MAX,
            processes_max: BUILD_PROCESSES_MAX,
            home: None,
        };
        Ok(Some(Confinement { sandbox: Arc::clone(sandbox), allowance }))
    }

    fn indexes(&self) -> impl Iterator<Item = &str> {
        self.config.index_url.iter().chain(&self.config.extra_index_urls).map(String::as_str)
    }

    /// Of indexes and of proxies, besides those of the web and of names.
    fn ports(&self) -> BTreeSet<u16> {
        let proxies = self.config.pass_environment.iter().map(|(_, value)| value.as_str());
        let named = self.indexes().chain(proxies).filter_map(|url| url.parse::<http::Uri>().ok()?.port_u16());
        named.chain([53, 80, 443]).collect()
    }

    fn cannot_start(&self, error: &io::Error) -> Failure {
        let uv = self.config.uv.display();
        match error.kind() {
            io::ErrorKind::NotFound => Failure::new(
                PHASE,
                format!("The program `{uv}`, which installs Python packages, was not found."),
                "Install it with `pip install uv` or as https://docs.astral.sh/uv/ says, then reload the plugin.",
            ),
            _ => Failure::new(
                PHASE,
                format!("The program `{uv}` cannot be started: {error}."),
                "See whether it can be run by hand.",
            ),
        }
    }
}

fn too_slow(timeout: Duration, doing: &str) -> Failure {
    Failure::new(
        PHASE,
        format!("uv was stopped after {} s while {doing}.", timeout.as_secs()),
        "See whether the package index can be reached, then reload the plugin.",
    )
}

/// Turns uv's last lines into a failure with a hint.
fn explain(doing: &str, exit: Exit, lines: Vec<String>) -> Failure {
    let all = lines.join("\n");
    let has = |parts: &[&str]| parts.iter().any(|part| all.contains(part));
    let hint = if has(&["No space left on device", "os error 28", "Disk quota exceeded"]) {
        "The disk is full. Make room in the cache directory, then reload the plugin."
    } else if has(&["Hash mismatch", "hash mismatch"]) {
        "A package is not the one that the bundle was locked with. Ask the plugin's author for a new bundle."
    } else if has(&["No interpreter found", "No Python"]) {
        "Install a Python that fits, or name one in the configuration, then reload the plugin."
    } else if has(&["network was disabled", "Network connectivity is disabled"]) {
        "The platform works offline, and a package is neither in the bundle nor in uv's cache. Use a bundle with all its wheels."
    } else if has(&["peer certificate"]) {
        "The index's certificate is not trusted. Name the certificates, for example with SSL_CERT_FILE, in the configuration."
    } else if has(&["No solution found", "unsatisfiable", "no usable wheels", "no wheels with a matching", "has no wheels"]) {
        "The requirements cannot be met on this machine without compiling. Ask the plugin's author, or choose another Python."
    } else if has(&["dns error", "error sending request", "Failed to fetch", "Request failed"]) {
        "See whether the package index can be reached from this machine, then reload the plugin."
    } else {
        "uv's explanation is in the log excerpt."
    };
    let is_error = |line: &&String| line.starts_with("error: ") || line.trim_start().starts_with('×');
    let said = lines.iter().find(is_error).or_else(|| lines.iter().find(|line| !line.trim().is_empty()));
    let causes =
        lines.iter().map(|line| line.trim()).filter_map(|line| line.strip_prefix("cause: ").or(line.strip_prefix("Caused by: ")));
    let said = said.map(|line| line.trim_start_matches(['×', ' ']).trim_start_matches("error: "));
    let words: Vec<&str> = said.into_iter().chain(causes).collect();
    let reason = if words.is_empty() {
        format!("uv {exit} while {doing}.")
    } else {
        format!("uv {exit} while {doing}: {}.", words.join(": "))
    };
    let mut failure = Failure::new(PHASE, reason, hint);
    failure.log_excerpt = lines;
    failure
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uvs_words_become_a_hint() {
        let table = [
            ("error: failed to write to file: No space left on device (os error 28)", "The disk is full"),
            ("error: Hash mismatch for `x==1`", "new bundle"),
            ("error: No interpreter found for Python >=3.14 in search path", "Install a Python"),
            ("  × No solution found when resolving dependencies:", "cannot be met"),
            ("error: Failed to fetch: `https://x`", "can be reached"),
            ("error: No solution found … packages were unavailable because the network was disabled.", "works offline"),
            ("error: Failed to fetch … invalid peer certificate: UnknownIssuer", "not trusted"),
            ("error: something else", "log excerpt"),
        ];
        for (line, expected) in table {
            let failure = explain("installing", Exit::Code(2), vec!["Using Python".to_owned(), line.to_owned()]);
            assert!(failure.hint.contains(expected), "{line}: {}", failure.hint);
            assert!(
                failure.reason.starts_with("uv exited with code 2 while installing: ") && !failure.reason.contains("Using"),
                "{}",
                failure.reason
            );
            assert_eq!(failure.log_excerpt.len(), 2);
        }
    }

    #[test]
    fn the_cause_is_part_of_the_reason() {
        for cause in ["  cause: Hash mismatch for `x==1`", "  Caused by: Hash mismatch for `x==1`"] {
            let lines = vec!["error: Failed to download `x==1`".to_owned(), cause.to_owned()];
            let failure = explain("installing", Exit::Code(1), lines);
            assert_eq!(
                failure.reason,
                "uv exited with code 1 while installing: Failed to download `x==1`: Hash mismatch for `x==1`."
            );
        }
    }
}
