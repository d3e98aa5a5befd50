//! Compiled components: made within bounds, kept under the digest of the component, mapped on use.
//!
//! A file of the cache is machine code that the server will run, so it is written by the server only, for the server's
//! user only, and its SHA-256 stands beside it: what does not match is thrown away and compiled again.

use std::{
    collections::HashMap,
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use mint_domain::{Digest, Grants, lifecycle::Failure};
use tempfile::NamedTempFile;
use tokio::{
    sync::{Mutex, Semaphore},
    task,
};
use wasmtime::component::Component;

use crate::{engine::Engine, imports};

/// Largest component, in bytes.
pub(crate) const COMPONENT_BYTES_MAX: u64 = 50 << 20;
/// Longest time to compile one, by default.
pub(crate) const COMPILE_TIMEOUT: Duration = Duration::from_secs(60);

/// A compiled component, shared by all installations of all tenants that run it.
#[derive(Debug)]
pub(crate) struct Artifact {
    /// The digest of its source.
    pub digest: Digest,
    /// The code.
    pub component: Component,
}

impl std::fmt::Debug for Artifacts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Artifacts").field("directory", &self.directory).finish_non_exhaustive()
    }
}

/// The cache of compiled components.
pub(crate) struct Artifacts {
    engine: Engine,
    directory: PathBuf,
    compiling: Arc<Semaphore>,
    compile_timeout: Duration,
    loaded: Mutex<HashMap<Digest, Weak<Artifact>>>,
}

/// A component as it stands in a release, checked for its size and its form.
struct Source {
    bytes: Vec<u8>,
    imports: Vec<String>,
}

impl Artifacts {
    /// The cache in `directory`, which is made if it does not exist. No component may take longer to compile than
    /// `compile_timeout`.
    ///
    /// # Errors
    /// When the directory cannot be made.
    pub(crate) fn open(engine: Engine, directory: PathBuf, compile_timeout: Duration) -> io::Result<Self> {
        fs::create_dir_all(&directory)?;
        Ok(Self { engine, directory, compiling: Arc::new(Semaphore::new(1)), compile_timeout, loaded: Mutex::default() })
    }

    /// The component in the file `source`, whose digest the manifest gives: from memory, from the cache, or, where
    /// `grants` allow what it imports, compiled now.
    ///
    /// # Errors
    /// A [`Failure`] that tells what is wrong with the component, or with this machine.
    pub(crate) async fn get(&self, source: &Path, digest: Digest, grants: &Grants) -> Result<Arc<Artifact>, Failure> {
        let artifact = match self.load(digest).await? {
            Some(artifact) => artifact,
            None => {
                let source = source.to_owned();
                let source = blocking(move || read_source(&source, digest)).await?;
                imports::check(source.imports.iter().map(String::as_str), grants)?;
                self.compile(source.bytes, digest).await?;
                self.load(digest).await?.ok_or_else(|| host_failure("the compiled component disappeared from the cache"))?
            }
        };
        let component_type = artifact.component.component_type();
        imports::check(component_type.imports(self.engine.wasmtime()).map(|(name, _)| name), grants)?;
        Ok(artifact)
    }

    /// From memory, or from the cache if a sound artifact stands there.
    async fn load(&self, digest: Digest) -> Result<Option<Arc<Artifact>>, Failure> {
        // Held while mapping, so that two starts of the same release map it once.
        let mut loaded = self.loaded.lock().await;
        if let Some(artifact) = loaded.get(&digest).and_then(Weak::upgrade) {
            return Ok(Some(artifact));
        }
        let (engine, path) = (self.engine.clone(), self.path(digest));
        let Some(component) = blocking(move || Ok(map(&engine, &path))).await? else { return Ok(None) };
        let artifact = Arc::new(Artifact { digest, component });
        loaded.retain(|_, artifact| artifact.strong_count() > 0);
        loaded.insert(digest, Arc::downgrade(&artifact));
        Ok(Some(artifact))
    }

    /// Removes what was compiled and has not been loaded for that long; what is loaded stays mapped all the same.
    ///
    /// # Errors
    /// When the directory cannot be changed.
    pub(crate) async fn tidy(&self, unused_for: Duration) -> io::Result<usize> {
        let directory = self.directory.clone();
        let tidied = task::spawn_blocking(move || {
            let mut removed = 0;
            for entry in fs::read_dir(directory)? {
                let path = entry?.path();
                let is_code = path.extension().is_some_and(|extension| extension == "cwasm");
                let age = |path: &Path| Ok::<_, io::Error>(fs::metadata(path)?.modified()?.elapsed().unwrap_or_default());
                if is_code && age(&path)? >= unused_for {
                    // Without its checksum it does not count, so this one goes first.
                    match fs::remove_file(checksum_path(&path)) {
                        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                        Ok(()) | Err(_) => fs::remove_file(path)?,
                    }
                    removed += 1;
                }
            }
            Ok(removed)
        });
        tidied.await.map_err(io::Error::other)?
    }

    fn path(&self, digest: Digest) -> PathBuf {
        self.directory.join(format!("{}-{}.cwasm", digest.hex(), self.engine.compatibility()))
    }

    /// Compiles into the cache what does not stand there: one component at a time in this process, within
    /// the time that it may take.
    async fn compile(&self, bytes: Vec<u8>, digest: Digest) -> Result<(), Failure> {
        let permit = Arc::clone(&self.compiling).acquire_owned().await.map_err(|error| host_failure(&error.to_string()))?;
        let abandoned = Abandoned(Arc::new(AtomicBool::new(false)));
        let (engine, path, flag) = (self.engine.clone(), self.path(digest), Arc::clone(&abandoned.0));
        let work = task::spawn_blocking(move || {
            // The permit goes back when the compiler is done, even if nobody waits for it any more.
            let _permit = permit;
            if is_sound(&path) {
                return Ok(());
            }
            let begun_at = Instant::now();
            let code = engine.wasmtime().precompile_component(&bytes).map_err(|error| not_compiled(&error))?;
            if flag.load(Ordering::Relaxed) {
                return Ok(());
            }
            write_artifact(&path, &code).map_err(|error| host_failure(&format!("{}: {error}", path.display())))?;
            tracing::info!(component.digest = %digest, component.bytes = bytes.len(), artifact.bytes = code.len(),
                elapsed_ms = begun_at.elapsed().as_millis(), "compiled a component");
            Ok(())
        });
        match tokio::time::timeout(self.compile_timeout, work).await {
            Ok(Ok(result)) => result,
            Ok(Err(panic)) => Err(host_failure(&format!("the compiler failed: {panic}"))),
            Err(_) => Err(Failure::new(
                "stage",
                format!("Compiling the component took longer than {} s.", self.compile_timeout.as_secs_f32()),
                "Make the component smaller: fewer dependencies, optimised for size.",
            )),
        }
    }
}

/// Tells the compiler's thread that nobody waits for its work, however the waiting ended.
struct Abandoned(Arc<AtomicBool>);

impl Drop for Abandoned {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Failure> + Send + 'static) -> Result<T, Failure> {
    task::spawn_blocking(work).await.unwrap_or_else(|panic| Err(host_failure(&panic.to_string())))
}

fn read_source(path: &Path, digest: Digest) -> Result<Source, Failure> {
    let unreadable = |error: io::Error| host_failure(&format!("{}: {error}", path.display()));
    let size = fs::metadata(path).map_err(unreadable)?.len();
    if size > COMPONENT_BYTES_MAX {
        return Err(Failure::new(
            "stage",
            format!("The component is {} MiB; at most {} MiB are allowed.", size >> 20, COMPONENT_BYTES_MAX >> 20),
            "Build it in release mode, without debug information.",
        ));
    }
    let bytes = fs::read(path).map_err(unreadable)?;
    if Digest::of(&bytes) != digest {
        return Err(Failure::new(
            "stage",
            "The component on disk is not the one that was installed.",
            "Uninstall the plugin and install its bundle again.",
        ));
    }
    let imports = imports::read(&bytes)?;
    Ok(Source { bytes, imports })
}

fn checksum_path(path: &Path) -> PathBuf {
    path.with_extension("cwasm.sha256")
}

/// Whether the artifact is there, whole and unaltered.
fn is_sound(path: &Path) -> bool {
    let (Ok(expected), Ok(code)) = (fs::read_to_string(checksum_path(path)), fs::read(path)) else { return false };
    let sound = expected.parse().is_ok_and(|expected: Digest| expected == Digest::of(&code));
    if !sound {
        tracing::warn!(path = %path.display(), "a compiled component was truncated or altered; it is compiled again");
    }
    sound
}

/// Writes the checksum last: without it, the artifact does not count.
fn write_artifact(path: &Path, code: &[u8]) -> io::Result<()> {
    replace(path, code)?;
    replace(&checksum_path(path), Digest::of(code).to_string().as_bytes())
}

/// Puts a whole file in place in one step. Temporary files have mode 0600.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path.parent().ok_or(io::ErrorKind::NotFound)?;
    let mut file = NamedTempFile::new_in(directory)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    fs::File::open(directory)?.sync_all()
}

/// Maps the artifact, if it is sound and made by an engine like this one.
fn map(engine: &Engine, path: &Path) -> Option<Component> {
    if !is_sound(path) {
        return None;
    }
    if let Err(error) = touch(path) {
        tracing::debug!(path = %path.display(), error = %error, "when an artifact was used could not be noted");
    }
    deserialize(engine, path)
        .inspect_err(|error| tracing::warn!(path = %path.display(), error = %error, "a compiled component could not be loaded"))
        .ok()
}

/// Notes that it was loaded: when it last was tells whether anybody still wants it.
#[expect(clippy::disallowed_methods, reason = "the time of the file system, which ages are told by")]
fn touch(path: &Path) -> io::Result<()> {
    fs::File::options().append(true).open(path)?.set_modified(SystemTime::now())
}

#[expect(unsafe_code, reason = "mapping code is the point of the cache; this is the only place that does it")]
fn deserialize(engine: &Engine, path: &Path) -> wasmtime::Result<Component> {
    // SAFETY: the file was written by `write_artifact` of this program, for this user only, and `is_sound` has just
    // found it unaltered; wasmtime itself checks that an engine like this one made it. Plugins cannot reach the directory.
    unsafe { Component::deserialize_file(engine.wasmtime(), path) }
}

fn not_compiled(error: &wasmtime::Error) -> Failure {
    Failure::new(
        "stage",
        format!("The component does not compile: {error:#}."),
        "Build it for WASI 0.2, without threads, garbage collection, exceptions or other proposals.",
    )
}

fn host_failure(detail: &str) -> Failure {
    Failure::new(
        "stage",
        format!("The platform could not prepare the component: {detail}."),
        "Check the disk and the server's log.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ResetChoice;

    fn component(directory: &Path, text: &str) -> (PathBuf, Digest) {
        let path = directory.join("plugin.wasm");
        let bytes = wat::parse_str(text).unwrap();
        fs::write(&path, &bytes).unwrap();
        (path, Digest::of(&bytes))
    }

    fn compiled(directory: &Path) -> PathBuf {
        let is_code = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "cwasm");
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).find(is_code).unwrap()
    }

    #[tokio::test]
    async fn a_component_is_compiled_once_and_an_altered_artifact_again() {
        let directory = tempfile::tempdir().unwrap();
        let (path, digest) = component(directory.path(), "(component)");
        let cache = directory.path().join("cache");
        let engine = Engine::new(1, ResetChoice::Auto).unwrap();
        let artifacts = Artifacts::open(engine.clone(), cache.clone(), COMPILE_TIMEOUT).unwrap();
        let first = artifacts.get(&path, digest, &Grants::default()).await.unwrap();
        assert!(
            Arc::ptr_eq(&first, &artifacts.get(&path, digest, &Grants::default()).await.unwrap()),
            "loaded once while in use"
        );
        drop(first);
        let code = compiled(&cache);
        let whole = fs::read(&code).unwrap();
        fs::write(&code, whole.get(..whole.len() / 2).unwrap()).unwrap();
        assert!(!is_sound(&code));
        artifacts.get(&path, digest, &Grants::default()).await.unwrap();
        assert!(is_sound(&code) && fs::read(&code).unwrap() == whole);
        assert_eq!(std::os::unix::fs::MetadataExt::mode(&fs::metadata(&code).unwrap()) & 0o777, 0o600);
    }

    /// A component that takes the compiler a while: much arithmetic in one function.
    fn long_winded() -> String {
        let sums = "(local.set 0 (i64.mul (i64.add (local.get 0) (i64.const 77)) (i64.const 13)))".repeat(20_000);
        format!("(component (core module (func (export \"x\") (param i64) (result i64) {sums} (local.get 0))))")
    }

    #[tokio::test]
    async fn a_compiler_that_takes_too_long_is_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let (path, digest) = component(directory.path(), &long_winded());
        let cache = directory.path().join("cache");
        let engine = Engine::new(1, ResetChoice::Auto).unwrap();
        let hasty = Artifacts::open(engine.clone(), cache.clone(), Duration::from_millis(1)).unwrap();
        let failure = hasty.get(&path, digest, &Grants::default()).await.unwrap_err();
        assert_eq!(failure.phase, "stage");
        assert!(failure.reason.contains("longer than 0.001 s") && failure.hint.contains("smaller"), "{failure}");
        // The next one waits for the compiler that still runs, whose work is then not kept.
        let _permit = hasty.compiling.acquire().await.unwrap();
        assert!(!hasty.path(digest).exists(), "nobody waited for it, so it is not in the cache");
        let patient = Artifacts::open(engine, cache, COMPILE_TIMEOUT).unwrap();
        patient.get(&path, digest, &Grants::default()).await.unwrap();
    }

    #[tokio::test]
    async fn what_cannot_run_is_refused_with_words() {
        let directory = tempfile::tempdir().unwrap();
        let engine = Engine::new(1, ResetChoice::Auto).unwrap();
        let artifacts = Artifacts::open(engine, directory.path().join("cache"), COMPILE_TIMEOUT).unwrap();
        let (path, digest) = component(directory.path(), "(module)");
        let module = artifacts.get(&path, digest, &Grants::default()).await.unwrap_err();
        assert!(module.reason.contains("core WebAssembly module"), "{module}");
        let (path, digest) = component(directory.path(), r#"(component (import "acme:x/y@1.0.0" (instance)))"#);
        let unknown = artifacts.get(&path, digest, &Grants::default()).await.unwrap_err();
        assert!(unknown.reason.contains("acme:x/y@1.0.0"), "{unknown}");
        let altered = artifacts.get(&path, Digest::of(b"other"), &Grants::default()).await.unwrap_err();
        assert!(altered.reason.contains("not the one"), "{altered}");
        let shared = r#"(component (core module (memory 1 1 shared)))"#;
        let (path, digest) = component(directory.path(), shared);
        let threads = artifacts.get(&path, digest, &Grants::default()).await.unwrap_err();
        assert!(threads.reason.contains("does not compile"), "{threads}");
    }
}
