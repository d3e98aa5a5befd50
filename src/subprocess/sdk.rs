//! Which of MINT's SDKs a venv has, and what follows from it. Seen in the venv itself, not taken from anybody's word.

use std::{fs, path::Path};

/// The first release that reads answers field by field. Those before it break on a key that they do not know.
const FIELD_BY_FIELD: [u32; 3] = [1, 0, 63];

/// The SDK of a venv.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sdk {
    /// It has the name from before MINT's first release, with variables and headers of its own.
    pub(crate) is_mld: bool,
    /// Version of `mint-sdk`, where that is it.
    pub(crate) version: Option<[u32; 3]>,
}

impl Sdk {
    /// Looks into a venv.
    pub(crate) fn of_venv(venv: &Path) -> Self {
        let mut sdk = Self::default();
        let libraries = fs::read_dir(venv.join("lib")).into_iter().flatten().flatten();
        for packages in libraries.map(|library| library.path().join("site-packages")) {
            let has_mint = packages.join("mint_sdk").is_dir();
            sdk.is_mld |= !has_mint && packages.join("mld_sdk").is_dir();
            for entry in fs::read_dir(&packages).into_iter().flatten().flatten() {
                if let Some(version) = entry.file_name().to_str().and_then(mint_sdk_version) {
                    sdk.version = Some(version);
                }
            }
        }
        sdk
    }

    /// Whether its client takes answers with keys that it does not know. None where only its calls can tell.
    pub(crate) fn takes_new_keys(&self) -> Option<bool> {
        match self.version {
            Some(version) => Some(version >= FIELD_BY_FIELD),
            None => self.is_mld.then_some(false),
        }
    }
}

/// The version in the name of a directory like `mint_sdk-1.2.10.dist-info`.
fn mint_sdk_version(directory: &str) -> Option<[u32; 3]> {
    let version = directory.strip_prefix("mint_sdk-")?.strip_suffix(".dist-info")?;
    let digits = |part: &str| part.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok();
    let mut parts = version.split('.').map(digits);
    Some([parts.next()??, parts.next()??, parts.next().flatten().unwrap_or(0)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_venv_tells() {
        let table: [(&[&str], bool, Option<bool>); 6] = [
            (&["mld_sdk/app.py", "mld_sdk-0.16.5.dist-info/METADATA"], true, Some(false)),
            (&["mint_sdk/app.py", "mint_sdk-1.0.0.dist-info/METADATA"], false, Some(false)),
            (&["mint_sdk/app.py", "mint_sdk-1.0.63.dist-info/METADATA"], false, Some(true)),
            (&["mint_sdk/app.py", "mint_sdk-1.2.10.dist-info/METADATA"], false, Some(true)),
            (&["mint_sdk/app.py", "mint_guest_sdk-1.0.0.dist-info/METADATA"], false, None),
            (&["flask/app.py"], false, None),
        ];
        for (files, is_mld, takes_new_keys) in table {
            let venv = tempfile::tempdir().unwrap();
            for file in files {
                let path = venv.path().join("lib/python3.13/site-packages").join(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, "").unwrap();
            }
            let sdk = Sdk::of_venv(venv.path());
            assert_eq!((sdk.is_mld, sdk.takes_new_keys()), (is_mld, takes_new_keys), "{files:?}");
        }
    }

    #[test]
    fn versions() {
        assert_eq!(mint_sdk_version("mint_sdk-1.2.10.dist-info"), Some([1, 2, 10]));
        assert_eq!(mint_sdk_version("mint_sdk-1.3.0b1.dist-info"), Some([1, 3, 0]));
        assert_eq!(mint_sdk_version("mint_sdk-2.0.dist-info"), Some([2, 0, 0]));
        assert_eq!(mint_sdk_version("mint_sdk_extra-2.0.dist-info"), None);
    }
}
