//! Naming a bundle on the command line.

use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use mint_bundle::{Bounds, Bundle};
use mint_domain::{Manifest, Slug};
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{output::Output, progress::sent_file};

/// A bundle, or a component that becomes one.
#[derive(Debug, clap::Args)]
pub(super) struct BundleArgument {
    /// A `.mint` bundle (also MINT's own), or a component (`.wasm`)
    bundle: PathBuf,
    /// For a bare component: its slug
    #[arg(long)]
    slug: Option<Slug>,
    /// For a bare component: its version
    #[arg(long, value_name = "VERSION", default_value = "0.0.0")]
    release: String,
}

/// A bundle's file, whose form and manifest were checked.
pub(super) struct OpenedBundle {
    pub(super) manifest: Manifest,
    path: PathBuf,
    _scratch: TempDir,
}

impl BundleArgument {
    /// Opens it, as the server will.
    pub(super) fn open(&self) -> anyhow::Result<OpenedBundle> {
        let scratch = tempfile::tempdir()?;
        let path = match self.bundle.extension().and_then(|extension| extension.to_str()) {
            Some("wasm") => self.wrap(scratch.path())?,
            _ => self.bundle.clone(),
        };
        let opened = Bundle::open(&path, &Bounds::default()).map_err(|error| match error {
            // Names the file itself.
            mint_bundle::Error::Io { .. } => anyhow!("{error}"),
            _ => anyhow!("{}: {error}", path.display()),
        })?;
        Ok(OpenedBundle { manifest: opened.manifest().clone(), path, _scratch: scratch })
    }

    /// A bundle around a component that has none.
    fn wrap(&self, scratch: &Path) -> anyhow::Result<PathBuf> {
        let Some(slug) = &self.slug else { bail!("a bare component has no name: give it one with --slug") };
        let manifest = json!({
            "format_version": 2,
            "plugin": { "slug": slug, "version": self.release },
            "component": "plugin.wasm",
            "files": { "plugin.wasm": mint_domain::Digest::of(b"") },
        });
        let manifest = Manifest::parse(&serde_json::to_vec(&manifest)?)?;
        let path = scratch.join(format!("{slug}.mint"));
        mint_bundle::write(&path, manifest, [("plugin.wasm".to_owned(), self.bundle.clone())])?;
        Ok(path)
    }
}

impl OpenedBundle {
    /// The form in which the server takes it.
    pub(super) async fn form(&self, decision: &Value, output: Output) -> anyhow::Result<Form> {
        let (body, length) = sent_file(output, &self.path).await?;
        let part = Part::stream_with_length(body, length).file_name("bundle.mint");
        Ok(Form::new().text("decision", decision.to_string()).part("bundle", part))
    }
}
