//! What is started: a Python application server, or an executable.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

/// A staged release, ready to be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Launch {
    /// Wheels in a venv.
    Python {
        /// Of the venv.
        interpreter: PathBuf,
        /// Distribution that owns the entry point.
        distribution: String,
        /// Name of the entry point.
        entry_point: String,
    },
    /// A file to run.
    Executable {
        /// The file.
        file: PathBuf,
        /// Its arguments; `{socket}` becomes the path of the socket.
        args: Vec<String>,
    },
}

impl Launch {
    /// The file to run, and its arguments.
    pub(crate) fn command(&self, socket: &Path) -> (PathBuf, Vec<OsString>) {
        match self {
            Self::Python { interpreter, .. } => {
                let before = ["-m", "uvicorn", "mint_sdk.runtime:create_plugin_app", "--factory", "--uds"];
                let after = ["--lifespan", "on", "--log-level", "info", "--no-access-log"];
                let args = before.iter().map(OsString::from).chain([socket.into()]).chain(after.iter().map(OsString::from));
                (interpreter.clone(), args.collect())
            }
            Self::Executable { file, args } => {
                let socket = socket.to_string_lossy();
                (file.clone(), args.iter().map(|arg| arg.replace("{socket}", &socket).into()).collect())
            }
        }
    }

    /// Whether it speaks the SDK's protocol, and so may follow events.
    pub(crate) fn has_sdk(&self) -> bool {
        matches!(self, Self::Python { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands() {
        let python = Launch::Python {
            interpreter: PathBuf::from("/v/bin/python"),
            distribution: "d".to_owned(),
            entry_point: "e".to_owned(),
        };
        let (file, args) = python.command(Path::new("/r/s"));
        assert_eq!(file, Path::new("/v/bin/python"));
        assert_eq!(
            args.join(" ".as_ref()),
            "-m uvicorn mint_sdk.runtime:create_plugin_app --factory --uds /r/s --lifespan on --log-level info --no-access-log"
        );
        let executable =
            Launch::Executable { file: PathBuf::from("/b"), args: vec!["--at={socket}".to_owned(), "-v".to_owned()] };
        assert_eq!(executable.command(Path::new("/r/s")).1, ["--at=/r/s", "-v"]);
        assert!(python.has_sdk() && !executable.has_sdk());
    }
}
