//! What an administrator granted to an installation.

use serde::{Deserialize, Serialize};

use crate::{Capability, Slug};

/// A set of granted capabilities.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Grants(Vec<Capability>);

impl Grants {
    /// The set of `capabilities`, in one order and without doubles.
    pub fn new(capabilities: impl IntoIterator<Item = Capability>) -> Self {
        let mut capabilities: Vec<_> = capabilities.into_iter().collect();
        capabilities.sort();
        capabilities.dedup();
        Self(capabilities)
    }

    /// Whether some grant allows `wanted`.
    pub fn allow(&self, wanted: &Capability) -> bool {
        self.0.iter().any(|granted| granted.allows(wanted))
    }

    /// Whether the results of `other` may be read.
    pub fn read_results_of(&self, other: &Slug) -> bool {
        self.0.iter().any(|granted| matches!(granted, Capability::ResultsReadOthers(slug) if slug == other))
    }

    /// Whether an interface of `mint:platform` is unlocked. Types, identity and settings always are.
    pub fn unlock(&self, interface: &str) -> bool {
        matches!(interface, "types" | "identity" | "settings")
            || self.0.iter().any(|granted| granted.interfaces().contains(&interface))
    }

    /// Whether any outbound HTTP is granted.
    pub fn any_http(&self) -> bool {
        self.0.iter().any(|granted| matches!(granted, Capability::Http(_)))
    }

    /// The grants, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Capability> {
        self.0.iter()
    }

    /// Those of `wanted` that are not covered.
    pub fn missing<'a>(&self, wanted: impl IntoIterator<Item = &'a Capability>) -> Vec<Capability> {
        wanted.into_iter().filter(|capability| !self.allow(capability)).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_capability() -> impl Strategy<Value = Capability> {
        prop::sample::select(vec![
            "projects:read",
            "experiments:read",
            "experiments:write",
            "designs:write",
            "results:write",
            "results:read-others:a",
            "results:read-others:b",
            "objects",
            "database",
            "settings:write",
            "users:read",
            "files",
            "http:a.example",
            "http:a.example:81",
        ])
        .prop_map(|text| text.parse().unwrap())
    }

    proptest! {
        #[test]
        fn adding_a_grant_never_removes_a_right(
            base in prop::collection::vec(any_capability(), 0..6), extra in any_capability(), wanted in any_capability(),
        ) {
            let before = Grants::new(base.clone());
            let after = Grants::new(base.into_iter().chain([extra]));
            prop_assert!(!before.allow(&wanted) || after.allow(&wanted));
        }

        #[test]
        fn adding_a_grant_locks_nothing(base in prop::collection::vec(any_capability(), 0..6), extra in any_capability()) {
            let before = Grants::new(base.clone());
            let after = Grants::new(base.into_iter().chain([extra]));
            for interface in ["projects", "experiments", "designs", "results", "objects", "database", "migration-ops"] {
                prop_assert!(!before.unlock(interface) || after.unlock(interface), "{interface}");
            }
            for slug in ["a", "b", "c"] {
                let slug: Slug = slug.parse().unwrap();
                prop_assert!(!before.read_results_of(&slug) || after.read_results_of(&slug));
            }
            prop_assert!(!before.any_http() || after.any_http());
        }

        #[test]
        fn taking_grants_away_takes_their_right_away(
            base in prop::collection::vec(any_capability(), 0..8), wanted in any_capability(),
        ) {
            let (allowing, others): (Vec<_>, Vec<_>) = base.iter().cloned().partition(|granted| granted.allows(&wanted));
            prop_assert_eq!(Grants::new(base).allow(&wanted), !allowing.is_empty());
            prop_assert!(!Grants::new(others.clone()).allow(&wanted), "nothing is left of it");
            // Each of them is enough, and nothing else is.
            for one in allowing {
                prop_assert!(Grants::new(others.iter().cloned().chain([one])).allow(&wanted));
            }
        }

        #[test]
        fn a_right_that_another_grant_gives_stays(
            base in prop::collection::vec(any_capability(), 1..8), gone in any_capability(), wanted in any_capability(),
        ) {
            let kept = Grants::new(base.iter().filter(|granted| **granted != gone).cloned());
            let another = base.iter().any(|granted| *granted != gone && granted.allows(&wanted));
            prop_assert_eq!(kept.allow(&wanted), another);
        }

        #[test]
        fn what_is_granted_is_allowed(base in prop::collection::vec(any_capability(), 1..6)) {
            let grants = Grants::new(base.clone());
            prop_assert!(grants.missing(base.iter().filter(|c| !matches!(c, Capability::Http(_)))).is_empty());
        }
    }
}
