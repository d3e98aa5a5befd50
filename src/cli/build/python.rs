//! What a component and wheels of a Python project share: its `pyproject.toml` and the SDK.

use std::{
    fs,
    path::{Path, PathBuf},
};

pub(super) use mint_subprocess::component::SDK;
use serde::Deserialize;

use super::{BuildError, BuildOptions, project::Project};

/// The parts of `pyproject.toml` that a build reads.
#[derive(Debug, Deserialize)]
pub(super) struct PyProject {
    pub(super) project: Metadata,
    #[serde(default)]
    tool: ToolTable,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Metadata {
    pub(super) name: String,
    pub(super) version: Option<String>,
    pub(super) requires_python: Option<String>,
    #[serde(default)]
    dependencies: Vec<String>,
    #[serde(default)]
    entry_points: std::collections::BTreeMap<String, std::collections::BTreeMap<String, String>>,
}

#[derive(Debug, Default, Deserialize)]
struct ToolTable {
    #[serde(default)]
    uv: UvTable,
}

#[derive(Debug, Default, Deserialize)]
struct UvTable {
    #[serde(default)]
    sources: std::collections::BTreeMap<String, Source>,
}

/// One of `[tool.uv.sources]`; only a path concerns us.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Source {
    Path { path: PathBuf },
    Other(serde::de::IgnoredAny),
}

impl PyProject {
    pub(super) fn read(project: &Project) -> Result<Self, BuildError> {
        let path = project.dir.join("pyproject.toml");
        let text = fs::read_to_string(&path).map_err(BuildError::at(&path))?;
        let read: Self = toml::from_str(&text).map_err(|e| BuildError::project(&path, e.to_string()))?;
        let version = &project.toml.plugin.version;
        match &read.project.version {
            Some(other) if other != version => {
                Err(BuildError::project(path, format!("says version {other}, but mint.toml says {version}: make them equal")))
            }
            _ => Ok(read),
        }
    }

    /// Whether the project names this distribution among its dependencies.
    pub(super) fn depends_on(&self, distribution: &str) -> bool {
        self.project.dependencies.iter().any(|requirement| normal(name_of(requirement)) == distribution)
    }

    /// Directories of local dependencies, absolute, the SDK among them when the project uses it.
    pub(super) fn local_dependencies(&self, project: &Project, options: &BuildOptions) -> Result<Vec<PathBuf>, BuildError> {
        let mut dirs = Vec::new();
        for (name, source) in &self.tool.uv.sources {
            if let Source::Path { path } = source
                && self.depends_on(&normal(name))
            {
                let dir = project.dir.join(path);
                dirs.push(dir.canonicalize().map_err(BuildError::at(dir))?);
            }
        }
        let sdk_has_source =
            self.tool.uv.sources.iter().any(|(name, source)| normal(name) == SDK && matches!(source, Source::Path { .. }));
        if self.depends_on(SDK) && !sdk_has_source {
            dirs.push(options.sdk(&project.dir, "Python", "python")?);
        }
        Ok(dirs)
    }

    /// The one entry point in the group `mint.plugins`.
    pub(super) fn entry_point(&self, dir: &Path) -> Result<&str, BuildError> {
        let group = self.project.entry_points.get("mint.plugins");
        let mut names = group.into_iter().flat_map(|group| group.keys());
        match (names.next(), names.next()) {
            (Some(name), None) => Ok(name),
            (found, _) => Err(BuildError::project(
                dir.join("pyproject.toml"),
                format!(
                    "must have exactly one entry under [project.entry-points.\"mint.plugins\"], such as \
                     `hello = \"hello:Hello\"`; it has {}",
                    if found.is_some() { "several" } else { "none" }
                ),
            )),
        }
    }
}

/// The distribution that a requirement names.
fn name_of(requirement: &str) -> &str {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let requirement = requirement.trim_start();
    requirement.split_once(|c| !is_name(c)).map_or(requirement, |(name, _)| name)
}

/// A distribution name in the form in which names are compared (PEP 503).
pub(super) fn normal(name: &str) -> String {
    let parts: Vec<&str> = name.split(['-', '_', '.']).filter(|part| !part.is_empty()).collect();
    parts.join("-").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_are_recognised_in_every_spelling() {
        let text = "[project]\nname = \"x\"\ndependencies = [\"Mint_Guest.SDK[server]>=1; python_version > '3'\", \"numpy\"]\n";
        let project: PyProject = toml::from_str(text).unwrap();
        assert!(project.depends_on(SDK) && project.depends_on("numpy") && !project.depends_on("mint"));
    }

    #[test]
    fn there_is_exactly_one_entry_point() {
        let read = |entries: &str| -> Result<String, String> {
            let text = format!("[project]\nname = \"x\"\n[project.entry-points.\"mint.plugins\"]\n{entries}");
            let project: PyProject = toml::from_str(&text).unwrap();
            project.entry_point(Path::new("x")).map(str::to_owned).map_err(|e| e.to_string())
        };
        assert_eq!(read("hello = \"hello:Hello\"\n").unwrap(), "hello");
        assert!(read("").unwrap_err().contains("none"));
        assert!(read("a = \"a:A\"\nb = \"b:B\"\n").unwrap_err().contains("several"));
    }
}
