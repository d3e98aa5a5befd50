//! A JavaScript component: the author's module and the SDK bundled into one, then componentize-js.

use std::{
    fs,
    path::{Path, PathBuf},
};

use mint_domain::{Capability, Digest};
use mint_subprocess::component::world::{self, World};
use serde::Deserialize;

use super::{
    BuildError, BuildOptions,
    project::Project,
    tool::{Progress, Tool},
};

/// What a person needs who has no Node.js.
const NODE_HINT: &str = "install Node.js 20 or newer (https://nodejs.org, or `apt-get install nodejs npm`)";

const FILES: &[(&str, &str)] = &[
    ("package.json", include_str!("assets/javascript/package.json")),
    ("package-lock.json", include_str!("assets/javascript/package-lock.json")),
    ("bundle.mjs", include_str!("assets/javascript/bundle.mjs")),
    ("componentize.mjs", include_str!("assets/javascript/componentize.mjs")),
];

#[derive(Deserialize)]
struct Package {
    main: Option<String>,
}

/// Builds the component in `stage` and returns where it is.
pub(super) fn component(
    project: &Project,
    options: &BuildOptions,
    progress: &Progress,
    stage: &Path,
) -> Result<PathBuf, BuildError> {
    let sdk = options.sdk(&project.dir, "JavaScript", "js")?;
    let tools = tools(&options.cache(), progress)?;

    let entry = stage.join("entry.js");
    let has = |wanted: Capability| project.capabilities().any(|capability| *capability == wanted);
    let (has_tables, has_jobs) = (has(Capability::Database), has(Capability::Jobs));
    fs::write(&entry, entry_text(&author_entry(project)?, &sdk, has_tables, has_jobs)).map_err(BuildError::at(&entry))?;
    let bundled = stage.join("plugin.js");
    let output = node(&tools, "bundle.mjs").args([&entry, &bundled]).run(progress, "Bundling the JavaScript modules")?;
    let imports: Vec<String> = serde_json::from_slice(&output.stdout).map_err(|e| BuildError::ToolOutput {
        step: "Bundling the JavaScript modules".to_owned(),
        tool: "node".to_owned(),
        message: e.to_string(),
    })?;

    let mut exports = vec![world::EXPORT_ROUTES];
    exports.extend(has_tables.then_some(world::EXPORT_MIGRATIONS));
    exports.extend(has_jobs.then_some(world::EXPORT_JOBS));
    let world = World::new(project.capabilities(), exports);
    if let Some(import) = imports.into_iter().find(|import| !world.allows(import)) {
        return Err(BuildError::ImportNotDeclared { import });
    }
    let wit = stage.join("wit");
    world.write(&wit, world::WASI)?;
    let component = stage.join("plugin.wasm");
    let speaks_http = project.capabilities().any(|capability| matches!(capability, Capability::Http(_)));
    node(&tools, "componentize.mjs")
        .args([bundled.as_path(), &wit, Path::new(world::WORLD), &component])
        // The SDK answers itself: the fetch event of the engine serves one request in the life of an instance.
        .arg("fetch-event")
        .args((!speaks_http).then_some("http"))
        .run(progress, &format!("Making a component of {}", project.toml.plugin.slug))?;
    Ok(component)
}

fn node(tools: &Path, script: &str) -> Tool {
    Tool::new("node", NODE_HINT).arg(tools.join(script)).current_dir(tools)
}

/// The author's module: `[build] entry`, else `main` of package.json.
fn author_entry(project: &Project) -> Result<PathBuf, BuildError> {
    let path = project.dir.join("package.json");
    let entry = match &project.toml.build.entry {
        Some(entry) => entry.clone(),
        None => {
            let text = fs::read_to_string(&path).map_err(BuildError::at(&path))?;
            let package: Package = serde_json::from_str(&text).map_err(|e| BuildError::project(&path, e.to_string()))?;
            package.main.ok_or_else(|| BuildError::project(&path, "name the plugin's module as `main`"))?
        }
    };
    let file = project.dir.join(entry);
    if file.is_file() { Ok(file) } else { Err(BuildError::project(file, "does not exist; it should be the plugin's module")) }
}

fn entry_text(author: &Path, sdk: &Path, has_tables: bool, has_jobs: bool) -> String {
    let quoted = |path: &Path| serde_json::Value::from(path.to_string_lossy());
    let module = |name: &str| quoted(&sdk.join(name));
    let mut imports = format!("import plugin from {};\n", quoted(author));
    let mut offered = Vec::new();
    let mut exports = String::new();
    if has_tables {
        imports += "import * as tables from \"mint:platform/database@1.0.0\";\n";
        imports += &format!("import {{ makeDatabase, makeMigrations }} from {};\n", module("tables.js"));
        offered.push("database: makeDatabase(tables)");
        exports += "export const migrations = makeMigrations(plugin);\n";
    }
    if has_jobs {
        imports += "import * as queue from \"mint:platform/jobs@1.0.0\";\n";
        imports += &format!("import {{ makeQueue }} from {};\n", module("jobs.js"));
        offered.push("jobs: makeQueue(queue)");
        exports += "export const jobs = work(plugin, queue, more);\n";
    }
    let called = if has_jobs { "serve, work" } else { "serve" };
    imports += &format!("import {{ {called} }} from {};\n", module("index.js"));
    if offered.is_empty() {
        return format!("{imports}\nexport const routes = serve(plugin);\n");
    }
    format!("{imports}\nconst more = {{ {} }};\nexport const routes = serve(plugin, more);\n{exports}", offered.join(", "))
}

/// The tools, installed once into a directory that is named after their versions.
fn tools(cache: &Path, progress: &Progress) -> Result<PathBuf, BuildError> {
    let all: String = FILES.iter().map(|(_, text)| *text).collect();
    let digest = Digest::of(all.as_bytes()).to_string();
    let name = digest.chars().skip_while(|c| *c != ':').skip(1).take(12).collect::<String>();
    let dir = cache.join("javascript").join(name);
    if dir.is_dir() {
        return Ok(dir);
    }
    let parent = cache.join("javascript");
    fs::create_dir_all(&parent).map_err(BuildError::at(&parent))?;
    let temporary = tempfile::Builder::new().prefix(".new-").tempdir_in(&parent).map_err(BuildError::at(&parent))?;
    for (file, text) in FILES {
        let path = temporary.path().join(file);
        fs::write(&path, text).map_err(BuildError::at(path))?;
    }
    // The lock file pins every package by hash; scripts of packages are not needed and not run.
    Tool::new("npm", NODE_HINT)
        .args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"])
        .current_dir(temporary.path())
        .run(progress, "Installing the JavaScript tools (once)")?;
    let made = temporary.keep();
    match fs::rename(&made, &dir) {
        Ok(()) => Ok(dir),
        // Another build was faster; its directory is as good.
        Err(_) if dir.is_dir() => {
            fs::remove_dir_all(&made).map_err(BuildError::at(made))?;
            Ok(dir)
        }
        Err(source) => Err(BuildError::File { path: dir, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUTHOR: &str = "/a \"b\"/plugin.js";

    fn entry(has_tables: bool, has_jobs: bool) -> String {
        entry_text(Path::new(AUTHOR), Path::new("/sdk/js"), has_tables, has_jobs)
    }

    #[test]
    fn paths_are_quoted_in_the_entry() {
        let text = entry(false, false);
        assert_eq!(
            text,
            "import plugin from \"/a \\\"b\\\"/plugin.js\";\nimport { serve } from \"/sdk/js/index.js\";\n\nexport const routes = serve(plugin);\n"
        );
    }

    #[test]
    fn the_entry_exports_what_the_capabilities_call_for() {
        let jobs = "import plugin from \"/a \\\"b\\\"/plugin.js\";\nimport * as queue from \"mint:platform/jobs@1.0.0\";\n\
            import { makeQueue } from \"/sdk/js/jobs.js\";\nimport { serve, work } from \"/sdk/js/index.js\";\n\n\
            const more = { jobs: makeQueue(queue) };\nexport const routes = serve(plugin, more);\n\
            export const jobs = work(plugin, queue, more);\n";
        assert_eq!(entry(false, true), jobs);
        let both = entry(true, true);
        assert!(both.contains("{ database: makeDatabase(tables), jobs: makeQueue(queue) }"), "{both}");
        for line in ["export const migrations = makeMigrations(plugin);", "export const jobs = work(plugin, queue, more);"] {
            assert!(both.lines().any(|found| found == line), "{both}");
        }
        assert!(!entry(true, false).contains("work"));
    }
}
