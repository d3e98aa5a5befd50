//! The front-end of a release: the files that browsers get, taken out of the bundle or of its main wheel.
//!
//! A front-end stands in `<target>/files/`, and its revision, which is one for the same files, in `<target>/revision`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File, OpenOptions},
    io::{self, Read, Write as _},
    path::{Path, PathBuf},
};

use mint_domain::{Digest, Manifest};
use sha2::{Digest as _, Sha256};
use zip::{ZipArchive, result::ZipError};

use crate::{Error, Result, layout::bad_name};

/// Where the files of a front-end stand in its directory.
pub const FRONTEND_FILES: &str = "files";
/// Where its revision stands: `sha256:` and 64 hexadecimal digits.
pub const FRONTEND_REVISION: &str = "revision";

/// Where a place in the wheel stands that its plugin named.
const PLACE: &str = "place";
const INDEX: &str = "index.html";
/// Bytes of a wheel's list of entry points.
const ENTRY_POINTS_BYTES_MAX: u64 = 1 << 20;

/// How large a front-end may be.
#[derive(Clone, Copy, Debug)]
pub struct FrontendBounds {
    /// Files.
    pub files_max: usize,
    /// Bytes of all files.
    pub bytes_max: u64,
}

impl Default for FrontendBounds {
    fn default() -> Self {
        Self { files_max: 10_000, bytes_max: 256 << 20 }
    }
}

/// Takes the front-end of a bundle that was unpacked into `release` to `target`, which is made; false where the bundle has
/// none. It is in the directory that the manifest names, else in the main wheel: at `place`, where the plugin named one, else beside
/// the plugin's module, in `frontend/` or `frontend/dist/`. Blocking.
///
/// # Errors
/// What is wrong with it, by name. Then something may be left in `target`.
pub fn take_frontend(
    release: &Path,
    manifest: &Manifest,
    target: &Path,
    place: Option<&str>,
    bounds: &FrontendBounds,
) -> Result<bool> {
    let taken = match (&manifest.frontend, &manifest.wheels) {
        (Some(directory), _) => Some(from_bundle(release, manifest, directory, Taken::new(target, bounds))?),
        (None, Some(wheels)) => from_wheel(release, &wheels.main, place, Taken::new(target, bounds))?,
        (None, None) => None,
    };
    let Some(taken) = taken else { return Ok(false) };
    let path = target.join(FRONTEND_REVISION);
    fs::write(&path, taken.revision().to_string()).map_err(Error::io(&path))?;
    if let (None, Some(place)) = (&manifest.frontend, place) {
        let path = target.join(PLACE);
        fs::write(&path, place).map_err(Error::io(&path))?;
    }
    Ok(true)
}

/// The place in the wheel from which a front-end was taken, where its plugin named one.
pub fn frontend_place(target: &Path) -> Option<String> {
    fs::read_to_string(target.join(PLACE)).ok()
}

fn from_bundle<'a>(release: &Path, manifest: &Manifest, directory: &str, mut taken: Taken<'a>) -> Result<Taken<'a>> {
    for entry in manifest.files.keys() {
        let Some(name) = entry.strip_prefix(directory).and_then(|rest| rest.strip_prefix('/')) else { continue };
        let path = release.join(entry);
        let mut source = File::open(&path).map_err(Error::io(&path))?;
        taken.add(name, &mut source, Error::io(&path))?;
    }
    Ok(taken)
}

fn from_wheel<'a>(release: &Path, wheel: &str, place: Option<&str>, mut taken: Taken<'a>) -> Result<Option<Taken<'a>>> {
    let broken = |why: String| Error::Wheel { entry: wheel.to_owned(), why };
    let path = release.join(wheel);
    let file = File::open(&path).map_err(Error::io(&path))?;
    let mut archive = ZipArchive::new(file).map_err(|error| broken(format!("it is not a zip file ({error})")))?;
    let points = entry_points(&mut archive).map_err(|error| broken(error.to_string()))?;
    let present = |root: &String| archive.index_for_name(&format!("{root}/{INDEX}")).is_some();
    let places = place.map_or_else(|| places(&points), |place| vec![place.to_owned()]);
    let Some(root) = places.into_iter().find(present) else { return Ok(None) };
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(|error| broken(error.to_string()))?;
        let Ok(full) = entry.name().map(|name| name.into_owned()) else { continue };
        let Some(name) = full.strip_prefix(&root).and_then(|rest| rest.strip_prefix('/')) else { continue };
        if entry.is_dir() {
            continue;
        }
        let kind = entry.unix_mode().unwrap_or(0) & 0o170_000;
        if entry.is_symlink() || !(kind == 0 || kind == 0o100_000) {
            return Err(Error::Name { name: full.escape_debug().to_string(), why: "only plain files may be in a front-end" });
        }
        let mut entry = entry;
        taken.add(name, &mut entry, |error| broken(format!("`{full}` cannot be unpacked ({error})")))?;
    }
    Ok(Some(taken))
}

/// The list of entry points of a wheel; empty where it has none.
fn entry_points(archive: &mut ZipArchive<File>) -> Result<String, ZipError> {
    let is_wanted =
        |name: &str| name.strip_suffix(".dist-info/entry_points.txt").is_some_and(|stem| !stem.is_empty() && !stem.contains('/'));
    let found = archive.file_names().filter_map(Result::ok).find(|name| is_wanted(name)).map(|name| name.into_owned());
    let Some(name) = found else { return Ok(String::new()) };
    let mut bytes = Vec::new();
    archive.by_name(&name)?.take(ENTRY_POINTS_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Where a wheel's front-end may stand, the likeliest place first: beside the module of a plugin, or above it.
fn places(entry_points: &str) -> Vec<String> {
    let mut places = Vec::new();
    let mut inside = false;
    for line in entry_points.lines().map(str::trim) {
        if let Some(group) = line.strip_prefix('[') {
            inside = matches!(group.trim_end_matches(']').trim(), "mint.plugins" | "mld.plugins");
        } else if let (true, Some((_, object))) = (inside && !line.starts_with(['#', ';']), line.split_once('=')) {
            let module = object.split([':', '[']).next().unwrap_or_default().trim();
            let packages: Vec<&str> = module.split('.').collect();
            for length in (1..=packages.len()).rev() {
                let package = packages.get(..length).unwrap_or_default().join("/");
                places.push(format!("{package}/frontend"));
                places.push(format!("{package}/frontend/dist"));
            }
        }
    }
    places
}

/// What was taken so far.
struct Taken<'a> {
    target: &'a Path,
    bounds: &'a FrontendBounds,
    hashes: BTreeMap<String, Digest>,
    lower_case: BTreeSet<String>,
    bytes: u64,
}

impl<'a> Taken<'a> {
    fn new(target: &'a Path, bounds: &'a FrontendBounds) -> Self {
        Self { target, bounds, hashes: BTreeMap::new(), lower_case: BTreeSet::new(), bytes: 0 }
    }

    fn add(&mut self, name: &str, source: &mut dyn Read, unreadable: impl FnOnce(io::Error) -> Error) -> Result<()> {
        let refuse = |why| Err(Error::Name { name: name.escape_debug().to_string(), why });
        if let Some(why) = bad_name(name) {
            return refuse(why);
        }
        if !self.lower_case.insert(name.to_lowercase()) {
            return refuse("another file of the front-end differs in case only");
        }
        if self.hashes.len() == self.bounds.files_max {
            let max = self.bounds.files_max as u64;
            return Err(Error::TooLarge { what: "the front-end".to_owned(), max, unit: "files" });
        }
        let path = self.target.join(FRONTEND_FILES).join(name);
        let mut file = match create(&path) {
            Err(error) if is_taken(&error) => return refuse("one of its directories is a file, or it is a directory itself"),
            created => created.map_err(Error::io(&path))?,
        };
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 64 << 10];
        loop {
            let count = match source.read(&mut buffer) {
                Ok(count) => count,
                Err(error) => return Err(unreadable(error)),
            };
            let chunk = buffer.get(..count).unwrap_or_default();
            if chunk.is_empty() {
                break;
            }
            self.bytes += chunk.len() as u64;
            if self.bytes > self.bounds.bytes_max {
                let max = self.bounds.bytes_max;
                return Err(Error::TooLarge { what: "the front-end".to_owned(), max, unit: "bytes" });
            }
            hash.update(chunk);
            file.write_all(chunk).map_err(Error::io(&path))?;
        }
        file.sync_all().map_err(Error::io(&path))?;
        self.hashes.insert(name.to_owned(), Digest::from_bytes(hash.finalize().into()));
        Ok(())
    }

    /// One for the same files under the same names. No name has a line's end in it.
    fn revision(&self) -> Digest {
        let lines: String = self.hashes.iter().map(|(name, digest)| format!("{name}\n{digest}\n")).collect();
        Digest::of(lines.as_bytes())
    }
}

fn create(path: &PathBuf) -> io::Result<File> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    OpenOptions::new().write(true).create_new(true).open(path)
}

fn is_taken(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use serde_json::json;
    use zip::{ZipWriter, write::SimpleFileOptions};

    use super::*;

    const POINTS: &str = "[mint.plugins]\nx = x.plugin:X\n";

    /// What is made of a wheel with these files.
    fn taken(files: &[(&str, &str)], link: Option<&str>, bounds: &FrontendBounds) -> Result<Option<(String, Vec<String>)>> {
        taken_from(files, link, None, bounds)
    }

    fn taken_from(
        files: &[(&str, &str)],
        link: Option<&str>,
        place: Option<&str>,
        bounds: &FrontendBounds,
    ) -> Result<Option<(String, Vec<String>)>> {
        let mut wheel = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, text) in files {
            wheel.start_file(*name, SimpleFileOptions::default()).unwrap();
            wheel.write_all(text.as_bytes()).unwrap();
        }
        if let Some(link) = link {
            wheel.add_symlink(link, "/etc/passwd", SimpleFileOptions::default()).unwrap();
        }
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("x.whl"), wheel.finish().unwrap().into_inner()).unwrap();
        let manifest = json!({
            "format_version": 2, "plugin": { "slug": "x", "version": "1" },
            "wheels": { "main": "x.whl", "distribution": "x", "entry_point": "x" }, "files": { "x.whl": Digest::of(b"") },
        });
        let manifest = Manifest::parse(manifest.to_string().as_bytes()).unwrap();
        let target = directory.path().join("out");
        if !take_frontend(directory.path(), &manifest, &target, place, bounds)? {
            return Ok(None);
        }
        let mut found = Vec::new();
        let mut waiting = vec![target.join(FRONTEND_FILES)];
        while let Some(path) = waiting.pop() {
            if path.is_dir() {
                waiting.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            } else {
                found.push(path.strip_prefix(target.join(FRONTEND_FILES)).unwrap().to_str().unwrap().to_owned());
            }
        }
        found.sort();
        Ok(Some((fs::read_to_string(target.join(FRONTEND_REVISION)).unwrap(), found)))
    }

    #[test]
    fn it_stands_beside_the_module_or_above_it() {
        for (index, expected) in [
            ("x/frontend/index.html", true),
            ("x/frontend/dist/index.html", true),
            ("x/plugin/frontend/index.html", true),
            ("y/frontend/index.html", false),
            ("frontend/index.html", false),
            ("x/frontend/start.html", false),
        ] {
            let files = [("x-1.dist-info/entry_points.txt", POINTS), (index, "<html>"), ("x/plugin.py", "")];
            let found = taken(&files, None, &FrontendBounds::default()).unwrap();
            assert_eq!(found.map(|(_, files)| files), expected.then(|| vec!["index.html".to_owned()]), "{index}");
        }
    }

    #[test]
    fn the_plugin_can_say_where_it_stands() {
        let files = [
            ("x-1.dist-info/entry_points.txt", POINTS),
            ("x/frontend/index.html", "<html>"),
            ("x/web/index.html", "<html>"),
            ("x/web/a.js", ""),
        ];
        for (place, expected) in [(Some("x/web"), Some(2)), (None, Some(1)), (Some("x"), None), (Some("../x/web"), None)] {
            let found = taken_from(&files, None, place, &FrontendBounds::default()).unwrap();
            assert_eq!(found.map(|(_, files)| files.len()), expected, "{place:?}");
        }
    }

    #[test]
    fn the_revision_follows_names_and_bytes_and_nothing_else() {
        let of = |files: &[(&str, &str)]| {
            let point = [("x-1.dist-info/entry_points.txt", POINTS)];
            taken(&[&point, files].concat(), None, &FrontendBounds::default()).unwrap().unwrap().0
        };
        let index = ("x/frontend/index.html", "<html>");
        let one = of(&[index, ("x/frontend/a/b.js", "1")]);
        assert!(one.starts_with("sha256:"), "{one}");
        assert_eq!(one, of(&[("x/frontend/a/b.js", "1"), index, ("x/plugin.py", "other")]));
        assert_ne!(one, of(&[index, ("x/frontend/a/b.js", "2")]));
        assert_ne!(one, of(&[index, ("x/frontend/a/c.js", "1")]));
    }

    #[test]
    fn what_is_too_much_or_no_plain_file_is_refused() {
        let refusal = |more: &[(&str, &str)], link, bounds: &FrontendBounds| {
            let files = [("x-1.dist-info/entry_points.txt", POINTS), ("x/frontend/index.html", "<html>")];
            taken(&[&files, more].concat(), link, bounds).unwrap_err().to_string()
        };
        let (wide, two) = (FrontendBounds::default(), FrontendBounds { files_max: 2, bytes_max: 10 });
        for (told, words) in [
            (refusal(&[("x/frontend/a", ""), ("x/frontend/b", "")], None, &two), "larger than 2 files"),
            (refusal(&[("x/frontend/a", "12345")], None, &two), "larger than 10 bytes"),
            (refusal(&[], Some("x/frontend/secrets"), &wide), "only plain files"),
            (refusal(&[("x/frontend/../../a", "")], None, &wide), "relative path"),
            (refusal(&[("x/frontend/a\\b", "")], None, &wide), "backslash"),
            (refusal(&[("x/frontend/a", ""), ("x/frontend/A", "")], None, &wide), "case only"),
            (refusal(&[("x/frontend/a", ""), ("x/frontend/a/b", "")], None, &wide), "one of its directories is a file"),
        ] {
            assert!(told.contains(words), "{words} is not in: {told}");
        }
    }
}
