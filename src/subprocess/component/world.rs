//! The WIT world of a Python or JavaScript component: what its capabilities unlock, and nothing else.
//!
//! Rust components need none: their linker drops what the code does not call. These languages import the whole world
//! that they are built for, and what a component imports is its permission request.

use std::{collections::BTreeSet, fs, path::Path};

use mint_domain::Capability;

use super::RecipeError;

/// Name of the world that [`World::write`] makes.
pub const WORLD: &str = "guest";

/// Every package of the platform and of WASI that this version speaks: directory and file, text.
const PACKAGES: &[(&str, &str)] = &[
    ("wasi-cli@0.2.12/cli.wit", include_str!("../../../wit/deps/wasi-cli@0.2.12/cli.wit")),
    ("wasi-clocks@0.2.12/clocks.wit", include_str!("../../../wit/deps/wasi-clocks@0.2.12/clocks.wit")),
    ("wasi-config@0.2.0-rc.1/store.wit", include_str!("../../../wit/deps/wasi-config@0.2.0-rc.1/store.wit")),
    ("wasi-config@0.2.0-rc.1/world.wit", include_str!("../../../wit/deps/wasi-config@0.2.0-rc.1/world.wit")),
    ("wasi-filesystem@0.2.12/filesystem.wit", include_str!("../../../wit/deps/wasi-filesystem@0.2.12/filesystem.wit")),
    ("wasi-http@0.2.12/http.wit", include_str!("../../../wit/deps/wasi-http@0.2.12/http.wit")),
    ("wasi-io@0.2.12/io.wit", include_str!("../../../wit/deps/wasi-io@0.2.12/io.wit")),
    ("wasi-logging@0.1.0-draft/logging.wit", include_str!("../../../wit/deps/wasi-logging@0.1.0-draft/logging.wit")),
    ("wasi-random@0.2.12/random.wit", include_str!("../../../wit/deps/wasi-random@0.2.12/random.wit")),
    ("wasi-sockets@0.2.12/sockets.wit", include_str!("../../../wit/deps/wasi-sockets@0.2.12/sockets.wit")),
    ("mint-platform@1.0.0/database.wit", include_str!("../../../wit/mint-platform@1.0.0/database.wit")),
    ("mint-platform@1.0.0/designs.wit", include_str!("../../../wit/mint-platform@1.0.0/designs.wit")),
    ("mint-platform@1.0.0/experiments.wit", include_str!("../../../wit/mint-platform@1.0.0/experiments.wit")),
    ("mint-platform@1.0.0/identity.wit", include_str!("../../../wit/mint-platform@1.0.0/identity.wit")),
    ("mint-platform@1.0.0/jobs.wit", include_str!("../../../wit/mint-platform@1.0.0/jobs.wit")),
    ("mint-platform@1.0.0/migration-ops.wit", include_str!("../../../wit/mint-platform@1.0.0/migration-ops.wit")),
    ("mint-platform@1.0.0/objects.wit", include_str!("../../../wit/mint-platform@1.0.0/objects.wit")),
    ("mint-platform@1.0.0/package.wit", include_str!("../../../wit/mint-platform@1.0.0/package.wit")),
    ("mint-platform@1.0.0/projects.wit", include_str!("../../../wit/mint-platform@1.0.0/projects.wit")),
    ("mint-platform@1.0.0/results.wit", include_str!("../../../wit/mint-platform@1.0.0/results.wit")),
    ("mint-platform@1.0.0/settings.wit", include_str!("../../../wit/mint-platform@1.0.0/settings.wit")),
    ("mint-platform@1.0.0/types.wit", include_str!("../../../wit/mint-platform@1.0.0/types.wit")),
    ("mint-plugin@1.0.0/experiment-hooks.wit", include_str!("../../../wit/mint-plugin@1.0.0/experiment-hooks.wit")),
    ("mint-plugin@1.0.0/jobs.wit", include_str!("../../../wit/mint-plugin@1.0.0/jobs.wit")),
    ("mint-plugin@1.0.0/lifecycle.wit", include_str!("../../../wit/mint-plugin@1.0.0/lifecycle.wit")),
    ("mint-plugin@1.0.0/migrations.wit", include_str!("../../../wit/mint-plugin@1.0.0/migrations.wit")),
    ("mint-plugin@1.0.0/package.wit", include_str!("../../../wit/mint-plugin@1.0.0/package.wit")),
    ("mint-plugin@1.0.0/routes.wit", include_str!("../../../wit/mint-plugin@1.0.0/routes.wit")),
];

/// Version of WASI in [`PACKAGES`].
pub const WASI: &str = "0.2.12";

const PLATFORM: &str = "mint:platform";
const PLATFORM_VERSION: &str = "1.0.0";

const ALWAYS: &[&str] = &["mint:plugin/exchange@1.0.0", "wasi:config/store@0.2.0-rc.1", "wasi:logging/logging@0.1.0-draft"];
const ALWAYS_OF_PLATFORM: &[&str] = &["types", "identity", "settings"];

/// Answers requests.
pub const EXPORT_ROUTES: &str = "mint:plugin/routes@1.0.0";
/// Is told of its start, its settings and its end.
pub const EXPORT_LIFECYCLE: &str = "mint:plugin/lifecycle@1.0.0";
/// Is told of events of experiments.
pub const EXPORT_HOOKS: &str = "mint:plugin/experiment-hooks@1.0.0";
/// Has tables with a history.
pub const EXPORT_MIGRATIONS: &str = "mint:plugin/migrations@1.0.0";
/// Does the jobs that it asked for.
pub const EXPORT_JOBS: &str = "mint:plugin/jobs@1.0.0";

/// Imports and exports, by full name.
#[derive(Debug)]
pub struct World {
    imports: BTreeSet<String>,
    exports: Vec<&'static str>,
}

impl World {
    /// The world of a plugin with these capabilities, which exports these interfaces.
    pub fn new<'a>(capabilities: impl Iterator<Item = &'a Capability>, exports: Vec<&'static str>) -> Self {
        let platform = |interface: &&str| format!("{PLATFORM}/{interface}@{PLATFORM_VERSION}");
        let mut imports: BTreeSet<String> = ALWAYS.iter().map(|name| (*name).to_owned()).collect();
        imports.extend(ALWAYS_OF_PLATFORM.iter().map(platform));
        for capability in capabilities {
            imports.extend(capability.interfaces().iter().map(platform));
            match capability {
                Capability::Http(_) => imports.extend(["wasi:http/outgoing-handler@0.2.12".to_owned()]),
                Capability::Files => {
                    imports.extend(["wasi:filesystem/preopens@0.2.12".to_owned(), "wasi:filesystem/types@0.2.12".to_owned()])
                }
                _ => {}
            }
        }
        Self { imports, exports }
    }

    /// The world of a plugin in Python, whose SDK offers all that the platform may ask.
    pub fn of_python<'a>(capabilities: impl Iterator<Item = &'a Capability>) -> Self {
        let capabilities: Vec<&Capability> = capabilities.collect();
        let mut exports = vec![EXPORT_ROUTES, EXPORT_LIFECYCLE, EXPORT_HOOKS];
        // It is called with operations on tables, which only this capability unlocks.
        if capabilities.contains(&&Capability::Database) {
            exports.push(EXPORT_MIGRATIONS);
        }
        if capabilities.contains(&&Capability::Jobs) {
            exports.push(EXPORT_JOBS);
        }
        Self::new(capabilities.into_iter(), exports)
    }

    /// Whether code in this world may import `interface`, given with its version. Of WASI's interfaces everything that the
    /// world can name is linked by the host, with or without authority.
    pub fn allows(&self, interface: &str) -> bool {
        self.imports.contains(interface) || (interface.starts_with("wasi:") && !interface.contains("outgoing-handler"))
    }

    fn text(&self) -> String {
        let imports = self.imports.iter().map(|name| format!("    import {name};\n"));
        let exports = self.exports.iter().map(|name| format!("    export {name};\n"));
        let body: String = imports.chain(exports).collect();
        format!("package mint:guest;\n\nworld {WORLD} {{\n{body}}}\n")
    }

    /// Writes the world and the packages that it names into the new directory `dir`, with `wasi` as WASI's version: all
    /// versions of 0.2 are compatible, and some tools know an older one only.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, dir: &Path, wasi: &str) -> Result<(), RecipeError> {
        let put = |path: &Path, text: &str| {
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).map_err(RecipeError::at(parent))?;
            }
            fs::write(path, text.replace(WASI, wasi)).map_err(RecipeError::at(path))
        };
        put(&dir.join("world.wit"), &self.text())?;
        PACKAGES.iter().try_for_each(|(file, text)| put(&dir.join("deps").join(file), text))
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn a_world_imports_what_its_capabilities_unlock() {
        let capabilities: Vec<Capability> =
            ["results:write", "objects", "http:api.example.org"].iter().map(|text| text.parse().unwrap()).collect();
        let world = World::new(capabilities.iter(), vec![EXPORT_ROUTES, EXPORT_LIFECYCLE]);
        let expected = "package mint:guest;\n\nworld guest {\n    import mint:platform/identity@1.0.0;\n    \
            import mint:platform/objects@1.0.0;\n    import mint:platform/results@1.0.0;\n    \
            import mint:platform/settings@1.0.0;\n    import mint:platform/types@1.0.0;\n    \
            import mint:plugin/exchange@1.0.0;\n    \
            import wasi:config/store@0.2.0-rc.1;\n    import wasi:http/outgoing-handler@0.2.12;\n    \
            import wasi:logging/logging@0.1.0-draft;\n    export mint:plugin/routes@1.0.0;\n    \
            export mint:plugin/lifecycle@1.0.0;\n}\n";
        assert_eq!(world.text(), expected);
        assert!(world.allows("mint:platform/objects@1.0.0") && world.allows("wasi:io/streams@0.2.12"));
        assert!(!world.allows("mint:platform/projects@1.0.0"));
        assert!(!World::new([].iter(), Vec::new()).allows("wasi:http/outgoing-handler@0.2.12"));
    }

    #[test]
    fn a_python_plugin_exports_what_its_capabilities_call_for() {
        let exports = |capabilities: &[Capability]| World::of_python(capabilities.iter()).exports;
        let always = [EXPORT_ROUTES, EXPORT_LIFECYCLE, EXPORT_HOOKS];
        assert_eq!(exports(&[Capability::Objects]), always);
        assert_eq!(exports(&[Capability::Jobs]), [&always[..], &[EXPORT_JOBS]].concat());
        let both = [&always[..], &[EXPORT_MIGRATIONS, EXPORT_JOBS]].concat();
        assert_eq!(exports(&[Capability::Jobs, Capability::Database]), both);
        assert!(World::of_python([Capability::Jobs].iter()).allows("mint:platform/jobs@1.0.0"));
    }

    #[test]
    fn every_file_of_the_wit_directory_is_embedded() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
        let mut found = BTreeSet::new();
        let mut dirs = vec![root.clone()];
        while let Some(dir) = dirs.pop() {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    dirs.push(path);
                } else if path.extension().is_some_and(|extension| extension == "wit") {
                    let relative = path.strip_prefix(&root).unwrap().to_owned();
                    found.insert(relative.strip_prefix("deps").map_or(relative.clone(), PathBuf::from));
                }
            }
        }
        assert_eq!(found, PACKAGES.iter().map(|(file, _)| PathBuf::from(file)).collect());
    }
}
