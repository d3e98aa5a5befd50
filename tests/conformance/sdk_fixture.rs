//! Plugins on the real SDKs, made into bundles: `fixtures/<sdk>/` has a project that `mint build` takes as well. Here the
//! wheel is put together by hand, so that no build backend is needed; uv resolves the SDK itself when it is installed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use mint_tests::{Guest, manifest, uv};
use serde_json::json;
use tempfile::TempDir;

use crate::subprocess::archive;

/// A project of `fixtures/`.
pub(super) struct Fixture {
    directory: PathBuf,
    project: toml::Table,
    mint: toml::Table,
    is_of_mint: bool,
    /// Files of its front-end, beside its module.
    frontend: &'static [(&'static str, &'static str)],
    bundles: TempDir,
}

impl Fixture {
    /// Reads a project, to be bundled in this platform's own format.
    pub(super) fn of(sdk: &str) -> Self {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/fixtures").join(sdk);
        let table = |name: &str| fs::read_to_string(directory.join(name)).unwrap().parse().unwrap();
        let (project, mint) = (table("pyproject.toml"), table("mint.toml"));
        Self { directory, project, mint, is_of_mint: false, frontend: &[], bundles: tempfile::tempdir().unwrap() }
    }

    /// The same in MINT's own format, which says neither what the plugin asks for nor where its routes stand.
    pub(super) fn in_format_of_mint(self) -> Self {
        Self { is_of_mint: true, ..self }
    }

    /// The same with a front-end of these files.
    pub(super) fn with_frontend(self, frontend: &'static [(&'static str, &'static str)]) -> Self {
        Self { frontend, ..self }
    }

    /// The same on another SDK.
    pub(super) fn on(mut self, sdk: &str) -> Self {
        self.project["project"]["dependencies"] = vec![sdk].into();
        self
    }

    /// The same under another name.
    pub(super) fn named(mut self, slug: &str) -> Self {
        for table in [&mut self.project["project"], &mut self.mint["plugin"]] {
            let key = if table.get("slug").is_some() { "slug" } else { "name" };
            table[key] = slug.into();
        }
        let points = self.project["project"]["entry-points"]["mint.plugins"].as_table_mut().unwrap();
        let class = points.values().next().unwrap().clone();
        *points = [(slug.to_owned(), class)].into_iter().collect();
        self
    }

    /// Its slug.
    pub(super) fn slug(&self) -> &str {
        self.mint["plugin"]["slug"].as_str().unwrap()
    }

    /// The names of what it asks for.
    pub(super) fn grants(&self) -> Vec<&str> {
        self.mint["capabilities"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect()
    }

    /// Its bundle.
    pub(super) fn bundle(&self) -> Guest {
        let ((name, wheel), plugin) = (self.wheel(), &self.mint["plugin"]);
        if self.is_of_mint {
            let description = json!({
                "format_version": 1,
                "plugin": {
                    "name": plugin["slug"], "version": plugin["version"], "description": plugin["description"], "has_frontend": false,
                },
                "wheels": { "main": name, "dependencies": [] },
            });
            let path = self.bundles.path().join("bundle.mint");
            let bytes = archive([("manifest.json", description.to_string().as_bytes()), (name.as_str(), wheel.as_slice())]);
            fs::write(&path, bytes).unwrap();
            return Guest::at(path);
        }
        let entry = format!("wheels/{name}");
        let description = json!({
            "plugin": plugin,
            "capabilities": self.mint["capabilities"],
            "wheels": { "main": entry, "distribution": self.slug(), "entry_point": self.slug() },
        });
        manifest(description, &[(&entry, &wheel)])
    }

    /// A Python that its SDK runs on, or none, said aloud.
    pub(super) fn python(&self) -> Option<String> {
        find_python(self.project["project"]["requires-python"].as_str().unwrap(), self.slug())
    }

    fn wheel(&self) -> (String, Vec<u8>) {
        let project = &self.project["project"];
        let text = |field: &str| project[field].as_str().unwrap().to_owned();
        let module = text("name").replace('-', "_");
        let info = format!("{module}-{}.dist-info", text("version"));
        let mut files = Vec::new();
        let source = self.directory.join("src");
        let package = fs::read_dir(&source).unwrap().next().unwrap().unwrap().file_name().into_string().unwrap();
        let both = [(source.join(&package), package.clone()), (self.directory.join("../common"), format!("{package}/common"))];
        for (from, to) in both {
            let entries = fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path());
            let modules = entries.filter(|path| path.extension().is_some_and(|extension| extension == "py"));
            for path in modules {
                let name = format!("{to}/{}", path.file_name().unwrap().to_str().unwrap());
                files.push((name, fs::read_to_string(path).unwrap()));
            }
        }
        files.extend(self.frontend.iter().map(|(name, text)| (format!("{package}/frontend/{name}"), (*text).to_owned())));
        let requires: String = project["dependencies"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| format!("Requires-Dist: {}\n", one.as_str().unwrap()))
            .collect();
        let metadata = format!(
            "Metadata-Version: 2.1\nName: {}\nVersion: {}\nSummary: {}\nRequires-Python: {}\n{requires}",
            text("name"),
            text("version"),
            text("description"),
            text("requires-python"),
        );
        let groups = project["entry-points"].as_table().unwrap().iter().map(|(group, points)| {
            let points: String = points
                .as_table()
                .unwrap()
                .iter()
                .map(|(name, value)| format!("{name} = {}\n", value.as_str().unwrap()))
                .collect();
            format!("[{group}]\n{points}")
        });
        files.push((format!("{info}/METADATA"), metadata));
        files.push((format!("{info}/entry_points.txt"), groups.collect()));
        let wheel = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n";
        files.push((format!("{info}/WHEEL"), wheel.to_owned()));
        files.sort();
        let record: String = files.iter().map(|(name, _)| format!("{name},,\n")).collect();
        files.push((format!("{info}/RECORD"), format!("{record}{info}/RECORD,,\n")));
        let bytes = archive(files.iter().map(|(name, text)| (name.as_str(), text.as_bytes())));
        (format!("{module}-{}-py3-none-any.whl", text("version")), bytes)
    }
}

/// A Python that suits, or none, said aloud. `for_whom` begins the words.
#[expect(clippy::disallowed_methods, reason = "asks uv, as the server would")]
pub(crate) fn find_python(wanted: &str, for_whom: &str) -> Option<String> {
    // The Python that is named for the tests is looked at first, where it fits.
    let named = mint_tests::python().and_then(|python| Path::new(&python).parent().map(Path::to_path_buf));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(named.into_iter().chain(std::env::split_paths(&path))).unwrap();
    let find = ["python", "find", "--no-project", "--no-python-downloads", wanted];
    let found = Command::new(uv()).args(find).env("PATH", path).env_remove("UV_PYTHON").output().unwrap();
    if found.status.success() {
        return Some(String::from_utf8(found.stdout).unwrap().trim().to_owned());
    }
    eprintln!(
        "SKIPPED: {for_whom} needs Python {wanted}, and uv finds none. Install one (`uv python install`, or the system's packages) \
         where uv finds it."
    );
    None
}
