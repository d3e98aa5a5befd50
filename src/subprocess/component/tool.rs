//! componentize-py: a venv that has it.

use std::{ffi::OsString, fs, path::PathBuf, sync::Arc, time::Duration};

use mint_domain::lifecycle::Failure;

use super::{
    COMPONENTIZE_PY,
    workshop::{PHASE, Task},
};
use crate::{
    SubprocessConfig,
    exit::Exit,
    once::Place,
    run::{self, Ended},
    sandbox::{Sandbox, of_interpreter},
    spawn::Spawner,
    uv::Uv,
    venv::no_room,
};

/// Its one package, with hashes.
const REQUIREMENTS: &str = include_str!("assets/requirements.txt");
/// Longest time for it to say its version.
const VERSION_TIMEOUT: Duration = Duration::from_secs(30);

/// A venv that has componentize-py.
#[derive(Clone, Debug)]
pub(super) struct Tool {
    venv: PathBuf,
}

impl Tool {
    /// The configured one, or one of the platform's own, which uv makes once.
    ///
    /// # Errors
    /// A [`Failure`] that tells why it cannot be had.
    pub(super) async fn find(
        config: &SubprocessConfig,
        spawner: &Spawner,
        sandbox: &Arc<Sandbox>,
        uv_timeout: Duration,
    ) -> Result<Self, Failure> {
        match &config.components.tool {
            Some(venv) => Self { venv: venv.clone() }.checked(spawner, sandbox).await,
            None => Self::own(config, spawner, uv_timeout).await,
        }
    }

    /// Python of the venv, as arguments follow it.
    pub(super) fn python(&self) -> PathBuf {
        self.venv.join("bin/python")
    }

    /// What Python of the venv is told so that it is componentize-py. Not the script that pip puts beside it, which knows
    /// the interpreter by a path that may have changed.
    pub(super) fn arguments() -> [OsString; 3] {
        ["-I", "-c", "import sys; from componentize_py import script; sys.exit(script())"].map(OsString::from)
    }

    /// What it reads and runs of its own.
    pub(super) fn programs(&self) -> Vec<PathBuf> {
        std::iter::once(self.venv.clone()).chain(of_interpreter(&self.python())).collect()
    }

    async fn checked(self, spawner: &Spawner, sandbox: &Arc<Sandbox>) -> Result<Self, Failure> {
        let wrong = |what: String| {
            let hint = format!(
                "Name a venv with `componentize-py=={COMPONENTIZE_PY}` in plugins.components.componentizePy, or leave it to the \
                 platform."
            );
            Failure::new(PHASE, format!("`{}` has no componentize-py {COMPONENTIZE_PY}: {what}.", self.venv.display()), hint)
        };
        let scratch = tempfile::tempdir().map_err(|error| wrong(error.to_string()))?;
        let arguments = Self::arguments().into_iter().chain(["--version".into()]).collect();
        let task = Task { tool: &self, directory: scratch.path(), arguments };
        let program = task.program(sandbox);
        let said = match run::to_its_end(spawner, program, VERSION_TIMEOUT, 5).await {
            Ok(Ended { exit: Exit::Code(0), stdout, .. }) => stdout.join(" "),
            Ok(Ended { exit, stderr, .. }) => {
                let last = stderr.last().map(|line| format!(" ({line})")).unwrap_or_default();
                return Err(wrong(format!("its Python {exit}{last}")));
            }
            Err(broken) => return Err(wrong(broken.to_string())),
        };
        if said.split_whitespace().any(|word| word == COMPONENTIZE_PY) {
            Ok(self)
        } else {
            Err(wrong(format!("it says `{said}`")))
        }
    }

    async fn own(config: &SubprocessConfig, spawner: &Spawner, timeout: Duration) -> Result<Self, Failure> {
        let place = Place::new(config.cache_directory.join("componentize-py"), COMPONENTIZE_PY.to_owned());
        let found = || Some(Self { venv: place.path() }).filter(|tool| tool.python().exists());
        if let Some(tool) = found() {
            return Ok(tool);
        }
        let unwritable = |error| no_room(&place.path(), &error);
        let turn = place.turn().await.map_err(unwritable)?;
        if let Some(tool) = found() {
            return Ok(tool);
        }
        let (venv, requirements) = (turn.directory().join("venv"), turn.directory().join("requirements.txt"));
        fs::write(&requirements, REQUIREMENTS).map_err(unwritable)?;
        let uv = Uv { config, spawner, sandbox: None, directory: turn.directory().to_owned(), reads: Vec::new(), timeout };
        let python = config.python.as_deref().unwrap_or(">=3.10");
        let mut arguments: Vec<OsString> =
            ["venv", "--no-config", "--no-python-downloads", "--no-project", "--relocatable", "--python", python]
                .map(OsString::from)
                .into();
        arguments.push(venv.clone().into());
        uv.run("making a venv for componentize-py", arguments).await?;
        let mut arguments: Vec<OsString> =
            ["pip", "install", "--no-config", "--require-hashes", "--compile-bytecode", "--only-binary", ":all:"]
                .map(OsString::from)
                .into();
        arguments.extend(uv.sources());
        arguments.extend(["--python".into(), venv.join("bin/python").into(), "-r".into(), requirements.into()]);
        uv.run("installing componentize-py", arguments).await?;
        turn.put(&venv).map_err(unwritable)?;
        found().ok_or_else(|| unwritable(std::io::ErrorKind::NotFound.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pinned_package_is_the_release_that_is_named() {
        assert!(REQUIREMENTS.starts_with(&format!("componentize-py=={COMPONENTIZE_PY} \\\n")), "{REQUIREMENTS}");
        assert!(REQUIREMENTS.lines().skip(1).all(|line| line.trim().starts_with("--hash=sha256:")), "{REQUIREMENTS}");
    }
}
