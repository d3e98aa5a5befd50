//! What is started: a Python application server, or an executable.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use crate::{description::Description, sandbox::of_interpreter, sdk::Sdk, shim};

/// A staged release, ready to be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Launch {
    /// Wheels in a venv.
    Python(PythonLaunch),
    /// A file to run.
    Executable {
        /// The file.
        file: PathBuf,
        /// Its arguments; `{socket}` becomes the path of the socket.
        args: Vec<String>,
    },
}

/// A plugin in a venv.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PythonLaunch {
    /// Of the venv.
    pub(crate) interpreter: PathBuf,
    /// Distribution that owns the entry point.
    pub(crate) distribution: String,
    /// Name of the entry point.
    pub(crate) entry_point: String,
    /// The SDK of the venv.
    pub(crate) sdk: Sdk,
    /// The plugin in its own words, where it said some.
    pub(crate) description: Option<Description>,
}

impl Launch {
    /// The file to run, and its arguments.
    pub(crate) fn command(&self, socket: &Path) -> (PathBuf, Vec<OsString>) {
        match self {
            Self::Python(python) => {
                (python.interpreter.clone(), vec!["-c".into(), shim::TEXT.into(), "serve".into(), socket.into()])
            }
            Self::Executable { file, args } => {
                let socket = socket.to_string_lossy();
                (file.clone(), args.iter().map(|arg| arg.replace("{socket}", &socket).into()).collect())
            }
        }
    }

    /// Where in its wheel the plugin says that its front-end stands.
    pub(crate) fn frontend(&self) -> Option<&str> {
        match self {
            Self::Python(python) => python.description.as_ref()?.frontend.as_deref(),
            Self::Executable { .. } => None,
        }
    }

    /// Where it stands in the cache.
    pub(crate) fn place(&self) -> &Path {
        match self {
            Self::Python(python) => python.interpreter.ancestors().nth(2).unwrap_or(&python.interpreter),
            Self::Executable { file, .. } => file,
        }
    }

    /// The file to run.
    pub(crate) fn file(&self) -> &Path {
        match self {
            Self::Python(python) => &python.interpreter,
            Self::Executable { file, .. } => file,
        }
    }

    /// The file to run, and its arguments, for a process that is copied for every start.
    pub(crate) fn warm_command(&self, socket: &Path) -> (PathBuf, Vec<OsString>) {
        (self.file().to_owned(), vec!["-c".into(), shim::TEXT.into(), "warm".into(), socket.into()])
    }

    /// What it reads and runs of its own, wherever that was installed.
    pub(crate) fn programs(&self) -> Vec<PathBuf> {
        match self {
            Self::Python(python) => std::iter::once(self.place().to_owned()).chain(of_interpreter(&python.interpreter)).collect(),
            Self::Executable { file, .. } => vec![file.clone()],
        }
    }

    /// Whether its SDK has the variables and headers from before MINT's first release.
    pub(crate) fn is_mld(&self) -> bool {
        matches!(self, Self::Python(python) if python.sdk.is_mld)
    }

    /// The name by which it calls the platform, where that is known.
    pub(crate) fn name(&self) -> Option<&str> {
        self.description().map(|description| description.name.as_str()).filter(|name| fits_header(name))
    }

    /// Where its class says that its routes stand, with `/api`, where that is known.
    pub(crate) fn own_prefix(&self) -> Option<&str> {
        self.description().map(|description| description.public_prefix.as_str())
    }

    /// Whether its client takes answers with keys that it does not know. None where only its calls can tell.
    pub(crate) fn takes_new_keys(&self) -> Option<bool> {
        match self {
            Self::Python(python) => python.sdk.takes_new_keys(),
            Self::Executable { .. } => None,
        }
    }

    fn description(&self) -> Option<&Description> {
        match self {
            Self::Python(python) => python.description.as_ref(),
            Self::Executable { .. } => None,
        }
    }
}

/// Whether a text comes through a header as it is.
pub(crate) fn fits_header(text: &str) -> bool {
    !text.is_empty() && text.trim() == text && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands() {
        let python = Launch::Python(PythonLaunch {
            interpreter: PathBuf::from("/v/bin/python"),
            distribution: "d".to_owned(),
            entry_point: "e".to_owned(),
            sdk: Sdk::default(),
            description: None,
        });
        let (file, args) = python.command(Path::new("/r/s"));
        assert_eq!(file, Path::new("/v/bin/python"));
        assert_eq!(args, ["-c", shim::TEXT, "serve", "/r/s"]);
        let executable =
            Launch::Executable { file: PathBuf::from("/b"), args: vec!["--at={socket}".to_owned(), "-v".to_owned()] };
        assert_eq!(executable.command(Path::new("/r/s")).1, ["--at=/r/s", "-v"]);
    }

    #[test]
    fn a_name_goes_into_a_header_or_is_not_used() {
        for (name, expected) in [("My plugin", true), ("Café", false), ("", false), ("a\nb", false), (" a", false)] {
            assert_eq!(fits_header(name), expected, "{name:?}");
        }
    }
}
