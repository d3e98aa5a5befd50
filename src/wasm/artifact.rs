//! Compiled components: made by a [`Compiler`], kept under the digest of the component, mapped on use.
//!
//! A file of the cache is machine code that the server will run, so it is written by the server only, for the server's
//! user only, and a keyed BLAKE3 of its name and its bytes stands beside it: what does not match is thrown away and compiled again.

use std::{
    collections::HashMap,
    fmt,
    fs::{self, File},
    io::{self, Read as _, Seek as _, Write as _},
    os::fd::AsRawFd as _,
    path::{Path, PathBuf},
    sync::{Arc, Weak},
    time::{Duration, Instant, SystemTime},
};

use mint_domain::{Digest, Grants, lifecycle::Failure};
use tempfile::NamedTempFile;
use tokio::{
    sync::{Mutex, Semaphore},
    task,
};
use wasmtime::component::Component;

use crate::{compiler::Compiler, engine::Engine, imports, runtime::Options};

/// Largest component, in bytes.
pub(crate) const COMPONENT_BYTES_MAX: u64 = 50 << 20;

/// A compiled component, shared by all installations of all tenants that run it.
#[derive(Debug)]
pub(crate) struct Artifact {
    /// The digest of its source.
    pub digest: Digest,
    /// The code.
    pub component: Component,
}

impl fmt::Debug for Artifacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Artifacts").field("directory", &self.directory).finish_non_exhaustive()
    }
}

/// The cache of compiled components.
pub(crate) struct Artifacts {
    engine: Engine,
    directory: PathBuf,
    seal: Seal,
    compiler: Arc<dyn Compiler>,
    /// One at a time: each may take much memory.
    turns: Semaphore,
    loaded: Mutex<HashMap<Digest, Weak<Artifact>>>,
}

/// A component as it stands in a release, checked for its size and its form.
struct Source {
    file: File,
    imports: Vec<String>,
}

/// Tells the code that this server wrote from any other.
#[derive(Clone, Copy)]
struct Seal([u8; 32]);

impl Artifacts {
    /// The cache of these options, whose directory is made if it does not exist.
    ///
    /// # Errors
    /// When the directory cannot be made.
    pub(crate) fn open(engine: Engine, options: &Options) -> io::Result<Self> {
        let directory = options.cache_directory.clone();
        fs::create_dir_all(&directory)?;
        let (seal, compiler) = (Seal(options.cache_key), Arc::clone(&options.compiler));
        Ok(Self { engine, directory, seal, compiler, turns: Semaphore::new(1), loaded: Mutex::default() })
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
                self.compile(source.file, digest).await?;
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
        let (engine, seal, path) = (self.engine.clone(), self.seal, self.path(digest));
        let Some(component) = blocking(move || Ok(map(&engine, seal, &path))).await? else { return Ok(None) };
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
                    // Without its seal it does not count, so this one goes first.
                    match fs::remove_file(seal_path(&path)) {
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

    /// Compiles into the cache what does not stand there.
    async fn compile(&self, component: File, digest: Digest) -> Result<(), Failure> {
        let _turn = self.turns.acquire().await.map_err(|error| host_failure(&error.to_string()))?;
        let (seal, path) = (self.seal, self.path(digest));
        let known = path.clone();
        if blocking(move || Ok(seal.open(&known).is_some())).await? {
            return Ok(());
        }
        let begun_at = Instant::now();
        let code = self.compiler.compile(component, self.engine.compatibility()).await?;
        tracing::info!(component.digest = %digest, artifact.bytes = code.len(), elapsed_ms = begun_at.elapsed().as_millis(),
            "compiled a component");
        blocking(move || seal.write(&path, &code).map_err(|error| host_failure(&format!("{}: {error}", path.display())))).await
    }
}

impl Seal {
    /// The artifact, if it is there, whole, and written by who has the key.
    fn open(self, path: &Path) -> Option<File> {
        let expected = fs::read_to_string(seal_path(path)).ok()?;
        let mut file = File::open(path).ok()?;
        let sound =
            blake3::Hash::from_hex(&expected).is_ok_and(|expected| self.of(path, &mut file).is_ok_and(|is| is == expected));
        if !sound {
            tracing::warn!(path = %path.display(), "a compiled component was truncated, altered or put there by somebody else; it is compiled again");
            return None;
        }
        file.rewind().ok()?;
        Some(file)
    }

    /// Writes the seal last: without it, the artifact does not count.
    fn write(self, path: &Path, code: &[u8]) -> io::Result<()> {
        replace(path, code)?;
        replace(&seal_path(path), self.of(path, code)?.to_hex().as_bytes())
    }

    /// Over the name too, which says what the code was made of, and for which engine.
    fn of(self, path: &Path, code: impl io::Read) -> io::Result<blake3::Hash> {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(path.file_name().unwrap_or_default().as_encoded_bytes());
        hasher.update_reader(code)?;
        Ok(hasher.finalize())
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Failure> + Send + 'static) -> Result<T, Failure> {
    task::spawn_blocking(work).await.unwrap_or_else(|panic| Err(host_failure(&panic.to_string())))
}

fn read_source(path: &Path, digest: Digest) -> Result<Source, Failure> {
    let unreadable = |error: io::Error| host_failure(&format!("{}: {error}", path.display()));
    let mut file = File::open(path).map_err(unreadable)?;
    let size = file.metadata().map_err(unreadable)?.len();
    if size > COMPONENT_BYTES_MAX {
        return Err(Failure::new(
            "stage",
            format!("The component is {} MiB; at most {} MiB are allowed.", size >> 20, COMPONENT_BYTES_MAX >> 20),
            "Build it in release mode, without debug information.",
        ));
    }
    let mut bytes = Vec::new();
    (&file).take(COMPONENT_BYTES_MAX).read_to_end(&mut bytes).map_err(unreadable)?;
    if Digest::of(&bytes) != digest {
        return Err(Failure::new(
            "stage",
            "The component on disk is not the one that was installed.",
            "Uninstall the plugin and install its bundle again.",
        ));
    }
    let imports = imports::read(&bytes)?;
    file.rewind().map_err(unreadable)?;
    Ok(Source { file, imports })
}

fn seal_path(path: &Path) -> PathBuf {
    path.with_extension("cwasm.seal")
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
fn map(engine: &Engine, seal: Seal, path: &Path) -> Option<Component> {
    let file = seal.open(path)?;
    if let Err(error) = touch(path) {
        tracing::debug!(path = %path.display(), error = %error, "when an artifact was used could not be noted");
    }
    deserialize(engine, &file)
        .inspect_err(|error| tracing::warn!(path = %path.display(), error = %error, "a compiled component could not be loaded"))
        .ok()
}

/// Notes that it was loaded: when it last was tells whether anybody still wants it.
#[expect(clippy::disallowed_methods, reason = "the time of the file system, which ages are told by")]
fn touch(path: &Path) -> io::Result<()> {
    fs::File::options().append(true).open(path)?.set_modified(SystemTime::now())
}

#[expect(unsafe_code, reason = "mapping code is the point of the cache; this is the only place that does it")]
fn deserialize(engine: &Engine, file: &File) -> wasmtime::Result<Component> {
    // The file that was looked at, whatever has its name by now.
    let open = format!("/proc/self/fd/{}", file.as_raw_fd());
    // SAFETY: the file was written by `Seal::write` of this program, for this user only, and `Seal::open` has just found this
    // very file unaltered; wasmtime itself checks that an engine like this one made it. Plugins cannot reach the directory.
    unsafe { Component::deserialize_file(engine.wasmtime(), open) }
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
    use crate::{
        compiler::{compile, refused},
        engine::ResetChoice,
    };

    /// Compiles in this process.
    #[derive(Debug)]
    struct Here;

    #[async_trait::async_trait]
    impl Compiler for Here {
        async fn compile(&self, mut component: File, compatibility: &str) -> Result<Vec<u8>, Failure> {
            let mut bytes = Vec::new();
            component.read_to_end(&mut bytes).unwrap();
            let compiled = compile(&bytes).map_err(|reason| refused(&reason))?;
            assert_eq!(compiled.compatibility, compatibility);
            Ok(compiled.code)
        }
    }

    fn cache(directory: &Path, key: u8) -> Artifacts {
        let engine = Engine::new(1, ResetChoice::Auto).unwrap();
        Artifacts::open(engine, &Options::new(directory.join("cache"), [key; 32], Arc::new(Here))).unwrap()
    }

    fn component(directory: &Path, text: &str) -> (PathBuf, Digest) {
        let path = directory.join("plugin.wasm");
        let bytes = wat::parse_str(text).unwrap();
        fs::write(&path, &bytes).unwrap();
        (path, Digest::of(&bytes))
    }

    #[tokio::test]
    async fn a_component_is_compiled_once_and_what_this_server_did_not_write_again() {
        let directory = tempfile::tempdir().unwrap();
        let (path, digest) = component(directory.path(), "(component)");
        let artifacts = cache(directory.path(), 1);
        let first = artifacts.get(&path, digest, &Grants::default()).await.unwrap();
        assert!(
            Arc::ptr_eq(&first, &artifacts.get(&path, digest, &Grants::default()).await.unwrap()),
            "loaded once while in use"
        );
        drop(first);
        let (code, seal) = (artifacts.path(digest), artifacts.seal);
        let whole = fs::read(&code).unwrap();
        assert_eq!(std::os::unix::fs::MetadataExt::mode(&fs::metadata(&code).unwrap()) & 0o777, 0o600);

        fs::write(&code, whole.get(..whole.len() / 2).unwrap()).unwrap();
        assert!(seal.open(&code).is_none(), "truncated");
        artifacts.get(&path, digest, &Grants::default()).await.unwrap();
        assert!(seal.open(&code).is_some() && fs::read(&code).unwrap() == whole);

        let other = artifacts.path(Digest::of(b"another component"));
        fs::copy(&code, &other).unwrap();
        fs::copy(seal_path(&code), seal_path(&other)).unwrap();
        assert!(seal.open(&other).is_none(), "the code of another component");
        assert!(cache(directory.path(), 2).seal.open(&code).is_none(), "sealed with another key");
    }

    #[tokio::test]
    async fn what_cannot_run_is_refused_with_words() {
        let directory = tempfile::tempdir().unwrap();
        let artifacts = cache(directory.path(), 1);
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
