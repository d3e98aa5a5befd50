//! A Python component: the plugin, the SDK and pure dependencies by componentize-py.

use std::path::{Path, PathBuf};

use mint_subprocess::component::{COMPONENTIZE_PY, Entry, PYTHON_INSIDE, Recipe, World};

use super::{
    BuildError, BuildOptions,
    project::Project,
    python::{self, PyProject},
    tool::{Progress, Tool},
};

/// Builds the component in `stage` and returns where it is.
pub(super) fn component(
    project: &Project,
    pyproject: &PyProject,
    options: &BuildOptions,
    progress: &Progress,
    stage: &Path,
) -> Result<PathBuf, BuildError> {
    let toml = || project.dir.join("mint.toml");
    let Some(entry) = project.toml.build.entry.as_deref() else {
        return Err(BuildError::project(toml(), "[build] needs `entry = \"module:Class\"`, the plugin's class"));
    };
    let entry = Entry::parse(entry).map_err(|error| BuildError::project(toml(), format!("`entry`: {error}")))?;
    if !pyproject.depends_on(python::SDK) {
        return Err(BuildError::project(
            project.dir.join("pyproject.toml"),
            format!("a component needs the SDK: add \"{}\" to `dependencies`", python::SDK),
        ));
    }
    let recipe = Recipe::new(stage);
    install(project, pyproject, options, progress, &recipe.code())?;
    recipe.remove_native_parts()?;
    Tool::uv()
        .args(["run", "--quiet", "--no-project"])
        .args(recipe.look_for_late_imports()?)
        .current_dir(stage)
        .run(progress, "Looking for late imports")?;
    let world = World::of_python(project.capabilities());
    Tool::uv()
        .args(["tool", "run", "--quiet", "--from", &format!("componentize-py=={COMPONENTIZE_PY}"), "componentize-py"])
        .args(recipe.prepare(&entry, &world)?)
        .current_dir(stage)
        .run(progress, &format!("Making a component of {}", project.toml.plugin.slug))?;
    Ok(recipe.component())
}

/// Installs the project and its dependencies flat into `target`.
fn install(
    project: &Project,
    pyproject: &PyProject,
    options: &BuildOptions,
    progress: &Progress,
    target: &Path,
) -> Result<(), BuildError> {
    let locals = pyproject.local_dependencies(project, options)?;
    Tool::uv()
        .args(["pip", "install", "--quiet", "--python-version", PYTHON_INSIDE, "--link-mode", "copy", "--target"])
        .arg(target)
        .arg(&project.dir)
        .args(locals)
        .current_dir(&project.dir)
        .run(progress, &format!("Collecting {} and its dependencies", pyproject.project.name))?;
    Ok(())
}
