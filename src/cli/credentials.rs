//! `~/.config/mint/credentials.json`: tokens by server, readable by nobody else.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

/// Tokens by server.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Credentials {
    version: u32,
    default_host: Option<String>,
    hosts: BTreeMap<String, Host>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Host {
    token: String,
}

/// Where the file is.
pub(crate) fn path(config_home: Option<&Path>) -> Option<PathBuf> {
    let home = config_home.map(Path::to_owned).or_else(|| std::env::home_dir().map(|home| home.join(".config")));
    home.map(|home| home.join("mint/credentials.json"))
}

impl Credentials {
    /// Reads the file; one that is missing is empty.
    pub(crate) fn load(path: &Path) -> anyhow::Result<Self> {
        match fs::read_to_string(path) {
            Ok(text) => serde_json::from_str(&text).with_context(|| format!("{} cannot be read", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
        }
    }

    /// The token for a server.
    pub(crate) fn token(&self, url: &str) -> Option<&str> {
        self.hosts.get(url).map(|host| host.token.as_str())
    }

    /// The server that was signed in to last.
    pub(crate) fn default_host(&self) -> Option<&str> {
        self.default_host.as_deref()
    }

    /// Remembers, or with none forgets, the token for a server.
    pub(crate) fn set(&mut self, url: &str, token: Option<String>) {
        self.version = 1;
        match token {
            Some(token) => {
                self.hosts.insert(url.to_owned(), Host { token });
                self.default_host = Some(url.to_owned());
            }
            None => {
                self.hosts.remove(url);
            }
        }
    }

    /// Writes the file in one step.
    pub(crate) fn save(&self, path: &Path) -> anyhow::Result<()> {
        let parent = path.parent().context("the credentials have no directory")?;
        fs::create_dir_all(parent)?;
        let beside = path.with_extension("json.new");
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        file.sync_all()?;
        fs::rename(&beside, path).with_context(|| format!("{} cannot be written", path.display()))
    }
}
