//! The decision on tables, and what holds for every bundle.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    Digest, Manifest, Mode, Refusal,
    requirement::{BundledWheel, Lock, PythonParts, Want, WheelMetadata, is_pure},
};

fn manifest(component: bool, wheels: bool, process: bool) -> Manifest {
    let digest = Digest::of(b"").to_string();
    let mut value = json!({"format_version": 2, "plugin": {"slug": "peaks", "version": "1"}, "files": {"c": digest, "w": digest, "p": digest}});
    if component {
        value["component"] = json!("c");
    }
    if wheels {
        value["wheels"] = json!({"main": "w", "distribution": "peaks", "entry_point": "peaks"});
    }
    if process {
        value["process"] = json!({"executable": "p"});
    }
    Manifest::parse(value.to_string().as_bytes()).unwrap()
}

/// `name-version` or `name-version-cp313-…`, and its requirements; `python…` is what it asks of Python.
fn wheel(file: &str, requires: &[&str]) -> BundledWheel {
    let mut parts = file.split('-');
    let (name, version) = (parts.next().unwrap(), parts.next().unwrap());
    let is_python = |one: &&&str| one.starts_with("python");
    let python: String =
        requires.iter().filter(is_python).map(|one| format!("Requires-Python: {}\n", one.trim_start_matches("python"))).collect();
    let others: String = requires.iter().filter(|one| !is_python(one)).map(|one| format!("Requires-Dist: {one}\n")).collect();
    let entry = if parts.next().is_some() { format!("{file}.whl") } else { format!("{file}-py3-none-any.whl") };
    let metadata = WheelMetadata::parse(&format!("Name: {name}\nVersion: {version}\n{python}{others}")).unwrap();
    BundledWheel { is_pure: is_pure(&entry), entry, metadata }
}

fn parts(requires: &[&str], dependencies: &[(&str, &[&str])], lock: Option<&str>) -> PythonParts {
    PythonParts {
        main: wheel("peaks-1", requires),
        dependencies: dependencies.iter().map(|(file, requires)| wheel(file, requires)).collect(),
        lock: lock.map(Lock::parse),
    }
}

fn platform() -> PlatformPython {
    PlatformPython {
        component: "3.14".parse().unwrap(),
        packages: [("mint-guest-sdk", "1.0.0"), ("tomlkit", "2.0rc1")]
            .map(|(name, version)| (name.to_owned(), version.parse().unwrap()))
            .into(),
        process: None,
        machine: "x86_64".to_owned(),
        tables_in_files: true,
    }
}

const NOT_MADE: Option<&str> = Some("None can be made of them: the index is closed.");

#[derive(Default)]
struct Case {
    component: bool,
    process: bool,
    of_mint: bool,
    python: Option<PythonParts>,
    not_made: Option<&'static str>,
    configured: Option<Mode>,
    decided: Option<Mode>,
    installed: Vec<Installed>,
    python_of_processes: Option<&'static str>,
}

impl Case {
    fn decide(&self) -> Result<Plan, Box<Refused>> {
        let mut manifest = manifest(self.component, self.python.is_some(), self.process);
        if self.of_mint {
            manifest.format_version = 1;
        }
        let platform = PlatformPython { process: self.python_of_processes.map(|text| text.parse().unwrap()), ..platform() };
        decide(&Question {
            manifest: &manifest,
            python: self.python.as_ref(),
            platform: &platform,
            not_made: self.not_made,
            installed: &self.installed,
            configured: self.configured,
            decided: self.decided,
        })
    }

    fn of(requires: &[&str]) -> Self {
        Self { python: Some(parts(requires, &[], None)), ..Self::default() }
    }

    /// The whole decision, for people.
    fn shown(&self) -> String {
        let (mode, reason, findings) = match self.decide() {
            Ok(plan) => (plan.mode.to_string(), plan.reason, plan.findings),
            Err(refused) => ("refused".to_owned(), refused.reason, refused.findings),
        };
        let mut text = format!("{mode}: {reason}");
        findings.not_carried.iter().for_each(|missing| text.push_str(&format!("\n  not carried: {}", missing.why)));
        for clash in &findings.clashes {
            let ruled_out: Vec<String> = clash.rules_out.iter().map(ToString::to_string).collect();
            text.push_str(&format!("\n  clash: {} [{}]", clash.in_words(), ruled_out.join(", ")));
        }
        text
    }
}

#[test]
fn the_table_of_modes() {
    let (shared, isolated) = (Some(Mode::Shared), Some(Mode::Isolated));
    for (component, wheels, process, forced, expected) in [
        (true, false, false, None, shared),
        (true, true, false, None, shared),
        (true, false, true, None, shared),
        (false, true, false, None, isolated),
        (false, false, true, None, isolated),
        (true, true, false, isolated, isolated),
        (true, false, true, isolated, isolated),
        (true, true, false, shared, shared),
        (false, true, false, shared, None),
        (false, false, true, shared, None),
        (true, false, false, isolated, None),
    ] {
        for by_configuration in [false, true] {
            let python = wheels.then(|| parts(&["numpy"], &[], None));
            let (configured, decided) = if by_configuration { (forced, None) } else { (None, forced) };
            let case = Case { component, process, python, configured, decided, ..Case::default() };
            assert_eq!(case.decide().ok().map(|plan| plan.mode), expected, "{component} {wheels} {process} {forced:?}");
        }
    }
}

fn plugin(slug: &str, wants: &[&str]) -> Installed {
    let found = Case { python: Some(parts(wants, &[], None)), ..Case::default() }.decide().unwrap().findings;
    let wants = found.wants.into_iter().map(|want| Want { by: format!("{slug} 1"), ..want }).collect();
    Installed { slug: slug.to_owned(), wants }
}

fn fits() -> Vec<(&'static str, Case)> {
    vec![
        ("fits a component", Case::of(&["mint-guest-sdk>=1,<2", "python>=3.12"])),
        ("fits, but nobody builds", Case { not_made: NOT_MADE, ..Case::of(&["mint-guest-sdk"]) }),
        (
            "its own pure wheels fit too",
            Case { python: Some(parts(&["helper"], &[("helper-1", &["mint-guest-sdk"])], None)), ..Case::of(&[]) },
        ),
        (
            "a native wheel",
            Case {
                python: Some(parts(&["numpy"], &[("numpy-2-cp313-cp313-manylinux_2_28_x86_64", &[])], None)),
                ..Case::of(&[])
            },
        ),
        ("it did not fit and nobody builds", Case { not_made: NOT_MADE, ..Case::of(&["numpy"]) }),
        ("MINT's own format", Case { of_mint: true, ..Case::of(&["mint-guest-sdk"]) }),
        ("not carried", Case::of(&["numpy>=2", "scipy"])),
        ("a marker of another system", Case::of(&["pywin32; sys_platform == 'win32'"])),
        ("a pre-release that is there counts", Case::of(&["tomlkit>=1"])),
        ("but not for what excludes it", Case::of(&["tomlkit<2"])),
        ("another SDK than is carried", Case::of(&["mint-guest-sdk>=2"])),
        (
            "another SDK in the bundle",
            Case { python: Some(parts(&["mint-guest-sdk"], &[("mint_guest_sdk-0.9", &[])], None)), ..Case::of(&[]) },
        ),
        ("another Python", Case::of(&["python<3.14"])),
        (
            "extras",
            Case {
                python: Some(parts(
                    &["helper[fast]"],
                    &[("helper-1", &["numba; extra == 'fast'", "mypy; extra == 'dev'"])],
                    None,
                )),
                ..Case::of(&[])
            },
        ),
    ]
}

fn clashes() -> Vec<(&'static str, Case)> {
    vec![
        (
            "the bundle contradicts itself",
            Case { python: Some(parts(&["helper>=99"], &[("helper-1", &[])], None)), ..Case::of(&[]) },
        ),
        (
            "the lock contradicts the wheel",
            Case { python: Some(parts(&["numpy<2"], &[], Some("numpy==2.5.5 --hash=sha256:00\n"))), ..Case::of(&[]) },
        ),
        ("on some Pythons only", Case::of(&["numpy>=2; python_version >= '3.12'", "numpy<2"])),
        ("on every Python that it runs on", Case::of(&["numpy>=2; python_version >= '3.12'", "numpy<2", "python>=3.12"])),
        (
            "on the Python of the configuration",
            Case { python_of_processes: Some("3.13"), ..Case::of(&["numpy>=2; python_version >= '3.12'", "numpy<2"]) },
        ),
        ("no Python", Case { python: Some(parts(&["old", "python>=3.12"], &[("old-1", &["python<3"])], None)), ..Case::of(&[]) }),
        (
            "no Python that the configuration allows",
            Case { python_of_processes: Some("3.12"), ..Case::of(&["python>=3.13", "numpy"]) },
        ),
    ]
}

fn refused_and_beside_others() -> Vec<(&'static str, Case)> {
    vec![
        ("a URL", Case::of(&["helper @ git+https://example.org/helper"])),
        ("a URL inside a component", Case { component: true, ..Case::of(&["helper @ git+https://example.org/helper"]) }),
        ("an editable", Case { python: Some(parts(&[], &[], Some("-e .\n"))), ..Case::of(&[]) }),
        ("an option", Case { python: Some(parts(&[], &[], Some("--no-binary :all:\n"))), ..Case::of(&[]) }),
        ("unreadable, which uv may know", Case::of(&["old >= 2.*"])),
        (
            "beside a plugin that wants another",
            Case { installed: vec![plugin("spectra", &["numpy<2"]), plugin("plates", &["numpy"])], ..Case::of(&["numpy>=2"]) },
        ),
        ("beside its own earlier release", Case { installed: vec![plugin("peaks", &["numpy<2"])], ..Case::of(&["numpy>=2"]) }),
    ]
}

fn forced() -> Vec<(&'static str, Case)> {
    let forced = |configured, decided, case: Case| Case { configured, decided, ..case };
    vec![
        ("forced, native", forced(Some(Mode::Shared), None, Case { process: true, ..Case::default() })),
        ("forced, not carried", forced(None, Some(Mode::Shared), Case::of(&["numpy"]))),
        ("forced, nobody builds", forced(None, Some(Mode::Shared), Case { not_made: NOT_MADE, ..Case::of(&[]) })),
        ("forced, nothing to isolate", forced(Some(Mode::Isolated), None, Case { component: true, ..Case::default() })),
        ("forced, clash", forced(Some(Mode::Isolated), None, Case { component: true, ..Case::of(&["helper<1", "helper>1"]) })),
        ("forced by the configuration", forced(Some(Mode::Isolated), None, Case { component: true, ..Case::of(&[]) })),
        ("forced both ways", forced(Some(Mode::Isolated), Some(Mode::Shared), Case { component: true, ..Case::of(&[]) })),
    ]
}

#[test]
fn every_case_in_words() {
    let cases = [fits(), clashes(), refused_and_beside_others(), forced()].into_iter().flatten();
    let shown: Vec<String> = cases.map(|(name, case)| format!("# {name}\n{}", case.shown())).collect();
    insta::assert_snapshot!(shown.join("\n\n"));
}

#[test]
fn a_refusal_carries_what_was_found() {
    let refused =
        Case { python: Some(parts(&["helper>=99"], &[("helper-1", &[])], None)), ..Case::of(&[]) }.decide().unwrap_err();
    let refusal = Refusal::from(*refused);
    assert_eq!(refusal.details["plan"]["clashes"][0]["package"], "helper");
    assert_eq!(refusal.details["plan"]["clashes"][0]["rules_out"], json!(["isolated", "shared"]));
}

#[test]
fn what_a_session_takes_is_told_beforehand() {
    for (requires, lock, of_mint, expected) in [
        (&["mint-sdk==1.2.10"][..], None, true, &["sqlalchemy", "greenlet", "aiosqlite"][..]),
        (&["mld-sdk", "SQLAlchemy>=2", "aiosqlite"], None, true, &["greenlet"]),
        (&["mint-sdk"], Some("greenlet==3.2\naiosqlite==0.21"), true, &["sqlalchemy"]),
        (&["mint-guest-sdk", "numpy"], None, true, &[]),
        (&["mint-sdk"], None, false, &[]),
    ] {
        let case = Case { of_mint, python: Some(parts(requires, &[], lock)), ..Case::default() };
        assert_eq!(case.decide().unwrap().findings.added, expected, "{requires:?}");
    }
}

#[test]
fn what_is_stored_is_read_again() {
    let findings = Case::of(&["numpy>=2", "mint-guest-sdk>=2"]).decide().unwrap().findings;
    let stored = serde_json::to_value(&findings).unwrap();
    assert_eq!(serde_json::from_value::<Findings>(stored).unwrap(), findings);
    assert_eq!(serde_json::from_value::<Findings>(json!({})).unwrap(), Findings::default());
}

fn requirement() -> impl Strategy<Value = String> {
    let package = prop::sample::select(vec!["mint-guest-sdk", "helper", "numpy", "helper[fast]", "tomlkit"]);
    let versions = prop::sample::select(vec!["", ">=1", "<1", "==1.0.0", "!=1.0.0", ">=2", "~=1.0", ">=2.0rc1"]);
    let marker = prop::sample::select(vec![
        "",
        "; python_version >= '3.12'",
        "; sys_platform == 'wasi'",
        "; sys_platform == 'linux'",
        "; extra == 'no'",
    ]);
    (package, versions, marker).prop_map(|(package, versions, marker)| format!("{package}{versions} {marker}"))
}

fn possible(requires: &[String], helper: &[String], installed: &[Installed]) -> Vec<Mode> {
    let texts = |list: &[String]| -> Vec<String> { list.to_vec() };
    let (requires, helper) = (texts(requires), texts(helper));
    let requires: Vec<&str> = requires.iter().map(String::as_str).collect();
    let helper: Vec<&str> = helper.iter().map(String::as_str).collect();
    let python = parts(&requires, &[("helper-1.5", &helper)], None);
    let forced =
        |mode| Case { python: Some(python.clone()), decided: Some(mode), installed: installed.to_vec(), ..Case::default() };
    [Mode::Shared, Mode::Isolated].into_iter().filter(|mode| forced(*mode).decide().is_ok()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn one_more_requirement_never_makes_a_mode_possible(
        requires in prop::collection::vec(requirement(), 0..4),
        helper in prop::collection::vec(requirement(), 0..2),
        more in requirement(),
        python in prop::sample::select(vec!["", "python<3", "python>=3.12", "python==3.13.*"]),
    ) {
        let before = possible(&requires, &helper, &[]);
        let longer = [requires.clone(), vec![more.clone()]].concat();
        let stricter = [requires.clone(), Some(python.to_owned()).filter(|one| !one.is_empty()).into_iter().collect()].concat();
        let deeper = [helper.clone(), vec![more]].concat();
        for after in [possible(&longer, &helper, &[]), possible(&stricter, &helper, &[]), possible(&requires, &deeper, &[])] {
            prop_assert!(after.iter().all(|mode| before.contains(mode)), "{before:?} became {after:?}");
        }
    }

    #[test]
    fn the_order_of_requirements_does_not_matter(requires in prop::collection::vec(requirement(), 0..5)) {
        let turned: Vec<String> = requires.iter().rev().cloned().collect();
        prop_assert_eq!(possible(&requires, &[], &[]), possible(&turned, &[], &[]));
    }

    #[test]
    fn what_others_want_decides_nothing(requires in prop::collection::vec(requirement(), 0..4), theirs in prop::collection::vec(requirement(), 0..4)) {
        let texts: Vec<&str> = theirs.iter().map(String::as_str).collect();
        let wants = match (Case { python: Some(parts(&texts, &[], None)), ..Case::default() }).decide() {
            Ok(plan) => plan.findings.wants,
            Err(refused) => refused.findings.wants,
        };
        let installed = [Installed { slug: "other".to_owned(), wants }];
        prop_assert_eq!(possible(&requires, &[], &installed), possible(&requires, &[], &[]));
    }
}
