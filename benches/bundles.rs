//! Bundles made from those of the guests: the same component under another name or policy.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use mint_bundle::{Bounds, Bundle};
use mint_domain::{
    Digest,
    manifest::{InstancePolicy, Manifest},
};
use serde_json::Value;

/// A guest's bundle, unpacked.
#[derive(Debug)]
pub(crate) struct Guest {
    pub(crate) manifest: Manifest,
    pub(crate) directory: PathBuf,
}

impl Guest {
    /// Unpacks `<name>.mint` of `guests` into `dir`.
    pub(crate) fn unpack(guests: &Path, name: &str, dir: &Path) -> Result<Self> {
        let path = guests.join(format!("{name}.mint"));
        let bundle = Bundle::open(&path, &Bounds::default()).with_context(|| path.display().to_string())?;
        let (manifest, directory) = (bundle.manifest().clone(), dir.join(name));
        bundle.unpack(&directory)?;
        Ok(Self { manifest, directory })
    }

    /// Its manifest with another slug and policy.
    pub(crate) fn manifest_as(&self, slug: &str, instances: InstancePolicy) -> Result<Manifest> {
        let mut manifest = self.manifest.clone();
        manifest.plugin.slug = slug.parse()?;
        manifest.plugin.routes_prefix = None;
        manifest.instances = instances;
        Ok(manifest)
    }

    /// Writes a bundle of the same component with another slug and policy beside the unpacked one.
    pub(crate) fn bundle_as(&self, slug: &str, instances: InstancePolicy) -> Result<PathBuf> {
        self.write(&self.manifest_as(slug, instances)?, |name| self.directory.join(name))
    }

    /// The same files as another release.
    pub(crate) fn release(&self, version: &str) -> Result<PathBuf> {
        let mut manifest = self.manifest.clone();
        manifest.plugin.version = version.to_owned();
        let path = self.directory.with_file_name(format!("{}-{version}.mint", manifest.plugin.slug));
        let files = manifest.files.keys().map(|name| (name.clone(), self.directory.join(name)));
        mint_bundle::write(&path, manifest.clone(), files)?;
        Ok(path)
    }

    /// The same with another component: it differs by a custom section that nobody reads, so that nothing of its code is shared.
    pub(crate) fn distinct_bundle(&self, slug: &str) -> Result<PathBuf> {
        let entry = self.manifest.component.as_ref().context("the guest has no component")?;
        let mut component = fs::read(self.directory.join(entry))?;
        let length = u8::try_from(slug.len())?;
        component.extend([0, length + 1, length]);
        component.extend(slug.bytes());
        let other = self.directory.with_file_name(format!("{slug}.wasm"));
        fs::write(&other, component)?;
        let source = |name: &str| if name == entry { other.clone() } else { self.directory.join(name) };
        self.write(&self.manifest_as(slug, self.manifest.instances)?, source)
    }

    fn write(&self, manifest: &Manifest, source: impl Fn(&str) -> PathBuf) -> Result<PathBuf> {
        let path = self.directory.with_file_name(format!("{}.mint", manifest.plugin.slug));
        let files = manifest.files.keys().map(|name| (name.clone(), source(name)));
        mint_bundle::write(&path, manifest.clone(), files)?;
        Ok(path)
    }
}

/// Writes a bundle of one file, with this manifest without hashes, into `place`.
pub(crate) fn written(place: &Path, mut manifest: Value, entry: &str, bytes: &[u8]) -> Result<PathBuf> {
    let hashes = BTreeMap::from([(entry, Digest::of(b"").to_string())]);
    manifest.as_object_mut().context("a manifest is an object")?.insert("files".to_owned(), serde_json::to_value(hashes)?);
    let manifest = Manifest::parse(manifest.to_string().as_bytes())?;
    let (file, path) = (place.join("entry"), place.join(format!("{}.mint", manifest.plugin.slug)));
    fs::write(&file, bytes)?;
    mint_bundle::write(&path, manifest, [(entry.to_owned(), file)])?;
    Ok(path)
}
