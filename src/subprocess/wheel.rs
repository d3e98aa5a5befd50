//! What a wheel says of itself: two small files inside it, read without unpacking anything.

use std::{borrow::Cow, fs::File, io::Read, path::Path};

use mint_domain::requirement::{InvalidWheel, WheelMetadata};
use zip::ZipArchive;

/// Most bytes read of one of the files.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The core metadata of a wheel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct WheelInfo {
    /// Name of the distribution.
    pub(crate) name: String,
    /// Its version.
    pub(crate) version: String,
    /// Which Pythons it runs on, as a PEP 440 specifier.
    pub(crate) requires_python: Option<String>,
    /// Names of the distributions it requires, in PEP 503 form.
    pub(crate) requires: Vec<String>,
    /// Its entry points among plugins.
    pub(crate) entry_points: Vec<EntryPoint>,
}

/// An entry point: a name, and what it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EntryPoint {
    /// Its name.
    pub(crate) name: String,
    /// `module:Class`.
    pub(crate) object: String,
}

impl EntryPoint {
    pub(crate) fn of(name: &str, object: &str) -> Self {
        // Extras may follow what it stands for.
        let object = object.split('[').next().unwrap_or_default();
        Self { name: name.trim().to_owned(), object: object.trim().to_owned() }
    }
}

/// Why a wheel cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnreadableWheel {
    #[error("it cannot be opened: {0}")]
    Io(#[from] std::io::Error),
    #[error("it is not a zip file: {0}")]
    Zip(#[from] zip::result::ZipError),
    #[error("it has no `.dist-info/METADATA`")]
    NoMetadata,
    #[error(transparent)]
    Metadata(#[from] InvalidWheel),
}

impl WheelInfo {
    /// Reads a wheel. Blocking.
    ///
    /// # Errors
    /// [`UnreadableWheel`].
    pub(crate) fn read(path: &Path) -> Result<Self, UnreadableWheel> {
        let mut archive = ZipArchive::new(File::open(path)?)?;
        let metadata = entry(&mut archive, ".dist-info/METADATA")?.ok_or(UnreadableWheel::NoMetadata)?;
        let entry_points = entry(&mut archive, ".dist-info/entry_points.txt")?.unwrap_or_default();
        Ok(Self { entry_points: plugin_entry_points(&entry_points), ..Self::parse(&metadata)? })
    }

    /// Its entry point among plugins, if it has exactly one.
    pub(crate) fn only_entry_point(&self) -> Option<&EntryPoint> {
        match self.entry_points.as_slice() {
            [one] => Some(one),
            _ => None,
        }
    }

    fn parse(metadata: &str) -> Result<Self, UnreadableWheel> {
        let WheelMetadata { name, version, requires_python, requires, .. } = WheelMetadata::parse(metadata)?;
        let python = requires_python.to_string().replace(", ", ",");
        Ok(Self {
            name,
            version: version.to_string(),
            requires_python: Some(python).filter(|python| !python.is_empty()),
            requires: requires.into_iter().map(|requirement| requirement.package).collect(),
            entry_points: Vec::new(),
        })
    }
}

/// The one entry at the top of the archive whose name ends with `suffix`.
fn entry(archive: &mut ZipArchive<File>, suffix: &str) -> Result<Option<String>, UnreadableWheel> {
    let is_wanted = |name: &str| name.strip_suffix(suffix).is_some_and(|stem| !stem.is_empty() && !stem.contains('/'));
    let found = archive.file_names().filter_map(Result::ok).find(|name| is_wanted(name)).map(Cow::into_owned);
    let Some(name) = found else { return Ok(None) };
    let mut bytes = Vec::new();
    archive.by_name(&name)?.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// The entry points in the groups of plugins. One that stands in both counts once.
fn plugin_entry_points(text: &str) -> Vec<EntryPoint> {
    let mut found: Vec<EntryPoint> = Vec::new();
    let mut inside = false;
    for line in text.lines().map(str::trim) {
        if let Some(group) = line.strip_prefix('[') {
            inside = matches!(group.trim_end_matches(']').trim(), "mint.plugins" | "mld.plugins");
        } else if let (true, Some((name, object))) = (inside && !line.starts_with(['#', ';']), line.split_once('=')) {
            let point = EntryPoint::of(name, object);
            if found.iter().all(|known| known.name != point.name) {
                found.push(point);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_read_up_to_the_description() {
        let text = "Metadata-Version: 2.3\nName: My_Plugin\nVersion: 1.2.0\nRequires-Python: >=3.11,<4\n\
                    Requires-Dist: Mint_SDK[server]>=1.2 ; extra == 'x'\nRequires-Dist: numpy (>=2)\n\nName: not this\n";
        let expected = WheelInfo {
            name: "My_Plugin".to_owned(),
            version: "1.2.0".to_owned(),
            requires_python: Some(">=3.11,<4".to_owned()),
            requires: vec!["mint-sdk".to_owned(), "numpy".to_owned()],
            entry_points: Vec::new(),
        };
        assert_eq!(WheelInfo::parse(text).unwrap(), expected);
    }

    #[test]
    fn exactly_one_entry_point_is_a_plugin() {
        let only = |text: &str| {
            WheelInfo { entry_points: plugin_entry_points(text), ..WheelInfo::default() }.only_entry_point().cloned()
        };
        let one = "[console_scripts]\nx = a:b\n\n[mint.plugins]\n# the plugin\npeaks = pkg.mod:Class [extra]\n";
        assert_eq!(only(one), Some(EntryPoint::of("peaks", "pkg.mod:Class")));
        assert_eq!(only("[mld.plugins]\nold=a:B\n[mint.plugins]\nold=a:B\n"), Some(EntryPoint::of("old", "a:B")));
        assert_eq!(only("[mint.plugins]\na=x:Y\nb=x:Z\n"), None);
        assert_eq!(only("[other]\na=x:Y\n"), None);
    }
}
