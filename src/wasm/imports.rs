//! What a component imports, read before anything is compiled, and who would serve it.

use mint_domain::{Capability, Grants, lifecycle::Failure};
use wasmparser::{ComponentExternName, Encoding, Parser, Payload};

/// Interfaces of `mint:platform@1.0.0` that this host serves.
pub(crate) const PLATFORM_INTERFACES: &[&str] = &[
    "types",
    "identity",
    "projects",
    "experiments",
    "designs",
    "results",
    "objects",
    "database",
    "migration-ops",
    "jobs",
    "settings",
];
const PLATFORM_VERSION: &str = "1.0.0";

/// WASI packages that this host serves, with the versions: all of a series, or exactly one draft.
const WASI_PACKAGES: &[(&str, Served)] = &[
    ("wasi:cli", Served::Series("0.2.")),
    ("wasi:clocks", Served::Series("0.2.")),
    ("wasi:config", Served::Exactly("0.2.0-rc.1")),
    ("wasi:filesystem", Served::Series("0.2.")),
    ("wasi:http", Served::Series("0.2.")),
    ("wasi:io", Served::Series("0.2.")),
    ("wasi:logging", Served::Exactly("0.1.0-draft")),
    ("wasi:random", Served::Series("0.2.")),
    ("wasi:sockets", Served::Series("0.2.")),
];

/// Capabilities that unlock an interface, in the order in which they are suggested.
const UNLOCKING: &[Capability] = &[
    Capability::ProjectsRead,
    Capability::ExperimentsRead,
    Capability::DesignsWrite,
    Capability::ResultsWrite,
    Capability::Objects,
    Capability::Database,
    Capability::Jobs,
];

#[derive(Clone, Copy)]
enum Served {
    Series(&'static str),
    Exactly(&'static str),
}

impl Served {
    fn includes(self, version: &str) -> bool {
        match self {
            Self::Series(prefix) => {
                version.strip_prefix(prefix).is_some_and(|patch| !patch.is_empty() && patch.bytes().all(|b| b.is_ascii_digit()))
            }
            Self::Exactly(only) => version == only,
        }
    }

    fn describe(self) -> String {
        match self {
            Self::Series(prefix) => format!("{prefix}x"),
            Self::Exactly(only) => only.to_owned(),
        }
    }
}

/// The names that the component in `bytes` imports.
///
/// # Errors
/// A [`Failure`] when the bytes are a core module, or not WebAssembly.
pub(crate) fn read(bytes: &[u8]) -> Result<Vec<String>, Failure> {
    let broken = |detail: String| {
        Failure::new("stage", format!("The component cannot be read: {detail}."), "Build it again with `mint build`.")
    };
    if !bytes.starts_with(b"\0asm") {
        return Err(broken("the file is not WebAssembly".to_owned()));
    }
    let mut names = Vec::new();
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(|error| broken(error.message().to_owned()))? {
            Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => {
                return Err(Failure::new(
                    "stage",
                    "The file is a core WebAssembly module, not a component.",
                    "Build for `wasm32-wasip2`, or make a component of it with `wasm-tools component new`.",
                ));
            }
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(imports) if depth == 1 => {
                for import in imports {
                    let ComponentExternName { name, .. } = import.map_err(|error| broken(error.message().to_owned()))?.name;
                    names.push(name.to_owned());
                }
            }
            _ => {}
        }
    }
    if depth == 0 { Ok(names) } else { Err(broken("it ends too early".to_owned())) }
}

/// Passes if every import is served, and every interface of the platform among them is granted.
///
/// # Errors
/// A [`Failure`] that names the import, and what would serve it.
pub(crate) fn check<'a>(imports: impl IntoIterator<Item = &'a str>, grants: &Grants) -> Result<(), Failure> {
    for import in imports {
        check_one(import, grants)?;
    }
    Ok(())
}

fn check_one(import: &str, grants: &Grants) -> Result<(), Failure> {
    let refused = |reason: String, hint: &str| Err(Failure::new("stage", reason, hint));
    let (path, version) = import.split_once('@').unwrap_or((import, ""));
    let Some((package, interface)) = path.split_once('/') else {
        return refused(
            format!("The component imports `{import}`, which no host can serve: it names no package."),
            "Import interfaces of WASI 0.2 or of `mint:platform` only.",
        );
    };
    if package == "mint:platform" {
        return check_platform(import, interface, version, grants);
    }
    if package == "mint:plugin" && interface == "exchange" && version == PLATFORM_VERSION {
        // A component's own request.
        return Ok(());
    }
    match WASI_PACKAGES.iter().find(|(name, _)| *name == package) {
        Some((_, served)) if served.includes(version) => Ok(()),
        Some((_, served)) => refused(
            format!("The component imports `{import}`, but this platform serves `{package}` at {}.", served.describe()),
            "Build the component for that version, or update the platform.",
        ),
        None => refused(
            format!("The component imports `{import}`, which this platform does not serve."),
            "Use interfaces of WASI 0.2 or of `mint:platform` instead; what else it needs can run in isolated mode.",
        ),
    }
}

fn check_platform(import: &str, interface: &str, version: &str, grants: &Grants) -> Result<(), Failure> {
    if version != PLATFORM_VERSION || !PLATFORM_INTERFACES.contains(&interface) {
        return Err(Failure::new(
            "stage",
            format!("The component imports `{import}`, but this platform serves `mint:platform@{PLATFORM_VERSION}`."),
            "Update the platform, or build the component against the WIT of this version.",
        ));
    }
    if grants.unlock(interface) {
        return Ok(());
    }
    let names: Vec<_> = UNLOCKING
        .iter()
        .filter(|capability| capability.interfaces().contains(&interface))
        .map(|capability| format!("`{capability}`"))
        .collect();
    Err(Failure::new(
        "stage",
        format!("The component imports `{import}`, and nothing that was granted allows it."),
        format!("Grant {} to the installation, or install a release that does not import it.", names.join(" or ")),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants(names: &[&str]) -> Grants {
        Grants::new(names.iter().map(|name| name.parse().unwrap()))
    }

    fn refusal(import: &str, granted: &[&str]) -> String {
        check([import], &grants(granted)).unwrap_err().to_string()
    }

    #[test]
    fn imports_are_read_from_the_outermost_component_only() {
        let component = wat::parse_str(
            r#"(component
                (import "wasi:io/poll@0.2.12" (instance))
                (component (import "inner" (func)))
                (import "mint:platform/objects@1.0.0" (instance)))"#,
        )
        .unwrap();
        assert_eq!(read(&component).unwrap(), ["wasi:io/poll@0.2.12", "mint:platform/objects@1.0.0"]);
        let module = read(&wat::parse_str("(module)").unwrap()).unwrap_err();
        assert!(module.reason.contains("core WebAssembly module"), "{module}");
        assert!(read(b"GIF89a").is_err() && read(&[]).is_err());
        assert!(read(component.get(..component.len() - 3).unwrap()).is_err());
    }

    #[test]
    fn wasi_is_served_by_version() {
        for good in [
            "wasi:io/streams@0.2.0",
            "wasi:sockets/tcp@0.2.12",
            "wasi:config/store@0.2.0-rc.1",
            "wasi:logging/logging@0.1.0-draft",
        ] {
            check([good], &grants(&[])).unwrap();
        }
        for bad in [
            "wasi:http/types@0.3.0",
            "wasi:io/streams@0.2.0-rc",
            "wasi:io/streams",
            "wasi:config/store@0.2.0",
            "wasi:io/poll@0.2.",
        ] {
            assert!(refusal(bad, &[]).contains(bad), "{bad}");
        }
    }

    #[test]
    fn anything_else_is_refused_by_name() {
        for bad in ["wasi:keyvalue/store@0.2.0", "acme:thing/x@1.0.0", "env", "a:b/c"] {
            assert!(refusal(bad, &[]).contains(bad), "{bad}");
        }
        assert!(refusal("mint:platform/calendar@1.0.0", &[]).contains("mint:platform@1.0.0"));
        assert!(refusal("mint:platform/results@1.1.0", &["results:write"]).contains("Update the platform"));
    }

    #[test]
    fn an_interface_of_the_platform_needs_a_grant() {
        check(["mint:platform/types@1.0.0", "mint:platform/identity@1.0.0", "mint:plugin/exchange@1.0.0"], &grants(&[])).unwrap();
        check(["mint:platform/experiments@1.0.0"], &grants(&["experiments:write"])).unwrap();
        assert!(refusal("mint:platform/experiments@1.0.0", &["objects"]).contains("Grant `experiments:read`"));
        assert!(refusal("mint:platform/designs@1.0.0", &[]).contains("`experiments:read` or `designs:write`"));
    }
}
