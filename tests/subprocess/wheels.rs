//! Wheels: those of the notebook's bundle, and small ones made by hand.

use std::io::{Cursor, Write as _};

use mint_bundle::{Bounds, Bundle};
use mint_domain::Digest;
use mint_tests::{Guest, bundle, manifest};
use serde_json::json;
use zip::{DateTime, ZipWriter, write::SimpleFileOptions};

/// What the notebook's bundle has for isolated mode.
pub(crate) struct Parts {
    /// File name and bytes of the plugin's wheel.
    pub(crate) notebook: (String, Vec<u8>),
    /// File name and bytes of the SDK's wheel.
    pub(crate) sdk: (String, Vec<u8>),
    /// The locked requirements of both.
    pub(crate) requirements: String,
}

impl Parts {
    /// Takes the bundle apart.
    pub(crate) fn of_notebook() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let opened = Bundle::open(&bundle("notebook").path, &Bounds::default()).unwrap();
        let wheels = opened.manifest().wheels.clone().unwrap();
        let unpacked = directory.path().join("unpacked");
        opened.unpack(&unpacked).unwrap();
        let read = |entry: &String| {
            let bytes = std::fs::read(unpacked.join(entry)).unwrap();
            (entry.rsplit('/').next().unwrap().to_owned(), bytes)
        };
        let requirements = String::from_utf8(read(wheels.requirements.as_ref().unwrap()).1).unwrap();
        Self { notebook: read(&wheels.main), sdk: read(&wheels.dependencies[0]), requirements }
    }

    /// A bundle of a plugin class in `source`, with the requirements of the notebook for its own.
    pub(crate) fn with_plugin(&self, slug: &str, source: &str) -> Guest {
        let own = wheel(slug, &["mint-guest-sdk"], source);
        let pinned: Vec<&str> = self.requirements.split_inclusive('\n').collect();
        let begins = pinned.iter().position(|line| line.starts_with("notebook==")).unwrap();
        let length = 1 + pinned[begins + 1..].iter().take_while(|line| line.starts_with(' ')).count();
        let others = [&pinned[..begins], &pinned[begins + length..]].concat().concat();
        let requirements = format!("{slug}==1.0.0 --hash={}\n{others}", Digest::of(&own));
        bundle_of(slug, &own, &[(&self.sdk.0, &self.sdk.1)], Some(&requirements))
    }
}

/// A bundle of a wheel made by [`wheel`], with other wheels and perhaps locked requirements.
pub(crate) fn bundle_of(slug: &str, own: &[u8], others: &[(&str, &[u8])], requirements: Option<&str>) -> Guest {
    let main = format!("wheels/{}-1.0.0-py3-none-any.whl", module(slug));
    let others: Vec<(String, &[u8])> = others.iter().map(|(name, bytes)| (format!("wheels/{name}"), *bytes)).collect();
    let mut description = json!({
        "plugin": { "slug": slug, "version": "1.0.0" },
        "wheels": {
            "main": main, "dependencies": others.iter().map(|(entry, _)| entry).collect::<Vec<_>>(),
            "distribution": slug, "entry_point": slug,
        },
    });
    let mut files = vec![(main.as_str(), own)];
    files.extend(others.iter().map(|(entry, bytes)| (entry.as_str(), *bytes)));
    if let Some(text) = requirements {
        description["wheels"]["requirements"] = "requirements.txt".into();
        files.push(("requirements.txt", text.as_bytes()));
    }
    manifest(description, &files)
}

/// A pure wheel, version 1.0.0, of one module that is the plugin: its class is called `Plugin`.
pub(crate) fn wheel(slug: &str, requires: &[&str], source: &str) -> Vec<u8> {
    let module = module(slug);
    let info = format!("{module}-1.0.0.dist-info");
    let requires: String = requires.iter().map(|name| format!("Requires-Dist: {name}\n")).collect();
    let mut files = vec![
        (format!("{module}.py"), source.to_owned()),
        (format!("{info}/METADATA"), format!("Metadata-Version: 2.1\nName: {slug}\nVersion: 1.0.0\n{requires}")),
        (format!("{info}/WHEEL"), "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n".to_owned()),
        (format!("{info}/entry_points.txt"), format!("[mint.plugins]\n{slug} = {module}:Plugin\n")),
    ];
    let record: String = files.iter().map(|(name, _)| format!("{name},,\n")).collect();
    files.push((format!("{info}/RECORD"), format!("{record}{info}/RECORD,,\n")));
    archive(files.iter().map(|(name, text)| (name.as_str(), text.as_bytes())))
}

/// A zip file, always the same for the same files.
pub(crate) fn archive<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().last_modified_time(DateTime::default());
    for (name, bytes) in files {
        archive.start_file(name, options).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

fn module(slug: &str) -> String {
    slug.replace('-', "_")
}
