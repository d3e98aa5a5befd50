//! Compares what a bundle wants with itself, with the platform and with installed plugins.

use std::collections::{BTreeMap, BTreeSet};

use pep440_rs::Version;

use super::{Findings, NotCarried, PlatformPython, Question};
use crate::{
    Mode,
    requirement::{Clash, Environment, PYTHON, Pins, PythonParts, Reached, VersionSet, Want, exact, find_clash},
};

/// A component's own Python, its packages and the configured Python, where they take part in a clash.
const BY_COMPONENTS: &str = "a Python component of the platform";
const BY_CONFIGURATION: &str = "the configuration (plugins.uv.python)";
const BY_PLATFORM: &str = "the platform";
/// Minor versions of Python 3 that a process may get where none is configured, and the same as a wish.
const PROCESS_MINORS: std::ops::RangeInclusive<u64> = 9..=20;
const PROCESS_PYTHONS: &str = ">=3.9,<3.21";
/// Their patches: marker values differ at most between the first and the last.
const PROCESS_PATCHES: [u64; 2] = [0, 99];

/// Compares.
pub(super) fn look(python: &PythonParts, question: &Question<'_>) -> Findings {
    let platform = question.platform;
    let processes = in_each_process(python, platform);
    let none_runs = processes.iter().all(|process| !process.runs);
    let relevant: Vec<&Reached> =
        processes.iter().filter(|process| process.runs || none_runs).map(|process| &process.reached).collect();
    let mut findings = Findings::default();
    for want in relevant.iter().flat_map(|reached| &reached.wants).filter(|want| !want.pinned) {
        if !findings.wants.contains(want) {
            findings.wants.push(want.clone());
        }
    }
    findings.wants.sort_by(|a, b| (&a.package, &a.by).cmp(&(&b.package, &b.by)));
    let mut clashes = in_processes(&relevant);
    clashes.extend(no_python(platform, &findings.wants).filter(|_| none_runs));
    let (in_component, not_carried) = in_component(python, platform);
    for clash in in_component {
        match clashes.iter_mut().find(|known| known.package == clash.package && known.wants == clash.wants) {
            Some(known) => known.rules_out.extend(clash.rules_out),
            None => clashes.push(clash),
        }
    }
    clashes.extend(with_installed(&findings.wants, question));
    clashes.sort_by(|a, b| a.package.cmp(&b.package));
    findings.not_carried = not_carried;
    findings.clashes = clashes;
    findings
}

/// What is wanted in one environment, and whether the bundle runs on its Python.
struct Process {
    reached: Reached,
    runs: bool,
}

/// What is wanted in each environment in which a process may find itself.
fn in_each_process(python: &PythonParts, platform: &PlatformPython) -> Vec<Process> {
    let minor = |release: [u64; 2]| PROCESS_PATCHES.map(|patch| (release, patch));
    let configured = platform.process_python();
    let versions: Vec<([u64; 2], u64)> = match configured.map(Version::release) {
        Some([major, minor, patch, ..]) => vec![([*major, *minor], *patch)],
        Some([major, number]) => minor([*major, *number]).to_vec(),
        Some([] | [_]) | None => PROCESS_MINORS.flat_map(|number| minor([3, number])).collect(),
    };
    let exact = configured.is_some_and(|version| version.release().len() > 2);
    let process = |([major, minor], patch): ([u64; 2], u64)| {
        let version = Version::new([major, minor, patch]);
        let allowed = if exact { format!("=={version}") } else { format!("=={major}.{minor}.*") };
        let allowed = VersionSet::of(&allowed.parse().ok()?);
        let reached = python.wants(&Environment::linux(&version, &platform.machine)?, Pins::Lock);
        let pythons = reached.wants.iter().filter(|want| want.package == PYTHON);
        let runs = !pythons.fold(allowed, |set, want| set.intersection(&want.set())).is_empty();
        Some(Process { runs, reached })
    };
    versions.into_iter().filter_map(process).collect()
}

fn by_package<'a>(wants: impl IntoIterator<Item = &'a Want>) -> BTreeMap<&'a str, Vec<&'a Want>> {
    let mut packages: BTreeMap<&str, Vec<&Want>> = BTreeMap::new();
    for want in wants {
        packages.entry(&want.package).or_default().push(want);
    }
    packages
}

/// What no venv can hold: a clash counts when it is there on every Python that the process may get.
fn in_processes(processes: &[&Reached]) -> Vec<Clash> {
    let mut everywhere: Option<BTreeMap<String, Clash>> = None;
    for reached in processes {
        let packages = by_package(reached.wants.iter().filter(|want| want.package != PYTHON));
        let here = packages.iter().filter_map(|(package, wants)| find_clash(package, wants, &[Mode::Isolated]));
        let here: BTreeMap<String, Clash> = here.map(|clash| (clash.package.clone(), clash)).collect();
        everywhere = Some(match everywhere {
            None => here,
            Some(before) => before.into_iter().filter(|(package, _)| here.contains_key(package)).collect(),
        });
    }
    everywhere.unwrap_or_default().into_values().collect()
}

/// The clash over Python, where no process can have one that suits.
fn no_python(platform: &PlatformPython, wants: &[Want]) -> impl Iterator<Item = Clash> {
    let ours = platform.process_python().map_or_else(any_python, configured);
    let all: Vec<&Want> = wants.iter().filter(|want| want.package == PYTHON).chain(&ours).collect();
    find_clash(PYTHON, &all, &[Mode::Isolated]).into_iter()
}

fn any_python() -> Option<Want> {
    let versions = PROCESS_PYTHONS.parse().ok()?;
    Some(Want { package: PYTHON.to_owned(), versions, by: BY_PLATFORM.to_owned(), pinned: true })
}

/// The configured Python as a wish: `3.13` is any 3.13.
fn configured(version: &Version) -> Option<Want> {
    let star = if version.release().len() > 2 { "" } else { ".*" };
    let versions = format!("=={version}{star}").parse().ok()?;
    Some(Want { package: PYTHON.to_owned(), versions, by: BY_CONFIGURATION.to_owned(), pinned: true })
}

/// What keeps the wheels out of a component: clashes with what it carries, and what it does not carry.
fn in_component(python: &PythonParts, platform: &PlatformPython) -> (Vec<Clash>, Vec<NotCarried>) {
    const RULES_OUT: &[Mode] = &[Mode::Shared];
    let Some(environment) = Environment::component(&platform.component) else { return (Vec::new(), Vec::new()) };
    let reached = python.wants(&environment, Pins::Wheels);
    let (mut clashes, mut missing) = (Vec::new(), BTreeSet::new());
    for (package, wants) in by_package(&reached.wants) {
        let carried = match package {
            PYTHON => Some(environment.python()),
            _ => platform.packages.get(package),
        };
        let carried = carried.map(|version| exact(package, version, BY_COMPONENTS));
        // A bundle that contradicts itself does so without the platform.
        let own = find_clash(package, &wants, RULES_OUT);
        let all: Vec<&Want> = wants.into_iter().chain(&carried).collect();
        clashes.extend(own.or_else(|| find_clash(package, &all, RULES_OUT)));
        if carried.is_none() && !reached.wheels.contains_key(package) {
            let why = format!("{package} is neither in the bundle nor in what the platform's Python components carry.");
            missing.insert(NotCarried { package: package.to_owned(), why });
        }
    }
    for wheel in python.wheels().filter(|wheel| !wheel.is_pure) {
        let package = wheel.metadata.package();
        if reached.wheels.contains_key(&package) {
            missing.insert(NotCarried { why: format!("{} is native code.", wheel.entry), package });
        }
    }
    let unusable = reached
        .unusable
        .iter()
        .map(|(by, wrong)| NotCarried { package: format!("a requirement of {by}"), why: format!("{wrong}.") });
    missing.extend(unusable);
    (clashes, missing.into_iter().collect())
}

/// Where the bundle and an installed plugin could not share one environment. Each has its own copy, so nothing is ruled out.
fn with_installed(wants: &[Want], question: &Question<'_>) -> Vec<Clash> {
    let own = by_package(wants.iter().filter(|want| want.package != PYTHON));
    let mut clashes = Vec::new();
    for plugin in question.installed.iter().filter(|plugin| plugin.slug != question.manifest.plugin.slug.as_str()) {
        for (package, theirs) in by_package(&plugin.wants) {
            let Some(ours) = own.get(package) else { continue };
            let is_clear = |wants: &[&Want]| find_clash(package, wants, &[]).is_none();
            if is_clear(ours) && is_clear(&theirs) {
                let all: Vec<&Want> = ours.iter().copied().chain(theirs).collect();
                clashes.extend(find_clash(package, &all, &[]));
            }
        }
    }
    clashes
}

/// The requirement that is refused wherever the bundle runs. A component has everything inside already.
pub(super) fn refused_requirement(python: &PythonParts, question: &Question<'_>) -> Option<String> {
    let forced = question.configured.or(question.decided);
    if question.manifest.component.is_some() && forced != Some(Mode::Isolated) {
        return None;
    }
    let everywhere = in_each_process(python, question.platform).into_iter().filter(|process| process.runs);
    let (by, wrong) = everywhere.flat_map(|process| process.reached.unusable).find(|(_, wrong)| wrong.is_refused())?;
    Some(format!("A requirement of {by} is refused: {wrong}."))
}
