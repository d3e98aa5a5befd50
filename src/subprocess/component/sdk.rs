//! The SDK for Python that this server carries.

use std::{fs, path::Path};

use mint_domain::Digest;

use super::RecipeError;

/// Path and text of each module.
const MODULES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/sdk.rs"));

/// Writes its modules into a directory.
pub(super) fn write(directory: &Path) -> Result<(), RecipeError> {
    for (name, text) in MODULES {
        let path = directory.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(RecipeError::at(parent))?;
        }
        // A wheel may have brought something in its place.
        fs::write(&path, text).map_err(RecipeError::at(&path))?;
    }
    Ok(())
}

/// Tells one SDK from another.
pub(super) fn digest() -> Digest {
    let all: String = MODULES.iter().map(|(name, text)| format!("{name}\n{text}\n")).collect();
    Digest::of(all.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_component_imports_is_there() {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path()).unwrap();
        for module in ["__init__", "component_app", "component/exports", "routing/router"] {
            assert!(directory.path().join(format!("mint_sdk/{module}.py")).is_file(), "{module}");
        }
        assert_eq!(digest(), digest());
    }
}
