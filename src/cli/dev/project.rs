//! The project that is being developed, and what its plugin says of itself.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context as _, bail};
use mint_domain::{Capability, Prefix, Slug, manifest::PluginInfo, policy::PluginType};
use mint_subprocess::SHIM;
use serde::Deserialize;
use tempfile::TempDir;

use super::child;
use crate::{build, dev_servers::slug_of};

const GROUPS: [&str; 2] = ["mint.plugins", "mld.plugins"];
/// The file by whose name the shim imports itself.
const SHIM_FILE: &str = "mint_dev_server.py";
/// Begins the line with what a class says of itself.
const MARK: &str = "plugin=";

/// A Python project with one plugin.
#[derive(Debug)]
pub(crate) struct Project {
    directory: PathBuf,
    /// Of the distribution.
    name: String,
    /// `module:Class`.
    class: String,
    /// Words that begin every command: uv, and the interpreter of the project.
    python: Vec<OsString>,
    shim: TempDir,
}

/// What the platform is to know of the plugin.
#[derive(Clone, Debug)]
pub(crate) struct Description {
    pub(crate) plugin: PluginInfo,
    /// The name by which it calls back.
    pub(crate) name: Option<String>,
    /// Where it has its routes, with `/api`.
    pub(crate) own_prefix: Option<String>,
    pub(crate) is_mld: bool,
    /// What it asks for, where the project says so.
    pub(crate) wanted: Option<Vec<Capability>>,
}

/// What the class says.
#[derive(Debug, Deserialize)]
struct Said {
    name: String,
    public_prefix: String,
    is_mld: bool,
    version: String,
    description: String,
    analysis_type: String,
    plugin_type: String,
    display_name: String,
    author: String,
    homepage: String,
    license: String,
}

#[derive(Debug, Deserialize)]
struct PyProject {
    project: Metadata,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Metadata {
    name: String,
    #[serde(default)]
    entry_points: BTreeMap<String, BTreeMap<String, String>>,
}

impl Project {
    /// Reads a project's `pyproject.toml`.
    ///
    /// # Errors
    /// It is not there, or does not name one plugin.
    pub(crate) fn read(directory: &Path, uv: &Path, python: Option<&str>) -> anyhow::Result<Self> {
        let path = directory.join("pyproject.toml");
        let text = fs::read_to_string(&path).with_context(|| {
            format!("{} cannot be read; name the directory of a Python plugin, or a command after `--`", path.display())
        })?;
        let PyProject { project } = toml::from_str(&text).with_context(|| format!("{} is not valid", path.display()))?;
        let classes = GROUPS.iter().filter_map(|group| project.entry_points.get(*group)).flat_map(BTreeMap::values);
        let mut classes: Vec<&String> = classes.collect();
        classes.dedup();
        let [class] = classes.as_slice() else {
            let found = classes.len();
            bail!("{} must have exactly one entry point in the group `mint.plugins`; it has {found}", path.display());
        };
        let mut words: Vec<OsString> = vec![uv.into(), "run".into(), "--project".into(), directory.into()];
        words.extend(python.into_iter().flat_map(|python| ["--python".into(), python.into()]));
        words.extend(["--with", "uvicorn", "python"].map(OsString::from));
        let shim = tempfile::Builder::new().prefix("mint-dev-").tempdir()?;
        fs::write(shim.path().join(SHIM_FILE), SHIM)?;
        Ok(Self { directory: directory.to_owned(), class: (*class).clone(), name: project.name, python: words, shim })
    }

    /// Makes the project's environment up to date, and asks the class what it is.
    ///
    /// # Errors
    /// uv cannot make the environment, or the class cannot be loaded; both say why themselves.
    pub(crate) async fn describe(&self) -> anyhow::Result<Description> {
        let mut command = child::command(&self.words(&["describe"]), &self.directory, &self.environment())?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let asked = command.spawn().context("uv cannot be started; `plugins.uv.path` says where it is")?;
        let output = asked.wait_with_output().await?;
        if !output.status.success() {
            bail!("the plugin `{}` could not be loaded; the lines above say why", self.class);
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text.lines().rev().find_map(|line| line.strip_prefix(MARK)).context("the plugin did not say what it is")?;
        let said: Said = serde_json::from_str(line).context("the plugin did not say what it is")?;
        let described = build::described(&self.directory)?;
        let (plugin, wanted) = match described {
            Some((plugin, wanted)) => (plugin, Some(wanted)),
            None => (self.of_class(&said)?, None),
        };
        let own_prefix = Some(said.public_prefix);
        Ok(Description { plugin, name: Some(said.name), own_prefix, is_mld: said.is_mld, wanted })
    }

    /// The command that serves the plugin, and again whenever its code changes.
    pub(crate) fn command(&self, port: u16) -> (Vec<OsString>, BTreeMap<String, OsString>) {
        let mut words = self.words(&["develop", &port.to_string()]);
        words.push(self.source().into());
        (words, self.environment())
    }

    fn words(&self, arguments: &[&str]) -> Vec<OsString> {
        let shim = self.shim.path().join(SHIM_FILE);
        let arguments = arguments.iter().map(OsString::from);
        self.python.iter().cloned().chain([shim.into()]).chain(arguments).collect()
    }

    fn environment(&self) -> BTreeMap<String, OsString> {
        let path = [self.directory.join("src"), self.directory.clone()].map(|path| path.display().to_string()).join(":");
        [("MINT_DEV_CLASS", self.class.clone()), ("PYTHONPATH", path), ("PYTHONUNBUFFERED", "1".to_owned())]
            .map(|(name, value)| (name.to_owned(), value.into()))
            .into()
    }

    /// Where its code stands, without the venv beside it.
    fn source(&self) -> PathBuf {
        let module = self.class.split([':', '.']).next().unwrap_or_default();
        let candidates = [self.directory.join("src"), self.directory.join(module)];
        candidates.into_iter().find(|path| path.is_dir()).unwrap_or_else(|| self.directory.clone())
    }

    /// A project without `mint.toml` is named like its bundle would be, and answers where its class wants.
    fn of_class(&self, said: &Said) -> anyhow::Result<PluginInfo> {
        let prefix = said.public_prefix.strip_prefix("/api").unwrap_or_default();
        let plugin_type: PluginType = serde_json::from_value(said.plugin_type.clone().into()).unwrap_or(PluginType::Full);
        Ok(PluginInfo {
            slug: slug_of(&self.name).with_context(|| no_slug(&self.name))?,
            version: said.version.clone(),
            display_name: said.display_name.clone(),
            description: said.description.clone(),
            analysis_type: said.analysis_type.clone(),
            plugin_type,
            routes_prefix: Some(prefix.parse::<Prefix>().context("the plugin's `routes_prefix` cannot be used; see --prefix")?),
            author: said.author.clone(),
            homepage: said.homepage.clone(),
            license: said.license.clone(),
            icon: String::new(),
        })
    }
}

impl Description {
    /// Of a server that the platform knows nothing of but what `mint.toml` says, if there is one.
    ///
    /// # Errors
    /// Neither the file nor `slug` names the plugin.
    pub(crate) fn of_command(directory: &Path, slug: Option<&Slug>) -> anyhow::Result<Self> {
        let (plugin, wanted) = match (build::described(directory)?, slug) {
            (Some((plugin, wanted)), _) => (plugin, Some(wanted)),
            (None, Some(slug)) => (unknown(slug.clone()), None),
            (None, None) => bail!("what the command serves has no name: give --slug, or write a mint.toml"),
        };
        Ok(Self { plugin, name: None, own_prefix: None, is_mld: false, wanted })
    }
}

fn unknown(slug: Slug) -> PluginInfo {
    PluginInfo {
        slug,
        version: "dev".to_owned(),
        display_name: String::new(),
        description: String::new(),
        analysis_type: String::new(),
        plugin_type: PluginType::Full,
        routes_prefix: None,
        author: String::new(),
        homepage: String::new(),
        license: String::new(),
        icon: String::new(),
    }
}

fn no_slug(name: &str) -> String {
    format!("`{name}` does not make a plugin's slug; choose one with --slug")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(entries: &str) -> anyhow::Result<Project> {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("pyproject.toml"), format!("[project]\nname = \"Peak_Finder\"\n{entries}")).unwrap();
        Project::read(directory.path(), Path::new("uv"), None)
    }

    #[test]
    fn there_is_exactly_one_plugin() {
        let one = read("[project.entry-points.\"mint.plugins\"]\npeaks = \"peaks.plugin:Peaks\"\n").unwrap();
        assert_eq!((one.class.as_str(), one.source()), ("peaks.plugin:Peaks", one.directory.clone()));
        let both = "[project.entry-points.\"mint.plugins\"]\na = \"a:A\"\n[project.entry-points.\"mld.plugins\"]\na = \"a:A\"\n";
        assert_eq!(read(both).unwrap().class, "a:A");
        for entries in ["", "[project.entry-points.\"mint.plugins\"]\na = \"a:A\"\nb = \"b:B\"\n"] {
            assert!(read(entries).unwrap_err().to_string().contains("exactly one entry point"), "{entries}");
        }
    }
}
