//! The secret of an installation, from which the keys are derived that must outlive a process.

use std::{
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use secrecy::{ExposeSecret as _, SecretBox};

/// The secret.
#[derive(Debug)]
pub struct InstallationKey(SecretBox<[u8; 32]>);

impl InstallationKey {
    /// Reads it from a file of 64 hexadecimal digits, which is made, for this user only, if it does not exist.
    ///
    /// # Errors
    /// It cannot be made or read, or has another form.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let unusable = || format!("the key {} cannot be used", path.display());
        if !path.try_exists().with_context(unusable)? {
            match make(path) {
                // Another server was faster.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => made.with_context(unusable)?,
            }
        }
        let text = fs::read_to_string(path).with_context(unusable)?;
        let digits = blake3::Hash::from_hex(text.trim());
        let key = digits.with_context(|| format!("the key {} is not one of 64 hexadecimal digits", path.display()))?;
        Ok(Self(SecretBox::new(Box::new(*key.as_bytes()))))
    }

    /// The key for one purpose, which tells nothing of those for others.
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        blake3::derive_key(purpose, self.0.expose_secret())
    }
}

/// Whole or not at all, and never over another one.
fn make(path: &Path) -> io::Result<()> {
    let directory = path.parent().map_or_else(|| PathBuf::from("."), Path::to_owned);
    fs::create_dir_all(&directory)?;
    let mut file = tempfile::NamedTempFile::new_in(&directory)?;
    writeln!(file, "{}", blake3::Hash::from_bytes(rand::random()).to_hex())?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path).map_err(|error| error.error)?;
    fs::File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_once_for_its_owner_and_never_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("installation.key");
        let first = InstallationKey::open(&path).unwrap().derive("a");
        assert_eq!(first, InstallationKey::open(&path).unwrap().derive("a"));
        assert_ne!(first, InstallationKey::open(&path).unwrap().derive("b"));
        assert_eq!(std::os::unix::fs::MetadataExt::mode(&fs::metadata(&path).unwrap()) & 0o777, 0o600);
        fs::write(&path, "short").unwrap();
        let refused = InstallationKey::open(&path).unwrap_err().to_string();
        assert!(refused.contains("64 hexadecimal digits"), "{refused}");
    }
}
