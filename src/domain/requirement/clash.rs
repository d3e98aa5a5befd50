//! Wishes that cannot all come true.

use serde::{Deserialize, Serialize};

use super::{VersionSet, Want};
use crate::Mode;

/// A package of which no version suits everybody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clash {
    /// The package, or [`PYTHON`](super::PYTHON).
    pub package: String,
    /// Who wants what: those that contradict each other.
    pub wants: Vec<Want>,
    /// Why no version suits, in a sentence.
    pub why: String,
    /// Modes that it rules out. None where each has its own copy.
    pub rules_out: Vec<Mode>,
}

impl Clash {
    /// In a sentence or two.
    pub fn in_words(&self) -> String {
        let wants = self.wants.iter().map(|want| {
            let versions = want.versions.to_string().replace(", ", ",");
            let versions = if versions.is_empty() { "any version".to_owned() } else { versions };
            format!("{} {} {versions}", want.by, if want.pinned { "has" } else { "wants" })
        });
        format!("{}: {}. {}", self.package, wants.collect::<Vec<_>>().join("; "), self.why)
    }
}

/// The clash among wishes for one package, if no version satisfies them all.
pub fn find(package: &str, wants: &[&Want], rules_out: &[Mode]) -> Option<Clash> {
    let sets: Vec<VersionSet> = wants.iter().map(|want| want.set()).collect();
    let all = sets.iter().fold(VersionSet::full(), |all, set| all.intersection(set));
    if !all.is_empty() {
        return None;
    }
    // Who contradicts somebody is named; where only all together do, all are.
    let contradicts = |set: &VersionSet| sets.iter().any(|other| set.intersection(other).is_empty());
    let mut named: Vec<Want> =
        wants.iter().zip(&sets).filter(|(_, set)| contradicts(set)).map(|(want, _)| (*want).clone()).collect();
    if named.is_empty() {
        named = wants.iter().map(|want| (*want).clone()).collect();
    }
    Some(Clash { package: package.to_owned(), why: why(&named), wants: named, rules_out: rules_out.to_vec() })
}

fn why(wants: &[Want]) -> String {
    let mut parts: Vec<String> = Vec::new();
    for want in wants.iter().filter(|want| !want.versions.is_empty()) {
        let part = want.versions.to_string().replace(", ", ",");
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    match parts.as_slice() {
        [one] => format!("No version is {}.", one.replace(',', " and ")),
        [one, other] => format!("No version is both {one} and {other}."),
        _ => format!("No version is {} at once.", parts.join(" and ")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wants(texts: &[&str]) -> Vec<Want> {
        let want = |(at, text): (usize, &&str)| Want {
            package: "p".to_owned(),
            versions: text.parse().unwrap(),
            by: format!("w{at}"),
            pinned: false,
        };
        texts.iter().enumerate().map(want).collect()
    }

    fn found(texts: &[&str]) -> Option<Clash> {
        find("p", &wants(texts).iter().collect::<Vec<_>>(), &[])
    }

    #[test]
    fn those_who_contradict_each_other_are_named() {
        for (texts, expected) in [
            (vec![">=2", "<3", ""], None),
            (vec!["", ">=2", "<2"], Some(("w1 w2", "No version is both >=2 and <2."))),
            (vec![">=1", ">=2", "<2", "==1.5"], Some(("w1 w2 w3", "No version is >=2 and <2 and ==1.5 at once."))),
            (vec![">=2,<1", ""], Some(("w0 w1", "No version is <1 and >=2."))),
            (vec![">=1,<=2", "!=1.*", "<2"], Some(("w0 w1 w2", "No version is >=1,<=2 and !=1.* and <2 at once."))),
            (vec!["==1.0", "==1.0", "==2"], Some(("w0 w1 w2", "No version is both ==1.0 and ==2."))),
        ] {
            let clash = found(&texts);
            let shown =
                clash.map(|clash| (clash.wants.iter().map(|want| want.by.clone()).collect::<Vec<_>>().join(" "), clash.why));
            let shown = shown.as_ref().map(|(by, why)| (by.as_str(), why.as_str()));
            assert_eq!(shown, expected, "{texts:?}");
        }
    }

    fn texts() -> impl Strategy<Value = Vec<&'static str>> {
        let one =
            prop::sample::select(vec!["", ">=1", ">=2", "<2", "<=1.5", "==1.5", "!=1.5", "~=1.4", "==2.*", ">1.5", "==2.0rc1"]);
        prop::collection::vec(one, 0..5)
    }

    proptest! {
        #[test]
        fn one_more_wish_never_turns_a_clash_into_a_fit(texts in texts(), more in texts()) {
            let all = [texts.clone(), more].concat();
            prop_assert!(found(&texts).is_none() || found(&all).is_some());
        }

        #[test]
        fn the_order_of_wishes_does_not_matter(texts in texts(), turn in 0..5_usize) {
            let mut turned = texts.clone();
            turned.rotate_left(turn.min(texts.len()));
            prop_assert_eq!(found(&texts).is_some(), found(&turned).is_some());
        }
    }
}
