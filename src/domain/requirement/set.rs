//! Sets of versions.

use pep440_rs::{Operator, Version, VersionSpecifier, VersionSpecifiers};
use version_ranges::Ranges;

/// The versions that satisfy some specifiers, or more: where PEP 440 has no exact bounds, the set is too large rather than
/// too small. What is empty here is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionSet(Ranges<Version>);

impl VersionSet {
    /// Every version.
    pub fn full() -> Self {
        Self(Ranges::full())
    }

    /// The versions that all of the specifiers allow.
    pub fn of(specifiers: &VersionSpecifiers) -> Self {
        specifiers.iter().fold(Self::full(), |set, specifier| set.intersection(&Self(ranges(specifier))))
    }

    /// The versions in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0))
    }

    /// Whether there is no version in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a version is in it.
    pub fn contains(&self, version: &Version) -> bool {
        self.0.contains(version)
    }
}

/// The crate's ranges, except that a version without a local label also stands for every build of it that has one.
fn ranges(specifier: &VersionSpecifier) -> Ranges<Version> {
    let version = specifier.version();
    match specifier.operator() {
        Operator::Equal | Operator::ExactEqual if !version.is_local() => builds(version),
        Operator::NotEqual if !version.is_local() => builds(version).complement(),
        Operator::LessThanEqual if !version.is_local() => Ranges::strictly_lower_than(following(version)),
        // The crate leaves out the version that the post-release follows.
        Operator::LessThan if version.is_post() && !version.any_prerelease() => {
            Ranges::strictly_lower_than(version.clone().with_dev(Some(0)))
        }
        _ => specifier.clone().into(),
    }
}

fn builds(version: &Version) -> Ranges<Version> {
    Ranges::from_range_bounds(version.clone()..following(version))
}

/// The least version that is greater than all builds of a version.
fn following(version: &Version) -> Version {
    let version = version.clone();
    match (version.dev(), version.post()) {
        (Some(dev), _) => version.with_dev(Some(dev.saturating_add(1))),
        (None, Some(post)) => version.with_post(Some(post.saturating_add(1))).with_dev(Some(0)),
        (None, None) => version.with_post(Some(0)).with_dev(Some(0)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set(text: &str) -> VersionSet {
        VersionSet::of(&text.parse().unwrap())
    }

    #[test]
    fn whether_two_can_be_met_at_once() {
        for (one, other, meets) in [
            ("", "", true),
            (">=2", "<2", false),
            (">=2", "<=2", true),
            (">2", "<=2", false),
            ("==1.0", "==1", true),
            ("==1.0", "==1.0.*", true),
            ("==1.0", "!=1.0", false),
            ("==1.0", "!=1.0.*", false),
            ("~=1.4", "==1.9", true),
            ("~=1.4", ">=2", false),
            ("~=1.4.2", "==1.5", false),
            (">=1!0", "<2", false),
            ("==1!1.0", ">=2", true),
            // Pre-releases: `<2` does not take those of 2, unless it names one.
            (">=2.0a1", "<2", false),
            (">=2.0a1", "<2.0b1", true),
            ("==2.0rc1", ">=2.0", false),
            ("==2.0rc1", ">=2.0.dev1", true),
            ("==2.0rc1", "==2.0.*", true),
            ("==2.0rc1", "~=1.9", false),
            // Post-releases: `>1` does not take those of 1, unless it names one.
            (">1.0", "==1.0.post1", false),
            (">1.0.post0", "==1.0.post1", true),
            (">=1.0", "==1.0.post1", true),
            ("<1.2.post0", "==1.2", true),
            ("<1.2.post0", "==1.2.post0.dev1", false),
            // Local builds count as the version that they are of.
            ("==1.0", "==1.0+cpu", true),
            ("<=1.0", "==1.0+cpu", true),
            ("!=1.0", "==1.0+cpu", false),
            (">1.0", "==1.0+cpu", false),
            ("==1.0+cpu", "==1.0+cuda", false),
            ("<=1.0", "==1.0.post1", false),
            ("===1.0", "==1.0", true),
            ("===1.0", ">1.0", false),
            (">=3.11,<4", ">=3.12,!=3.12.1", true),
            (">=1,<2", "!=1.*", false),
        ] {
            assert_eq!(!set(one).intersection(&set(other)).is_empty(), meets, "{one} and {other}");
        }
    }

    fn version() -> impl Strategy<Value = String> {
        let tail = prop_oneof![
            Just(String::new()),
            (0..3u8).prop_map(|n| format!("a{n}")),
            (0..3u8).prop_map(|n| format!("rc{n}")),
            (0..3u8).prop_map(|n| format!(".post{n}")),
            (0..3u8).prop_map(|n| format!(".dev{n}")),
            (0..3u8).prop_map(|n| format!("a1.post{n}.dev1")),
        ];
        (0..3u8, 0..3u8, tail).prop_map(|(major, minor, tail)| format!("{major}.{minor}{tail}"))
    }

    fn specifier() -> impl Strategy<Value = String> {
        let plain = (prop::sample::select(vec!["==", "!=", ">=", "<=", ">", "<", "~="]), version());
        let star = (prop::sample::select(vec!["==", "!="]), 0..3u8, 0..3u8);
        prop_oneof![
            plain.prop_map(|(operator, version)| format!("{operator}{version}")),
            star.prop_map(|(operator, major, minor)| format!("{operator}{major}.{minor}.*")),
        ]
    }

    fn specifiers() -> impl Strategy<Value = String> {
        prop::collection::vec(specifier(), 0..4).prop_map(|parts| parts.join(","))
    }

    proptest! {
        #[test]
        fn the_order_does_not_matter(a in specifiers(), b in specifiers(), c in specifiers()) {
            let (a, b, c) = (set(&a), set(&b), set(&c));
            prop_assert_eq!(a.intersection(&b), b.intersection(&a));
            prop_assert_eq!(a.intersection(&b).intersection(&c), a.intersection(&b.intersection(&c)));
            prop_assert_eq!(a.intersection(&a), a.clone());
            prop_assert_eq!(a.intersection(&VersionSet::full()), a);
        }

        #[test]
        fn one_more_never_makes_room(a in specifiers(), b in specifiers(), probe in version()) {
            let (set_a, both) = (set(&a), set(&a).intersection(&set(&b)));
            prop_assert!(!set_a.is_empty() || both.is_empty());
            let probe = probe.parse().unwrap();
            prop_assert!(!both.contains(&probe) || set_a.contains(&probe));
        }

        /// Whatever a version satisfies by PEP 440 is not called empty, also for builds with a local label.
        #[test]
        fn what_a_version_satisfies_holds_it(texts in specifiers(), probe in version(), local in any::<bool>()) {
            let probe = if local { format!("{probe}+cpu") } else { probe };
            let (specifiers, probe): (VersionSpecifiers, Version) = (texts.parse().unwrap(), probe.parse().unwrap());
            prop_assert!(!specifiers.contains(&probe) || VersionSet::of(&specifiers).contains(&probe), "{specifiers} {probe}");
        }
    }
}
