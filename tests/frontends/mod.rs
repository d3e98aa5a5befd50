//! Front-ends of plugins: who gets to them, what is served, and that each is alone at its origin.

mod chromium;
mod entry;
mod external;
mod files;
mod origin;
mod pages;
mod passkeys;

use mint_tests::Guest;
use serde_json::json;

use crate::subprocess::Program;

/// A page with files of every kind.
const FILES: &[(&str, &[u8])] = &[
    ("index.html", b"<!doctype html><title>page</title>"),
    ("assets/index-DiwrgTda.js", b"console.log(1)"),
    ("plain.js", b"0123456789"),
    ("plain.js.gz", b"\x1f\x8bpacked"),
    ("guide/index.html", b"guide"),
];

/// A program with a front-end.
fn with_frontend(program: &Program, slug: &str, version: &str, files: &[(&str, &[u8])]) -> Guest {
    let plugin = json!({ "plugin": { "slug": slug, "version": version, "plugin_type": "full" } });
    program.bundle_with_frontend(slug, plugin, files)
}
