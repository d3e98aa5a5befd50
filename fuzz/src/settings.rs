//! Settings: a schema of a stranger's, values of another's.

use std::collections::BTreeMap;

use mint_context::{
    schema,
    secrets::{By, Keys, shown},
    settings,
};
use mint_domain::{Manifest, TenantId};
use serde_json::{Value, json};

use super::pieces::Pieces;

/// A schema, what is stored, and a variable.
pub fn run(data: &[u8]) {
    let mut pieces = Pieces(data);
    let (wanted, stored) = (pieces.json(), pieces.json());
    let variable = (format!("MINT_PLUGIN_FUZZ__{}", pieces.text().to_uppercase()), pieces.text());
    let _checked = schema::check(&wanted, &stored, "settings");
    let _defaults = schema::defaults(&wanted);
    let described = json!({
        "format_version": 2,
        "plugin": { "slug": "fuzz", "version": "1.0.0", "display_name": "f", "description": "", "analysis_type": "x",
                    "plugin_type": "analysis", "routes_prefix": "/fuzz" },
        "component": "plugin.wasm",
        "settings_schema": wanted,
        "files": { "plugin.wasm": format!("sha256:{}", "0".repeat(64)) },
    });
    let Ok(manifest) = Manifest::parse(described.to_string().as_bytes()) else { return };
    let environment = BTreeMap::from([variable]);
    let (merged, locked) = settings::merged(&manifest, &stored, &environment);
    for name in &locked {
        assert!(merged.contains_key(name), "`{name}` is locked, and not there");
    }
    let merged = Value::Object(merged);
    if settings::check(&manifest, &merged).is_ok()
        && let (Some(schema), true) = (&manifest.settings_schema, locked.is_empty())
    {
        assert!(schema::check(schema, &merged, "settings").is_ok(), "what was let in does not fit");
    }
    seal(manifest.settings_schema.as_ref(), &stored);
}

/// What is sealed opens as it was, and who sends back what they see changes nothing.
fn seal(schema: Option<&Value>, stored: &Value) {
    let Ok(keys) = Keys::new(Some(&[7; 32]), &[]) else { return };
    let chest = keys.chest(TenantId(1), "fuzz");
    let Ok(sealed) = chest.take(schema, &Value::Null, stored, By::Person) else { return };
    let opened = chest.open(&sealed).expect("it was sealed here");
    assert!(*opened == *stored || stored.to_string().contains("$secret"), "what was sealed opens as something else");
    let seen = shown(schema, &sealed, |_| false);
    assert_eq!(chest.take(schema, &sealed, &seen, By::Person), Ok(sealed), "what was seen is not what is there");
}
