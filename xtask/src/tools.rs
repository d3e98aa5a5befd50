//! uv, Python and Node.js.

use std::{
    env,
    ffi::{OsStr, OsString},
    fmt, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use crate::{
    paths,
    run::{ask, quietly, say},
};

/// The release that is installed where there is none, and the oldest one that will do.
const UV: &str = "0.13.8";
const UV_MIN: (u32, u32) = (0, 13);

/// Isolated plugins run on one of these, the first that is found.
const PYTHON_MINORS: &[u32] = &[13, 12, 14];
const NODE_MIN: u32 = 20;

/// What the setup found.
#[derive(Clone, Debug)]
pub(crate) struct Tools {
    pub(crate) uv: PathBuf,
    pub(crate) python: PathBuf,
    /// Compiler for components; none when the active one can do it.
    guest_rustc: Option<PathBuf>,
}

impl fmt::Display for Tools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "uv {}, Python {}, ", self.uv.display(), self.python.display())?;
        match &self.guest_rustc {
            Some(rustc) => write!(f, "components by {}", rustc.display()),
            None => f.write_str("components by the active Rust toolchain"),
        }
    }
}

impl Tools {
    pub(crate) fn new(uv: PathBuf, python: PathBuf, guest_rustc: Option<PathBuf>) -> Self {
        Self { uv, python, guest_rustc }
    }

    /// A program that sees uv and Python.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env("PATH", self.path()).env("UV_PYTHON", &self.python);
        command
    }

    /// The same, for what compiles guests: with their compiler and a target directory of their own.
    pub(crate) fn guest_command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.command(program);
        if let Some(rustc) = &self.guest_rustc {
            command.env("RUSTC", rustc);
        }
        if env::var_os("CARGO_TARGET_DIR").is_some() {
            command.env("CARGO_TARGET_DIR", paths::target().join("guest-builds"));
        }
        command
    }

    /// Version of the compiler for components.
    pub(crate) fn guest_rustc_version(&self) -> Option<String> {
        ask(Command::new(self.guest_rustc.as_deref().unwrap_or(Path::new("rustc"))).arg("-vV"))
    }

    fn path(&self) -> OsString {
        let first = self.uv.parent().map(Path::to_owned);
        let rest = env::var_os("PATH").unwrap_or_default();
        env::join_paths(first.into_iter().chain(env::split_paths(&rest))).unwrap_or(rest)
    }
}

/// A uv that is new enough: the one on the PATH, else one of our own.
pub(crate) fn uv() -> Result<PathBuf> {
    if let Some(found) = paths::find_program("uv") {
        if uv_is_new_enough(&found) {
            return Ok(found);
        }
        say(&format!("{} is older than {}.{}, so it is not used", found.display(), UV_MIN.0, UV_MIN.1));
    }
    let dir = paths::cache()?.join(format!("uv-{UV}"));
    let uv = dir.join("bin/uv");
    if uv_is_new_enough(&uv) {
        return Ok(uv);
    }
    if paths::find_program("python3").is_none() {
        bail!("Python is needed: install it with `apt-get install python3 python3-venv`, or from https://www.python.org");
    }
    // A venv holds its own path, so that it is made in place; without a working uv in it, it is made again.
    if dir.exists() {
        fs::remove_dir_all(&dir).with_context(|| format!("cannot remove {}", dir.display()))?;
    }
    quietly("Making a private Python environment for uv", Command::new("python3").args(["-m", "venv"]).arg(&dir))
        .context("on Debian and Ubuntu this needs `apt-get install python3-venv`")?;
    quietly(
        &format!("Installing uv {UV} into {}", dir.display()),
        Command::new(dir.join("bin/python")).args(["-m", "pip", "install", "--quiet", &format!("uv=={UV}")]),
    )?;
    if !uv_is_new_enough(&uv) {
        bail!("uv {UV} was installed into {}, but it does not run", dir.display());
    }
    Ok(uv)
}

fn uv_is_new_enough(uv: &Path) -> bool {
    let Some(answer) = ask(Command::new(uv).arg("--version")) else { return false };
    answer.split_whitespace().nth(1).and_then(major_minor).is_some_and(|version| version >= UV_MIN)
}

/// A Python that isolated plugins can run on. Shims of pyenv are passed over: uv takes them for broken interpreters.
pub(crate) fn python(uv: &Path) -> Result<PathBuf> {
    if let Some(chosen) = env::var_os("UV_PYTHON").filter(|path| Path::new(path).is_absolute()) {
        return Ok(chosen.into());
    }
    for minor in PYTHON_MINORS {
        let name = format!("python3.{minor}");
        let on_path = [paths::find_program(&name), paths::find_program("python3")];
        let found = on_path.into_iter().flatten().chain(pyenv_versions(*minor)).find_map(|python| executable(&python, *minor));
        if let Some(python) = found {
            return Ok(python);
        }
    }
    let range = ">=3.12,<3.15";
    if let Some(path) = ask(Command::new(uv).args(["python", "find", "--managed-python", range])) {
        return Ok(path.into());
    }
    say("No Python 3.12 or newer was found, so uv downloads one");
    quietly("Downloading Python 3.13", Command::new(uv).args(["python", "install", "3.13"])).context(
        "isolated plugins need Python 3.12 or newer: install it (`apt-get install python3.13`, `pyenv install 3.13` or \
         https://www.python.org) and run this again",
    )?;
    ask(Command::new(uv).args(["python", "find", "--managed-python", range])).map(PathBuf::from).context("uv does not find it")
}

/// The real interpreter behind a command, if it is of this version.
fn executable(python: &Path, minor: u32) -> Option<PathBuf> {
    let code = "import sys; print(sys.version_info[1], sys.executable)";
    let answer = ask(Command::new(python).args(["-c", code]))?;
    let (found, path) = answer.split_once(' ')?;
    (found == minor.to_string()).then(|| path.into())
}

fn pyenv_versions(minor: u32) -> Vec<PathBuf> {
    let root = env::var_os("PYENV_ROOT").map(PathBuf::from).or_else(|| env::home_dir().map(|home| home.join(".pyenv")));
    let entries = root.and_then(|root| fs::read_dir(root.join("versions")).ok());
    let mut found: Vec<PathBuf> = entries
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&format!("3.{minor}.")))
        .map(|entry| entry.path().join("bin/python3"))
        .collect();
    found.sort();
    found
}

/// Node.js and npm, which make components of JavaScript.
pub(crate) fn check_node() -> Result<()> {
    let hint = "install Node.js 20 or newer: `apt-get install nodejs npm`, or https://nodejs.org";
    let version = ask(Command::new("node").arg("--version")).with_context(|| format!("Node.js is missing: {hint}"))?;
    if major_minor(version.trim_start_matches('v')).is_none_or(|(major, _)| major < NODE_MIN) {
        bail!("Node.js {version} is too old: {hint}");
    }
    ask(Command::new("npm").arg("--version")).with_context(|| format!("npm is missing: {hint}"))?;
    Ok(())
}

fn major_minor(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}
