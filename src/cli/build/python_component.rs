//! A Python component: the plugin, the SDK and pure dependencies by componentize-py.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use super::{
    BuildError, BuildOptions,
    project::Project,
    python::{self, PyProject},
    tool::{Progress, Tool},
    world::{self, WASI, World},
};

/// The release of componentize-py.
const COMPONENTIZE_PY: &str = "componentize-py==0.25.1";
/// The Python inside the components that it makes.
pub const PYTHON_INSIDE: &str = "3.14";
/// The packages that are in every component of a Python plugin, besides what its author adds.
pub const CARRIED: &[(&str, &str)] = &[(python::SDK, "1.0.0")];

/// The SDK's module that exports what the world asks for; it imports the author's class from [`ENTRY_MODULE`].
const SDK_MODULE: &str = "mint_sdk.component_app";
const ENTRY_MODULE: &str = "mint_entry";

/// Packages whose native part only makes them faster: they work without it.
const NATIVE_PART_OPTIONAL: &[&str] = &["markupsafe", "yaml", "_yaml"];

const LAZY_IMPORTS: &str = include_str!("assets/python/lazy_imports.py");

/// Builds the component in `stage` and returns where it is.
pub(super) fn component(
    project: &Project,
    pyproject: &PyProject,
    options: &BuildOptions,
    progress: &Progress,
    stage: &Path,
) -> Result<PathBuf, BuildError> {
    let toml = project.dir.join("mint.toml");
    let Some((module, class)) = project.toml.build.entry.as_deref().and_then(|entry| entry.split_once(':')) else {
        return Err(BuildError::project(toml, "[build] needs `entry = \"module:Class\"`, the plugin's class"));
    };
    if !module.split('.').all(is_identifier) || !is_identifier(class) {
        return Err(BuildError::project(toml, format!("`entry = \"{module}:{class}\"` is not of the form `module:Class`")));
    }
    if !pyproject.depends_on(python::SDK) {
        return Err(BuildError::project(
            project.dir.join("pyproject.toml"),
            format!("a component needs the SDK: add \"{}\" to `dependencies`", python::SDK),
        ));
    }
    let dependencies = stage.join("dependencies");
    install(project, pyproject, options, progress, &dependencies)?;
    remove_native_parts(&dependencies)?;

    let app = stage.join("app");
    fs::create_dir(&app).map_err(BuildError::at(&app))?;
    let lazy = lazy_imports(&dependencies, progress, stage)?;
    let entry = app.join(format!("{ENTRY_MODULE}.py"));
    fs::write(&entry, entry_text(module, class, &lazy)).map_err(BuildError::at(&entry))?;

    let wit = stage.join("wit");
    World::new(project.capabilities(), vec![world::EXPORT_ROUTES, world::EXPORT_LIFECYCLE, world::EXPORT_HOOKS])
        .write(&wit, WASI)?;
    let component = stage.join("plugin.wasm");
    // Full names: what a module of the bindings is called must not depend on what else the world imports.
    Tool::uv()
        .args(["tool", "run", "--quiet", "--from", COMPONENTIZE_PY, "componentize-py", "--quiet", "--full-names"])
        .args([OsStr::new("--wit-path"), wit.as_os_str(), OsStr::new("--world"), OsStr::new(world::WORLD)])
        .args(["componentize", SDK_MODULE])
        .args([OsStr::new("-p"), app.as_os_str(), OsStr::new("-p"), dependencies.as_os_str()])
        .args([OsStr::new("-o"), component.as_os_str()])
        .current_dir(stage)
        .run(progress, &format!("Making a component of {}", project.toml.plugin.slug))?;
    Ok(component)
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

/// Deletes compiled extensions that their package can do without, and refuses all others.
fn remove_native_parts(root: &Path) -> Result<(), BuildError> {
    let mut dirs = vec![root.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).map_err(BuildError::at(&dir))? {
            let path = entry.map_err(BuildError::at(&dir))?.path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|extension| extension == "so") {
                let relative = path.strip_prefix(root).unwrap_or(&path);
                let package = relative.components().next().map(|part| part.as_os_str().to_string_lossy().into_owned());
                let package = package.unwrap_or_default();
                if !NATIVE_PART_OPTIONAL.contains(&package.as_str()) {
                    return Err(BuildError::NativeDependency(package));
                }
                fs::remove_file(&path).map_err(BuildError::at(path))?;
            }
        }
    }
    Ok(())
}

/// What the code imports inside functions. A component has no files to import from, so it must be loaded beforehand.
fn lazy_imports(dependencies: &Path, progress: &Progress, stage: &Path) -> Result<Vec<String>, BuildError> {
    let step = "Looking for late imports";
    let script = stage.join("lazy_imports.py");
    fs::write(&script, LAZY_IMPORTS).map_err(BuildError::at(&script))?;
    let output = Tool::uv()
        .args(["run", "--quiet", "--no-project"])
        .args([script.as_path(), dependencies])
        .current_dir(stage)
        .run(progress, step)?;
    serde_json::from_slice(&output.stdout).map_err(|e| BuildError::ToolOutput {
        step: step.to_owned(),
        tool: "python".to_owned(),
        message: e.to_string(),
    })
}

fn entry_text(module: &str, class: &str, lazy: &[String]) -> String {
    let mut text = format!("from {module} import {class} as Plugin\n");
    if !lazy.is_empty() {
        let list = serde_json::Value::from(lazy);
        // A late import is often an optional one, so that its absence here means nothing.
        text.push_str(&format!(
            "\nimport importlib\n\nfor _name in {list}:\n    try:\n        importlib.import_module(_name)\n    except Exception:\n        pass\n"
        ));
    }
    text
}

fn is_identifier(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_alphabetic() || c == '_') && chars.all(|c| c.is_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_components_carry_is_what_the_sdk_says() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guests/sdk/python/pyproject.toml");
        let pyproject: toml::Table = fs::read_to_string(path).unwrap().parse().unwrap();
        let project = &pyproject["project"];
        assert_eq!(CARRIED, [(project["name"].as_str().unwrap(), project["version"].as_str().unwrap())]);
    }

    #[test]
    fn the_entry_loads_late_imports_early() {
        assert_eq!(entry_text("hello", "Hello", &[]), "from hello import Hello as Plugin\n");
        let text = entry_text("a.b", "C", &["json".to_owned(), "os.path".to_owned()]);
        assert!(text.contains("for _name in [\"json\",\"os.path\"]:"), "{text}");
    }

    #[test]
    fn a_native_part_goes_only_where_it_is_not_needed() {
        let dir = tempfile::tempdir().unwrap();
        let put = |path: &str| {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        };
        put("markupsafe/_speedups.cpython-313-x86_64-linux-gnu.so");
        put("markupsafe/_native.py");
        remove_native_parts(dir.path()).unwrap();
        assert_eq!(fs::read_dir(dir.path().join("markupsafe")).unwrap().count(), 1);
        put("numpy/_core/_multiarray_umath.so");
        assert!(remove_native_parts(dir.path()).unwrap_err().to_string().starts_with("`numpy` has native code"));
    }
}
