//! What wheels want: read, compared, and found to clash or not, whatever stands there.

use mint_domain::requirement::{Environment, Lock, PackageRequirement, VersionSet, WheelMetadata, is_pure};

/// Reads a line, a lock and a wheel's own words.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _one = PackageRequirement::parse(text);
    let _file = is_pure(text);
    let lock = Lock::parse(text);
    let sets: Vec<VersionSet> = lock.requirements.iter().map(|requirement| VersionSet::of(&requirement.versions)).collect();
    for (one, other) in sets.iter().zip(sets.iter().skip(1)) {
        assert_eq!(one.intersection(other), other.intersection(one), "it depends on who asks first");
        assert_eq!(&one.intersection(&VersionSet::full()), one);
    }
    if let Ok(wheel) = WheelMetadata::parse(text) {
        let package = wheel.package();
        let _itself = wheel.requires_package(&package);
        if let Ok(version) = "3.13".parse() {
            let _environment = Environment::component(&version);
        }
    }
}
