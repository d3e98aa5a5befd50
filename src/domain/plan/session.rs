//! What a session of a plugin's tables takes, which MINT's SDKs promise and leave to the platform to have.

use std::collections::BTreeSet;

use super::Question;
use crate::{Capability, requirement::PythonParts};

/// SDKs that promise a session of SQLAlchemy's to plugins with tables.
const SESSION_SDKS: &[&str] = &["mint-sdk", "mld-sdk"];

/// The packages of a session, the driver of the database last. `in_files`: of SQLite, else of PostgreSQL.
pub fn session_packages(in_files: bool) -> &'static [&'static str] {
    if in_files { &["sqlalchemy", "greenlet", "aiosqlite"] } else { &["sqlalchemy", "greenlet", "asyncpg"] }
}

/// Whether whoever requires these packages was promised a session.
pub fn promises_session<'a>(mut required: impl Iterator<Item = &'a str>) -> bool {
    required.any(|package| SESSION_SDKS.contains(&package))
}

/// Those of them that a bundle neither has nor names, where it may be granted tables.
pub(super) fn lacking(python: &PythonParts, question: &Question<'_>) -> Vec<String> {
    let manifest = question.manifest;
    // MINT's own format does not say what is asked for.
    let asks = manifest.format_version == 1 || manifest.capabilities.iter().any(|one| one.name == Capability::Database);
    let required = || python.main.metadata.requires.iter().map(|one| one.package.as_str());
    if !asks || !promises_session(required()) {
        return Vec::new();
    }
    let bundled = python.wheels().map(|wheel| wheel.metadata.package());
    let locked = python.lock.iter().flat_map(|lock| &lock.requirements).map(|one| one.package.clone());
    let had: BTreeSet<String> = bundled.chain(locked).chain(required().map(str::to_owned)).collect();
    let wanted = session_packages(question.platform.tables_in_files);
    wanted.iter().filter(|package| !had.contains(**package)).map(|package| (*package).to_owned()).collect()
}
