//! Manifests: what is read is whole, and says the same when it is written and read again.

use mint_domain::{Grants, Limits, Manifest, limit::LimitChanges};

/// Reads it.
pub fn run(data: &[u8]) {
    let Ok(manifest) = Manifest::parse(data) else { return };
    assert!(manifest.prefix().is_ok(), "a manifest without a usable prefix was read");
    let requested: Vec<_> = manifest.requested().cloned().collect();
    let granted = Grants::new(requested.iter().cloned());
    for capability in &requested {
        assert!(granted.allow(capability), "{capability} is granted, and not allowed");
        let again: mint_domain::Capability = capability.to_string().parse().expect("what is shown can be typed");
        assert_eq!(&again, capability);
    }
    let nothing = LimitChanges::default();
    assert!(Limits::in_force(&manifest.limits, &nothing, &nothing).is_ok(), "limits that cannot be in force");
    if manifest.format_version != 2 {
        return;
    }
    let written = serde_json::to_vec(&manifest).expect("JSON");
    let again = Manifest::parse(&written).expect("what was read can be written");
    assert_eq!(serde_json::to_vec(&again).expect("JSON"), written);
}
