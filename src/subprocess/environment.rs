//! The whole environment of a plugin process: nothing of the platform's own is passed on.

use std::{collections::BTreeMap, path::Path};

use mint_domain::Slug;

use crate::{launch::Launch, leftovers::SOCKET_VARIABLE, registry::Token};

/// The version of the interface under `/api/internal`.
pub(crate) const API_VERSION: &str = "1";

/// What the environment is made of.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    /// Where the plugin finds the platform.
    pub(crate) platform_url: &'a str,
    /// The secret of this start; none for what is no start yet.
    pub(crate) token: Option<&'a str>,
    /// The plugin.
    pub(crate) slug: &'a Slug,
    /// Where it listens.
    pub(crate) socket: &'a Path,
    /// Where the platform listens for it alone.
    pub(crate) platform_socket: &'a Path,
    /// Its own directory.
    pub(crate) home: &'a Path,
    /// For its temporary files.
    pub(crate) temporary: &'a Path,
    /// `PATH`.
    pub(crate) search_path: &'a str,
    /// What is started.
    pub(crate) launch: &'a Launch,
    /// Where it finds its tables, and how many bytes they may take.
    pub(crate) tables: Option<(&'a str, u64)>,
    /// By which it finds its way to granted hosts.
    pub(crate) way_out: Vec<(&'static str, String)>,
}

/// Makes the environment.
pub(crate) fn environment(facts: &Facts<'_>) -> BTreeMap<String, String> {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let mut environment: BTreeMap<String, String> = [
        ("HOME", text(facts.home)),
        ("LANG", "C.UTF-8".to_owned()),
        ("MINT_PLATFORM_API_VERSION", API_VERSION.to_owned()),
        ("MINT_PLATFORM_SOCKET", text(facts.platform_socket)),
        ("MINT_PLATFORM_URL", facts.platform_url.to_owned()),
        ("MINT_PLUGIN_NAME", facts.launch.name().unwrap_or(facts.slug.as_str()).to_owned()),
        (SOCKET_VARIABLE, text(facts.socket)),
        ("PATH", facts.search_path.to_owned()),
        ("TMPDIR", text(facts.temporary)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    if let Some(token) = facts.token {
        environment.insert("MINT_PLUGIN_TOKEN".to_owned(), token.to_owned());
    }
    if let Some((url, bytes_max)) = facts.tables {
        environment.insert("MINT_PLUGIN_DATABASE_URL".to_owned(), url.to_owned());
        environment.insert("MINT_PLUGIN_DATABASE_BYTES_MAX".to_owned(), bytes_max.to_string());
    }
    environment.extend(facts.way_out.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    if let Launch::Python(python) = facts.launch {
        environment.extend(
            [
                ("MINT_PLUGIN_DISTRIBUTION", python.distribution.as_str()),
                ("MINT_PLUGIN_ENTRY_POINT", python.entry_point.as_str()),
                ("PYTHONDONTWRITEBYTECODE", "1"),
                ("PYTHONNOUSERSITE", "1"),
                ("PYTHONUNBUFFERED", "1"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
    }
    if facts.launch.is_mld() {
        add_old_names(&mut environment);
    }
    environment
}

/// What a developer's server needs of it: the rest is the developer's own.
pub(crate) fn of_attached(platform_url: &str, token: &Token, name: &str) -> BTreeMap<String, String> {
    let mut environment: BTreeMap<String, String> = [
        ("MINT_PLATFORM_API_VERSION", API_VERSION),
        ("MINT_PLATFORM_URL", platform_url),
        ("MINT_PLUGIN_NAME", name),
        ("MINT_PLUGIN_TOKEN", token.as_str()),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    add_old_names(&mut environment);
    environment
}

/// The names that SDKs from before MINT's first release read.
fn add_old_names(environment: &mut BTreeMap<String, String>) {
    for name in ["PLATFORM_URL", "PLUGIN_NAME", "PLUGIN_TOKEN"] {
        if let Some(value) = environment.get(&format!("MINT_{name}")).cloned() {
            environment.insert(format!("MLD_{name}"), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::{description::Description, launch::PythonLaunch, sdk::Sdk};

    fn python(sdk: Sdk, description: Option<Description>) -> Launch {
        Launch::Python(PythonLaunch {
            interpreter: PathBuf::from("/v/bin/python"),
            distribution: "Dose_Response".to_owned(),
            entry_point: "dose-response".to_owned(),
            sdk,
            description,
        })
    }

    fn made(launch: &Launch) -> String {
        let slug = "dose-response".parse().unwrap();
        let facts = Facts {
            platform_url: "http://127.0.0.1:8001",
            token: Some("t0ken"),
            slug: &slug,
            socket: Path::new("/run/mint/x/s"),
            platform_socket: Path::new("/run/mint/x/p"),
            home: Path::new("/data/p"),
            temporary: Path::new("/data/p/cache/tmp"),
            search_path: "/usr/bin:/bin",
            launch,
            tables: None,
            way_out: Vec::new(),
        };
        environment(&facts).iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("\n")
    }

    const COMMON: &str = "HOME=/data/p
LANG=C.UTF-8
MINT_PLATFORM_API_VERSION=1
MINT_PLATFORM_SOCKET=/run/mint/x/p
MINT_PLATFORM_URL=http://127.0.0.1:8001
MINT_PLUGIN_NAME=dose-response
MINT_PLUGIN_SOCKET=/run/mint/x/s
MINT_PLUGIN_TOKEN=t0ken
PATH=/usr/bin:/bin
TMPDIR=/data/p/cache/tmp";

    #[test]
    fn an_executable_gets_the_common_part() {
        assert_eq!(made(&Launch::Executable { file: PathBuf::from("/x"), args: vec![] }), COMMON);
    }

    #[test]
    fn python_also_learns_its_entry_point() {
        let mut lines: Vec<&str> = COMMON.lines().collect();
        lines.extend([
            "MINT_PLUGIN_DISTRIBUTION=Dose_Response",
            "MINT_PLUGIN_ENTRY_POINT=dose-response",
            "PYTHONDONTWRITEBYTECODE=1",
            "PYTHONNOUSERSITE=1",
            "PYTHONUNBUFFERED=1",
        ]);
        lines.sort_unstable();
        assert_eq!(made(&python(Sdk::default(), None)).lines().collect::<Vec<_>>(), lines);
    }

    #[test]
    fn the_oldest_sdk_reads_names_of_its_own() {
        let description = Description { name: "Dose response".to_owned(), public_prefix: "/api/drc".to_owned(), frontend: None };
        let made = made(&python(Sdk { is_mld: true, ..Sdk::default() }, Some(description)));
        for line in [
            "MINT_PLUGIN_NAME=Dose response",
            "MLD_PLUGIN_NAME=Dose response",
            "MLD_PLATFORM_URL=http://127.0.0.1:8001",
            "MLD_PLUGIN_TOKEN=t0ken",
        ] {
            assert!(made.lines().any(|made| made == line), "{line} is not in\n{made}");
        }
    }
}
