//! The Python part of a bundle, and what it wants in an environment.

use std::collections::{BTreeMap, BTreeSet};

use pep440_rs::{Operator, Version, VersionSpecifier, VersionSpecifiers};
use pep508_rs::ExtraName;

use super::{Environment, Lock, PYTHON, Unusable, Want, WheelMetadata};

/// A wheel in a bundle.
#[derive(Clone, Debug, PartialEq)]
pub struct BundledWheel {
    /// Its entry.
    pub entry: String,
    /// Whether it runs on any machine.
    pub is_pure: bool,
    /// What it says of itself.
    pub metadata: WheelMetadata,
}

/// The Python part of a bundle.
#[derive(Clone, Debug, PartialEq)]
pub struct PythonParts {
    /// The plugin's own wheel.
    pub main: BundledWheel,
    /// Further wheels.
    pub dependencies: Vec<BundledWheel>,
    /// Its lock.
    pub lock: Option<Lock>,
}

/// Which versions are chosen already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pins {
    /// Those of the bundled wheels.
    Wheels,
    /// Those of the lock, which a process is installed from; without a lock, those of the bundled wheels.
    Lock,
}

/// What a bundle wants in one environment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reached {
    /// Every wish, Python among them.
    pub wants: Vec<Want>,
    /// Entries of wheels that are needed, by package.
    pub wheels: BTreeMap<String, BTreeSet<String>>,
    /// What cannot be worked with, and whose it is.
    pub unusable: Vec<(String, Unusable)>,
}

impl PythonParts {
    /// Every wheel, the plugin's own first.
    pub fn wheels(&self) -> impl Iterator<Item = &BundledWheel> {
        std::iter::once(&self.main).chain(&self.dependencies)
    }

    /// Follows the requirements from the plugin's own wheel through the bundled ones, with the extras that are asked for.
    /// What stands on an index is not looked into.
    pub fn wants(&self, environment: &Environment, pins: Pins) -> Reached {
        let mut walk = Walk { parts: self, environment, reached: Reached::default(), seen: BTreeSet::new() };
        walk.package(&self.main.metadata.package(), &[]);
        let mut reached = walk.reached;
        match (&self.lock, pins) {
            (Some(lock), Pins::Lock) => lock_wants(lock, environment, &mut reached),
            _ => {
                let needed = self.wheels().filter(|wheel| reached.wheels.contains_key(&wheel.metadata.package()));
                let pin = |wheel: &BundledWheel| exact(&wheel.metadata.package(), &wheel.metadata.version, "the bundle");
                reached.wants.extend(needed.map(pin).collect::<Vec<_>>());
            }
        }
        let mut distinct: Vec<Want> = Vec::new();
        for want in reached.wants {
            if !distinct.contains(&want) {
                distinct.push(want);
            }
        }
        Reached { wants: distinct, ..reached }
    }
}

/// A choice of one version.
pub(crate) fn exact(package: &str, version: &Version, by: &str) -> Want {
    let versions = VersionSpecifier::from_version(Operator::Equal, version.clone()).map(VersionSpecifiers::from);
    Want { package: package.to_owned(), versions: versions.unwrap_or_default(), by: by.to_owned(), pinned: true }
}

fn lock_wants(lock: &Lock, environment: &Environment, reached: &mut Reached) {
    const BY: &str = "the bundle's lock";
    reached.unusable.extend(lock.unusable.iter().map(|wrong| (BY.to_owned(), wrong.clone())));
    for requirement in lock.requirements.iter().filter(|requirement| requirement.holds(environment, &[])) {
        reached.unusable.extend(requirement.refused.iter().map(|wrong| (BY.to_owned(), wrong.clone())));
        reached.wants.push(Want {
            package: requirement.package.clone(),
            versions: requirement.versions.clone(),
            by: BY.to_owned(),
            pinned: true,
        });
    }
}

struct Walk<'a> {
    parts: &'a PythonParts,
    environment: &'a Environment,
    reached: Reached,
    seen: BTreeSet<(String, Vec<ExtraName>)>,
}

impl Walk<'_> {
    /// Breadth first over what the bundle has; a hostile bundle may require in circles.
    fn package(&mut self, package: &str, extras: &[ExtraName]) {
        let mut next = vec![(package.to_owned(), extras.to_vec())];
        while let Some((package, extras)) = next.pop() {
            if !self.seen.insert((package.clone(), extras.clone())) {
                continue;
            }
            let parts = self.parts;
            for wheel in parts.wheels().filter(|wheel| wheel.metadata.package() == package) {
                self.reached.wheels.entry(package.clone()).or_default().insert(wheel.entry.clone());
                self.wheel(&wheel.metadata, &extras, &mut next);
            }
        }
    }

    fn wheel(&mut self, metadata: &WheelMetadata, extras: &[ExtraName], next: &mut Vec<(String, Vec<ExtraName>)>) {
        let by = format!("{} {}", metadata.name, metadata.version);
        let Reached { wants, unusable, .. } = &mut self.reached;
        if !metadata.requires_python.is_empty() {
            let versions = metadata.requires_python.clone();
            wants.push(Want { package: PYTHON.to_owned(), versions, by: by.clone(), pinned: false });
        }
        unusable.extend(metadata.unusable.iter().map(|wrong| (by.clone(), wrong.clone())));
        for requirement in metadata.requires.iter().filter(|requirement| requirement.holds(self.environment, extras)) {
            unusable.extend(requirement.refused.iter().map(|wrong| (by.clone(), wrong.clone())));
            wants.push(Want {
                package: requirement.package.clone(),
                versions: requirement.versions.clone(),
                by: by.clone(),
                pinned: false,
            });
            let mut extras = requirement.extras.clone();
            extras.sort();
            next.push((requirement.package.clone(), extras));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wheel(name: &str, version: &str, requires: &[&str]) -> BundledWheel {
        let requires: String = requires.iter().map(|one| format!("Requires-Dist: {one}\n")).collect();
        let text = format!("Name: {name}\nVersion: {version}\nRequires-Python: >=3.12\n{requires}");
        let entry = format!("wheels/{name}-{version}-py3-none-any.whl");
        BundledWheel { entry, is_pure: true, metadata: WheelMetadata::parse(&text).unwrap() }
    }

    fn shown(parts: &PythonParts, environment: &Environment, pins: Pins) -> Vec<String> {
        let reached = parts.wants(environment, pins);
        let mut wants: Vec<String> =
            reached.wants.iter().map(|want| format!("{}: {} {}", want.by, want.package, want.versions)).collect();
        wants.sort();
        wants.extend(reached.unusable.iter().map(|(by, wrong)| format!("{by}: {wrong}")));
        wants
    }

    #[test]
    fn markers_and_extras_decide_what_is_wanted() {
        let requires = [
            "sdk[server]>=1",
            "wasm-only; sys_platform == 'wasi'",
            "linux-only; sys_platform == 'linux' and platform_machine == 'x86_64'",
            "backport<2; python_version < '3.13'",
            "dev-tool @ https://example.org/x.whl ; extra == 'dev'",
        ];
        let parts = PythonParts {
            main: wheel("peaks", "1.0", &requires),
            dependencies: vec![
                wheel("sdk", "1.2", &["uvicorn>=0.30; extra == 'server'", "mypy; extra == 'dev'", "peaks"]),
                wheel("unused", "3", &["x"]),
            ],
            lock: Some(Lock::parse("peaks==1.0\nsdk==1.1\ncolorama==0.4 ; sys_platform == 'win32'\n")),
        };
        let component = Environment::component(&"3.14".parse().unwrap()).unwrap();
        assert_eq!(
            shown(&parts, &component, Pins::Wheels),
            [
                "peaks 1.0: Python >=3.12",
                "peaks 1.0: sdk >=1",
                "peaks 1.0: wasm-only ",
                "sdk 1.2: Python >=3.12",
                "sdk 1.2: peaks ",
                "sdk 1.2: uvicorn >=0.30",
                "the bundle: peaks ==1.0",
                "the bundle: sdk ==1.2",
            ]
        );
        let linux = Environment::linux(&"3.12.3".parse().unwrap(), "x86_64").unwrap();
        assert_eq!(
            shown(&parts, &linux, Pins::Lock),
            [
                "peaks 1.0: Python >=3.12",
                "peaks 1.0: backport <2",
                "peaks 1.0: linux-only ",
                "peaks 1.0: sdk >=1",
                "sdk 1.2: Python >=3.12",
                "sdk 1.2: peaks ",
                "sdk 1.2: uvicorn >=0.30",
                "the bundle's lock: peaks ==1.0",
                "the bundle's lock: sdk ==1.1",
            ]
        );
    }

    #[test]
    fn a_url_counts_only_where_its_marker_holds() {
        let parts = PythonParts {
            main: wheel("peaks", "1.0", &["x @ https://example.org/x.whl ; sys_platform == 'wasi'"]),
            dependencies: Vec::new(),
            lock: None,
        };
        let (component, linux) = (
            Environment::component(&"3.14".parse().unwrap()).unwrap(),
            Environment::linux(&"3.14".parse().unwrap(), "x86_64").unwrap(),
        );
        assert_eq!(parts.wants(&component, Pins::Wheels).unusable.len(), 1);
        assert_eq!(parts.wants(&linux, Pins::Lock).unusable.len(), 0);
    }
}
