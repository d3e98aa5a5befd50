//! Settings: a schema of a stranger's, values of another's.

use std::collections::BTreeMap;

use mint_context::{schema, settings};
use mint_domain::Manifest;
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
    if settings::check(&manifest, &stored, &environment).is_ok()
        && let (Some(schema), true) = (&manifest.settings_schema, locked.is_empty())
    {
        assert!(schema::check(schema, &Value::Object(merged), "settings").is_ok(), "what was let in does not fit");
    }
}
