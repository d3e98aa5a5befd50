use std::{
    fs,
    path::{Path, PathBuf},
};

use mint_domain::{Digest, manifest::Process};

use super::{
    BuildError, BuildOptions, executable, frontend, javascript,
    project::{Language, Output, Project},
    python::PyProject,
    python_component, python_wheels, rust,
    tool::Progress,
};

/// A finished bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuiltBundle {
    /// `<guest>/dist/<slug>-<version>.mint`.
    pub path: PathBuf,
    /// Digest of the file.
    pub digest: Digest,
}

/// Builds the guest project in `dir` and writes its bundle. The same sources and tools give the same manifest; whether
/// they give the same bytes depends on the language's compiler.
///
/// # Errors
/// [`BuildError`], in words for the author.
pub fn build(dir: &Path, options: &BuildOptions) -> Result<BuiltBundle, BuildError> {
    let mut project = Project::read(dir)?;
    if let Some(version) = &options.release_version {
        version.clone_into(&mut project.toml.plugin.version);
    }
    let progress = Progress::new(options.quiet);
    let stage = tempfile::Builder::new().prefix("mint-build-").tempdir().map_err(BuildError::at("a temporary directory"))?;
    let mut manifest = project.manifest();
    let mut files: Vec<(String, PathBuf)> = Vec::new();

    match project.language {
        Language::Rust => files.push(("plugin.wasm".to_owned(), rust::component(&project, &options.features, &progress)?)),
        Language::JavaScript => {
            files.push(("plugin.wasm".to_owned(), javascript::component(&project, options, &progress, stage.path())?));
        }
        Language::Python => {
            let pyproject = PyProject::read(&project)?;
            if project.wants(Output::Component) {
                let component = python_component::component(&project, &pyproject, options, &progress, stage.path())?;
                files.push(("plugin.wasm".to_owned(), component));
            }
            if project.wants(Output::Wheels) {
                let (wheels, wheel_files) = python_wheels::wheels(&project, &pyproject, options, &progress, stage.path())?;
                manifest.wheels = Some(wheels);
                files.extend(wheel_files);
            }
        }
        Language::Executable => {
            if let Some(path) = &project.toml.build.executable {
                let entry = format!("bin/{}", path.file_name().unwrap_or_default().to_string_lossy());
                files.push((entry.clone(), executable::executable(&project, path)?));
                manifest.process = Some(Process { executable: entry, args: project.toml.build.args.clone() });
            }
        }
    }
    if files.iter().any(|(entry, _)| entry == "plugin.wasm") {
        manifest.component = Some("plugin.wasm".to_owned());
    }

    if let Some(directory) = &project.toml.plugin.frontend {
        files.extend(frontend::files(&project, directory)?);
        manifest.frontend = Some(frontend::ENTRY.to_owned());
    }

    let dist = project.dir.join("dist");
    fs::create_dir_all(&dist).map_err(BuildError::at(&dist))?;
    let path = dist.join(format!("{}-{}.mint", manifest.plugin.slug, manifest.plugin.version));
    let digest = mint_bundle::write(&path, manifest, files)?;
    Ok(BuiltBundle { path, digest })
}
