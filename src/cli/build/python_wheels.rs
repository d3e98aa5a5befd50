//! The wheels of a Python project, and the locked requirements that an isolated installation is made from.

use std::{
    fs,
    path::{Path, PathBuf},
};

use mint_domain::manifest::Wheels;

use super::{
    BuildError, BuildOptions,
    project::Project,
    python::{self, PyProject},
    tool::{Progress, Tool},
};

/// Isolated plugins run on Python 3.12 or newer.
const PYTHON_MINOR_MIN: u32 = 12;

/// Builds everything in `stage`; returns the manifest's part and the bundle's entries with their files.
pub(super) fn wheels(
    project: &Project,
    pyproject: &PyProject,
    options: &BuildOptions,
    progress: &Progress,
    stage: &Path,
) -> Result<(Wheels, Vec<(String, PathBuf)>), BuildError> {
    let entry_point = pyproject.entry_point(&project.dir)?.to_owned();
    let links = stage.join("wheels");
    let main = build_wheel(&project.dir, &stage.join("main"), &links, progress)?;
    let mut dependencies = Vec::new();
    for (index, dir) in pyproject.local_dependencies(project, options)?.iter().enumerate() {
        dependencies.push(build_wheel(dir, &stage.join(format!("local-{index}")), &links, progress)?);
    }
    let requirements = lock(project, pyproject, progress, stage, &links)?;

    let entry = |file: &str| format!("wheels/{file}");
    let wheels = Wheels {
        main: entry(&main),
        dependencies: dependencies.iter().map(|file| entry(file)).collect(),
        requirements: Some("requirements.txt".to_owned()),
        distribution: pyproject.project.name.clone(),
        entry_point,
    };
    let mut files: Vec<(String, PathBuf)> =
        std::iter::once(&main).chain(&dependencies).map(|file| (entry(file), links.join(file))).collect();
    files.push(("requirements.txt".to_owned(), requirements));
    Ok((wheels, files))
}

/// The oldest Python that the lock must hold for: the project's own lower bound, if it is above ours.
fn oldest_python(pyproject: &PyProject) -> String {
    let minor = |version: &str| version.strip_prefix("3.")?.split('.').next()?.parse::<u32>().ok();
    let required = pyproject.project.requires_python.as_deref().unwrap_or_default();
    let bounds = required.split(',').filter_map(|bound| bound.trim().strip_prefix(">=")).filter_map(|bound| minor(bound.trim()));
    format!("3.{}", bounds.fold(PYTHON_MINOR_MIN, u32::max))
}

/// Builds one wheel in `out` and moves it to `links`; returns its file name.
fn build_wheel(project: &Path, out: &Path, links: &Path, progress: &Progress) -> Result<String, BuildError> {
    Tool::uv()
        .args(["build", "--quiet", "--wheel", "--out-dir"])
        .args([out, project])
        .current_dir(project)
        .run(progress, &format!("Building the wheel of {}", project.display()))?;
    fs::create_dir_all(links).map_err(BuildError::at(links))?;
    for entry in fs::read_dir(out).map_err(BuildError::at(out))? {
        let path = entry.map_err(BuildError::at(out))?.path();
        if path.extension().is_some_and(|extension| extension == "whl") {
            let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let to = links.join(&file);
            fs::rename(&path, &to).map_err(BuildError::at(to))?;
            return Ok(file);
        }
    }
    Err(BuildError::project(project.join("pyproject.toml"), "its build made no wheel"))
}

/// Resolves everything into a requirements file with versions and hashes, for every platform, wheels only.
fn lock(
    project: &Project,
    pyproject: &PyProject,
    progress: &Progress,
    stage: &Path,
    links: &Path,
) -> Result<PathBuf, BuildError> {
    let wanted = stage.join("requirements.in");
    let mut text = format!("{}=={}\n", pyproject.project.name, project.toml.plugin.version);
    if pyproject.depends_on(python::SDK) {
        // A process needs a server; a component does not, so plugins depend on the SDK without it.
        text.push_str(&format!("{}[server]\n", python::SDK));
    }
    fs::write(&wanted, text).map_err(BuildError::at(&wanted))?;
    let requirements = stage.join("requirements.txt");
    Tool::uv()
        .args(["pip", "compile", "--quiet", "--universal", "--generate-hashes", "--only-binary", ":all:"])
        .args(["--python-version", &oldest_python(pyproject), "--no-header", "--no-annotate", "--find-links"])
        .arg(links)
        .arg("--output-file")
        .args([&requirements, &wanted])
        .current_dir(stage)
        .run(progress, &format!("Resolving the dependencies of {}", pyproject.project.name))?;
    Ok(requirements)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_holds_from_the_oldest_python_that_can_run_it() {
        for (required, oldest) in [("", "3.12"), (">=3.10", "3.12"), ("<4, >= 3.13.1", "3.13"), ("~=3.12", "3.12")] {
            let text = format!("[project]\nname = \"x\"\nrequires-python = \"{required}\"\n");
            assert_eq!(oldest_python(&toml::from_str(&text).unwrap()), oldest, "{required}");
        }
    }
}
