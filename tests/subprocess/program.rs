//! Small plugins that the tests write themselves: Python programs of one file, run as any executable.

use std::fs;

use mint_tests::{Guest, manifest, python};
use serde_json::{Value, json};

/// A program of `programs/`.
pub(crate) struct Program(&'static str);

impl Program {
    /// Takes and gives very many bytes.
    pub(crate) const BULKY: Self = Self(include_str!("programs/bulky.py"));
    /// Ends when asked to.
    pub(crate) const MORTAL: Self = Self(include_str!("programs/mortal.py"));
    /// Answers with everything but proper responses.
    pub(crate) const ODD: Self = Self(include_str!("programs/odd.py"));
    /// Tells what it sees, and calls back.
    pub(crate) const NOSY: Self = Self(include_str!("programs/nosy.py"));
    /// Takes files, processes and time.
    pub(crate) const GREEDY: Self = Self(include_str!("programs/greedy.py"));
    /// Tries to get out.
    pub(crate) const PRISONER: Self = Self(include_str!("programs/prisoner.py"));
    /// Does not end when asked to.
    pub(crate) const STUBBORN: Self = Self(include_str!("programs/stubborn.py"));
    /// Answers handshakes of WebSockets, well and badly.
    pub(crate) const TUNNELS: Self = Self(include_str!("programs/tunnels.py"));
    /// Reads and writes trailers.
    pub(crate) const TRAILERS: Self = Self(include_str!("programs/trailers.py"));
    /// Asks for jobs, and does them.
    pub(crate) const WORKER: Self = Self(include_str!("programs/worker.py"));
    /// Prints without end.
    pub(crate) const TALKATIVE: Self = Self(include_str!("programs/talkative.py"));

    /// A program that only a test knows.
    pub(crate) const fn of(text: &'static str) -> Self {
        Self(text)
    }

    /// Its bundle.
    pub(crate) fn bundle(&self, slug: &str) -> Guest {
        self.bundle_with(slug, json!({}))
    }

    /// Its bundle, with further fields of the manifest.
    pub(crate) fn bundle_with(&self, slug: &str, further: Value) -> Guest {
        self.bundle_for(&python().unwrap_or_else(|| "/usr/bin/env python3".to_owned()), slug, further)
    }

    /// Its bundle, for this Python.
    pub(crate) fn bundle_for(&self, python: &str, slug: &str, further: Value) -> Guest {
        self.bundle_of(python, slug, further, &[])
    }

    /// Its bundle, with a front-end of these files.
    pub(crate) fn bundle_with_frontend(&self, slug: &str, further: Value, files: &[(&str, &[u8])]) -> Guest {
        let mut further = further;
        further["frontend"] = "web".into();
        let entries: Vec<(String, &[u8])> = files.iter().map(|(name, bytes)| (format!("web/{name}"), *bytes)).collect();
        let files: Vec<(&str, &[u8])> = entries.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
        self.bundle_of(&python().unwrap_or_else(|| "/usr/bin/env python3".to_owned()), slug, further, &files)
    }

    fn bundle_of(&self, python: &str, slug: &str, further: Value, files: &[(&str, &[u8])]) -> Guest {
        let isolated = if python.contains(' ') { "" } else { " -I" };
        let shebang = format!("#!{python}{isolated}");
        let text = format!("{shebang}\n{}\n{}", include_str!("programs/serve.py"), self.0);
        let mut description = json!({
            "plugin": { "slug": slug, "version": "1.0.0", "plugin_type": "full" },
            "process": { "executable": "bin/plugin", "args": ["{socket}"] },
        });
        description.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
        manifest(description, &[&[("bin/plugin", text.as_bytes())], files].concat())
    }
}

/// Whether a process runs. One that has ended and was not waited for does not.
pub(crate) fn is_alive(pid: &Value) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}
