//! `mint.toml`, and what kind of project it belongs to.

use std::{
    fs,
    path::{Path, PathBuf},
};

use mint_domain::{
    Capability, Manifest, Prefix, Slug,
    limit::LimitChanges,
    manifest::{CapabilityRequest, InstancePolicy, PluginInfo},
    policy::PluginType,
};
use serde::Deserialize;
use serde_json::Value;

use super::BuildError;

/// A guest's directory and what its `mint.toml` says.
#[derive(Debug)]
pub(super) struct Project {
    /// Absolute.
    pub(super) dir: PathBuf,
    pub(super) toml: MintToml,
    pub(super) language: Language,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Rust,
    Python,
    JavaScript,
    Executable,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MintToml {
    pub(super) plugin: Plugin,
    #[serde(default)]
    pub(super) capabilities: Vec<CapabilityRequest>,
    #[serde(default)]
    pub(super) limits: LimitChanges,
    pub(super) settings_schema: Option<Value>,
    pub(super) design_schema: Option<Value>,
    #[serde(default)]
    pub(super) build: Build,
}

/// `[plugin]`. Not `PluginInfo` itself, for serde can neither flatten it here without losing the line of a mistake nor
/// refuse unknown fields then.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plugin {
    pub(super) slug: Slug,
    pub(super) version: String,
    display_name: Option<String>,
    #[serde(default)]
    description: String,
    #[serde(default)]
    analysis_type: String,
    #[serde(default)]
    plugin_type: PluginType,
    routes_prefix: Option<Prefix>,
    #[serde(default)]
    author: String,
    #[serde(default)]
    homepage: String,
    #[serde(default)]
    license: String,
    #[serde(default)]
    icon: String,
    instances: Option<InstancePolicy>,
    /// The directory of its front-end, as browsers are to get it, relative to the project.
    pub(super) frontend: Option<PathBuf>,
}

impl Plugin {
    fn info(&self) -> PluginInfo {
        PluginInfo {
            slug: self.slug.clone(),
            version: self.version.clone(),
            display_name: self.display_name.clone().unwrap_or_else(|| self.slug.to_string()),
            description: self.description.clone(),
            analysis_type: self.analysis_type.clone(),
            plugin_type: self.plugin_type,
            routes_prefix: self.routes_prefix.clone(),
            author: self.author.clone(),
            homepage: self.homepage.clone(),
            license: self.license.clone(),
            icon: self.icon.clone(),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Build {
    /// By default a component.
    pub(super) outputs: Option<Vec<Output>>,
    /// Python: `module:Class`. JavaScript: a file, by default `main` of package.json.
    pub(super) entry: Option<String>,
    /// A built native executable, relative to the project.
    pub(super) executable: Option<PathBuf>,
    /// Its arguments.
    #[serde(default)]
    pub(super) args: Vec<String>,
    /// First size of a Rust component's memory; what a request needs should fit, for growing it is dear.
    pub(super) initial_memory_bytes: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Output {
    Component,
    Wheels,
}

/// What the `mint.toml` of a directory says of its plugin, and what that asks for; none where there is no such file.
///
/// # Errors
/// The file cannot be read, or has a mistake.
pub(crate) fn described(dir: &Path) -> Result<Option<(PluginInfo, Vec<Capability>)>, BuildError> {
    let path = dir.join("mint.toml");
    if !path.is_file() {
        return Ok(None);
    }
    let text = fs::read_to_string(&path).map_err(BuildError::at(&path))?;
    let toml: MintToml = toml::from_str(&text).map_err(|e| BuildError::project(&path, e.to_string().trim_end()))?;
    let wanted = toml.capabilities.iter().map(|request| request.name.clone()).collect();
    Ok(Some((toml.plugin.info(), wanted)))
}

impl Project {
    /// Reads and checks `mint.toml` in `dir`.
    pub(super) fn read(dir: &Path) -> Result<Self, BuildError> {
        let dir = dir.canonicalize().map_err(BuildError::at(dir))?;
        let path = dir.join("mint.toml");
        let text = fs::read_to_string(&path).map_err(BuildError::at(&path))?;
        let toml: MintToml = toml::from_str(&text).map_err(|e| BuildError::project(&path, e.to_string().trim_end()))?;
        let language = language(&dir, &toml.build)?;
        let project = Self { dir, toml, language };
        project.check().map_err(|message| BuildError::project(path, message))?;
        Ok(project)
    }

    fn check(&self) -> Result<(), String> {
        let build = &self.toml.build;
        if build.outputs.as_ref().is_some_and(Vec::is_empty) {
            return Err("`outputs` under [build] is empty: name \"component\", \"wheels\" or both".to_owned());
        }
        if self.wants(Output::Wheels) && self.language != Language::Python {
            return Err("only a Python project can have \"wheels\" among its `outputs`".to_owned());
        }
        if build.initial_memory_bytes.is_some() && self.language != Language::Rust {
            return Err("`initial_memory_bytes` is for Rust components only".to_owned());
        }
        if !build.args.is_empty() && self.language != Language::Executable {
            return Err("`args` under [build] go with an `executable`".to_owned());
        }
        if let Some(unexplained) = self.toml.capabilities.iter().find(|request| request.why.trim().is_empty()) {
            return Err(format!(
                "say in one sentence `why` the plugin asks for `{}`: administrators decide by it",
                unexplained.name
            ));
        }
        Ok(())
    }

    /// Whether the project's bundle is to have this.
    pub(super) fn wants(&self, output: Output) -> bool {
        match &self.toml.build.outputs {
            Some(outputs) => outputs.contains(&output),
            None => output == Output::Component && self.language != Language::Executable,
        }
    }

    /// What the plugin asks for.
    pub(super) fn capabilities(&self) -> impl Iterator<Item = &Capability> {
        self.toml.capabilities.iter().map(|request| &request.name)
    }

    /// The manifest, still without anything to run.
    pub(super) fn manifest(&self) -> Manifest {
        let warm = matches!(self.language, Language::Python | Language::JavaScript);
        let default = if warm { InstancePolicy::Tenant } else { InstancePolicy::Request };
        Manifest {
            format_version: 2,
            plugin: self.toml.plugin.info(),
            component: None,
            wheels: None,
            process: None,
            frontend: None,
            instances: self.toml.plugin.instances.unwrap_or(default),
            capabilities: self.toml.capabilities.clone(),
            limits: self.toml.limits.clone(),
            settings_schema: self.toml.settings_schema.clone(),
            design_schema: self.toml.design_schema.clone(),
            files: std::collections::BTreeMap::new(),
        }
    }
}

fn language(dir: &Path, build: &Build) -> Result<Language, BuildError> {
    if build.executable.is_some() {
        return Ok(Language::Executable);
    }
    let table = [("Cargo.toml", Language::Rust), ("pyproject.toml", Language::Python), ("package.json", Language::JavaScript)];
    match table.into_iter().find(|(file, _)| dir.join(file).is_file()) {
        Some((_, language)) => Ok(language),
        None => Err(BuildError::UnknownLanguage(dir.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(toml: &str, files: &[&str]) -> Result<Project, String> {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("mint.toml"), toml).unwrap();
        for file in files {
            fs::write(dir.path().join(file), "").unwrap();
        }
        let canonical = dir.path().canonicalize().unwrap();
        Project::read(dir.path()).map_err(|e| e.to_string().replace(canonical.to_str().unwrap(), "DIR"))
    }

    const PLUGIN: &str = "[plugin]\nslug = \"hello\"\nversion = \"1.0.0\"\n";

    #[test]
    fn the_language_follows_from_the_files_and_decides_how_instances_live() {
        for (file, language, instances) in [
            ("Cargo.toml", Language::Rust, InstancePolicy::Request),
            ("pyproject.toml", Language::Python, InstancePolicy::Tenant),
            ("package.json", Language::JavaScript, InstancePolicy::Tenant),
        ] {
            let project = read(PLUGIN, &[file]).unwrap();
            assert_eq!((project.language, project.manifest().instances), (language, instances));
            assert!(project.wants(Output::Component));
        }
        let project = read(&format!("{PLUGIN}instances = \"tenant\"\n[build]\nexecutable = \"x\"\n"), &["Cargo.toml"]).unwrap();
        assert_eq!((project.language, project.manifest().instances), (Language::Executable, InstancePolicy::Tenant));
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        let table: [(&str, &str, &[&str]); 9] = [
            ("", "Cargo.toml", &["DIR/mint.toml", "missing field `plugin`"]),
            ("[plugin]\nslug = \"Hello\"\nversion = \"1\"\n", "Cargo.toml", &["line 2, column 8", "`Hello` is not a slug"]),
            ("+colour = \"red\"\n", "Cargo.toml", &["line 4", "unknown field `colour`", "`display_name`"]),
            ("+[build]\noutput = [\"component\"]\n", "Cargo.toml", &["line 5", "unknown field `output`", "`outputs`"]),
            (
                "+[[capabilities]]\nname = \"experiment:read\"\nwhy = \"x\"\n",
                "Cargo.toml",
                &["line 5, column 8", "unknown capability `experiment:read`", "experiments:read"],
            ),
            ("+[[capabilities]]\nname = \"objects\"\n", "Cargo.toml", &["`why`", "`objects`"]),
            ("+[build]\noutputs = [\"wheels\"]\n", "Cargo.toml", &["only a Python project"]),
            ("+[build]\noutputs = []\n", "pyproject.toml", &["`outputs` under [build] is empty"]),
            ("+", "README.md", &["DIR has no Cargo.toml", "`executable`"]),
        ];
        for (toml, file, expected) in table {
            let toml = toml.strip_prefix('+').map_or(toml.to_owned(), |rest| format!("{PLUGIN}{rest}"));
            let error = read(&toml, &[file]).unwrap_err();
            for words in expected {
                assert!(error.contains(words), "{words} is not in: {error}");
            }
        }
    }
}
