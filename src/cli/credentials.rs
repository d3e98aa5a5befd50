//! `~/.config/mint/credentials.json`: accounts on servers, each under a name of its own. Readable by nobody else.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use mint_domain::Slug;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use time::OffsetDateTime;

/// The form that is written.
const VERSION: u64 = 2;
/// The first one to come without a name of its own.
const FIRST_NAME: &str = "default";

/// Profiles by name.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Credentials {
    version: u64,
    in_use: Option<Slug>,
    profiles: BTreeMap<Slug, Profile>,
}

/// An account on a server.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Profile {
    /// Address of the server.
    pub(crate) url: String,
    /// Name of whom the token is of, and of their laboratory where that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) username: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tenant: Option<String>,
    /// When the token ends, if that was said.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    pub(crate) expires_at: Option<OffsetDateTime>,
    /// None for whoever has signed out.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "written")]
    pub(crate) token: Option<SecretString>,
}

fn written<S: Serializer>(token: &Option<SecretString>, serializer: S) -> Result<S::Ok, S::Error> {
    token.as_ref().map(SecretString::expose_secret).serialize(serializer)
}

/// The form before profiles: a token for each server.
#[derive(Deserialize)]
struct First {
    default_host: Option<String>,
    #[serde(default)]
    hosts: BTreeMap<String, FirstHost>,
}

#[derive(Deserialize)]
struct FirstHost {
    token: SecretString,
}

/// Where the file is.
pub(crate) fn path(config_home: Option<&Path>) -> Option<PathBuf> {
    let home = config_home.map(Path::to_owned).or_else(|| std::env::home_dir().map(|home| home.join(".config")));
    home.map(|home| home.join("mint/credentials.json"))
}

impl Credentials {
    /// Reads the file; one that is missing is empty.
    pub(crate) fn load(path: &Path) -> anyhow::Result<Self> {
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            read => read.with_context(|| format!("{} cannot be read", path.display()))?,
        };
        Self::parse(&text).with_context(|| format!("{} cannot be read", path.display()))
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let value: Value = serde_json::from_str(text)?;
        match value.get("version").and_then(Value::as_u64) {
            Some(VERSION) => Ok(serde_json::from_value(value)?),
            Some(later) if later > VERSION => bail!("a later version of mint wrote it (form {later})"),
            _ => Ok(Self::of_first(serde_json::from_value(value)?)),
        }
    }

    fn of_first(first: First) -> Self {
        let mut credentials = Self::default();
        let (default, others): (Vec<_>, Vec<_>) =
            first.hosts.into_iter().partition(|(url, _)| Some(url) == first.default_host.as_ref());
        for (url, FirstHost { token }) in default.iter().chain(&others) {
            let profile =
                Profile { url: url.clone(), username: None, tenant: None, expires_at: None, token: Some(token.clone()) };
            credentials.profiles.insert(credentials.new_name(url), profile);
        }
        credentials.in_use = credentials
            .profiles
            .iter()
            .find(|(_, one)| Some(&one.url) == first.default_host.as_ref())
            .map(|(name, _)| name.clone());
        credentials
    }

    /// Changes the file in one step. Whoever else does waits, so that nothing is lost.
    pub(crate) fn change<T>(path: &Path, edit: impl FnOnce(&mut Self) -> anyhow::Result<T>) -> anyhow::Result<T> {
        let parent = path.parent().context("the credentials have no directory")?;
        fs::create_dir_all(parent).with_context(|| format!("{} cannot be made", parent.display()))?;
        let unwritable = || format!("{} cannot be written", path.display());
        // The kernel gives it back with this process, however that ends.
        let lock = private().create(true).truncate(false).open(path.with_extension("lock")).with_context(unwritable)?;
        lock.lock().with_context(unwritable)?;
        let mut credentials = Self::load(path)?;
        let made = edit(&mut credentials)?;
        credentials.version = VERSION;
        credentials.write(path).with_context(unwritable)?;
        Ok(made)
    }

    fn write(&self, path: &Path) -> anyhow::Result<()> {
        let beside = path.with_extension("json.new");
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let mut file = private().create_new(true).open(&beside)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        file.sync_all()?;
        Ok(fs::rename(&beside, path)?)
    }

    /// All profiles, by name.
    pub(crate) fn profiles(&self) -> impl Iterator<Item = (&Slug, &Profile)> {
        self.profiles.iter()
    }

    /// A profile that somebody names.
    ///
    /// # Errors
    /// There is none; then which there are.
    pub(crate) fn named(&self, name: &Slug) -> anyhow::Result<(&Slug, &Profile)> {
        match (self.profiles.get_key_value(name), self.names()) {
            (Some(found), _) => Ok(found),
            (None, names) if names.is_empty() => {
                bail!("there is no profile `{name}`, and no other; `mint auth login --profile {name}` makes it")
            }
            (None, names) => bail!("there is no profile `{name}`; there are: {names}"),
        }
    }

    /// The profile that is used where none is named.
    pub(crate) fn in_use(&self) -> Option<(&Slug, &Profile)> {
        self.profiles.get_key_value(self.in_use.as_ref()?)
    }

    /// The profile that is used for a server where none is named: the one in use, else the only one.
    ///
    /// # Errors
    /// There are several.
    pub(crate) fn of_server(&self, url: &str) -> anyhow::Result<Option<(&Slug, &Profile)>> {
        if let Some(found) = self.in_use().filter(|(_, profile)| profile.url == url) {
            return Ok(Some(found));
        }
        let found: Vec<_> = self.profiles.iter().filter(|(_, profile)| profile.url == url).collect();
        if found.len() > 1 {
            let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
            bail!("there are several profiles of {url}; say which with --profile: {}", names.join(", "));
        }
        Ok(found.first().copied())
    }

    /// Remembers who has signed in, from now on as the one in use. Without a name it takes the place of the one that would have
    /// been used.
    pub(crate) fn sign_in(&mut self, name: Option<Slug>, profile: Profile) -> Slug {
        let same_server = || self.of_server(&profile.url).ok().flatten().map(|(name, _)| name.clone());
        let name = name.or_else(same_server).unwrap_or_else(|| self.new_name(&profile.url));
        self.profiles.insert(name.clone(), profile);
        self.in_use = Some(name.clone());
        name
    }

    /// Forgets the token of a profile, as long as it is still this one, and keeps where it was good.
    pub(crate) fn sign_out(&mut self, name: &Slug, token: &SecretString) {
        let is_same = |kept: &SecretString| kept.expose_secret() == token.expose_secret();
        if let Some(profile) = self.profiles.get_mut(name).filter(|profile| profile.token.as_ref().is_some_and(is_same)) {
            profile.token = None;
            profile.expires_at = None;
        }
    }

    /// Takes a profile where none is named.
    ///
    /// # Errors
    /// There is none of this name.
    pub(crate) fn begin_to_use(&mut self, name: &Slug) -> anyhow::Result<()> {
        self.in_use = Some(self.named(name)?.0.clone());
        Ok(())
    }

    /// Forgets a profile, and says whether it was in use.
    ///
    /// # Errors
    /// There is none of this name.
    pub(crate) fn remove(&mut self, name: &Slug) -> anyhow::Result<bool> {
        self.named(name)?;
        self.profiles.remove(name);
        Ok(self.in_use.take_if(|in_use| in_use == name).is_some())
    }

    fn names(&self) -> String {
        self.profiles.keys().map(Slug::as_str).collect::<Vec<_>>().join(", ")
    }

    /// A name that no other has: `default`, or one after the server.
    fn new_name(&self, url: &str) -> Slug {
        let host = url.split_once("://").map_or(url, |(_, host)| host).to_lowercase();
        let words: Vec<_> = host.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
        // A slug begins with a letter.
        let after_server: String = format!("at-{}", words.join("-")).chars().take(50).collect();
        let base = after_server.trim_end_matches('-');
        let (mut text, mut number) = (FIRST_NAME.to_owned(), 0);
        loop {
            if let Some(name) = text.parse::<Slug>().ok().filter(|name| !self.profiles.contains_key(name)) {
                return name;
            }
            number += 1;
            text = if number == 1 { base.to_owned() } else { format!("{base}-{number}") };
        }
    }
}

/// How files are opened that nobody else may read.
fn private() -> OpenOptions {
    let mut options = File::options();
    options.write(true).mode(0o600);
    options
}
