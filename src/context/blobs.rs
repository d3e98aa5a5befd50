//! Bytes of experiment files: a local directory today, S3 by another `ObjectStore` behind the same functions.
//!
//! A blob's name is random and never reused, so that a reader of a replaced object reads the old bytes to their end.

use std::{fmt, path::Path, sync::Arc};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use mint_domain::TenantId;
use object_store::{ObjectStore, ObjectStoreExt as _, WriteMultipart, local::LocalFileSystem, path::Path as BlobPath};
use rand::Rng as _;
use sha2::{Digest as _, Sha256};

use crate::Result;

/// Bytes kept in memory for each upload in progress, at most twice.
const CHUNK_BYTES: usize = 1 << 20;

/// Where the bytes stand.
#[derive(Clone)]
pub struct Blobs {
    store: Arc<dyn ObjectStore>,
}

/// A blob being written. Dropped without [`BlobWriter::finish`], it leaves nothing behind.
pub struct BlobWriter {
    upload: WriteMultipart,
    name: String,
    hash: Sha256,
    size: u64,
}

/// A blob that was written whole.
#[derive(Clone, Debug)]
pub struct Written {
    /// Its name.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
}

impl Blobs {
    /// Blobs in a local directory, which is made when missing.
    ///
    /// # Errors
    /// The directory cannot be made or used.
    pub fn local(directory: &Path) -> Result<Self> {
        std::fs::create_dir_all(directory)?;
        let store = LocalFileSystem::new_with_prefix(directory)?.with_fsync(true);
        Ok(Self { store: Arc::new(store) })
    }

    /// Begins to write a blob of a tenant.
    ///
    /// # Errors
    /// The storage's.
    pub async fn write(&self, tenant: TenantId) -> Result<BlobWriter> {
        let name = format!("{tenant}/{:032x}", rand::rng().random::<u128>());
        let upload = self.store.put_multipart(&BlobPath::from(name.as_str())).await?;
        Ok(BlobWriter { upload: WriteMultipart::new_with_chunk_size(upload, CHUNK_BYTES), name, hash: Sha256::new(), size: 0 })
    }

    /// The bytes of a blob.
    ///
    /// # Errors
    /// The storage's; also in the stream.
    pub async fn read(&self, name: &str) -> Result<impl Stream<Item = Result<Bytes>> + Send + use<>> {
        let found = self.store.get(&BlobPath::from(name)).await?;
        Ok(found.into_stream().map(|chunk| chunk.map_err(Into::into)))
    }

    /// Deletes a blob. One that is gone already is no error.
    ///
    /// # Errors
    /// The storage's.
    pub async fn delete(&self, name: &str) -> Result<()> {
        match self.store.delete(&BlobPath::from(name)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl BlobWriter {
    /// Adds bytes, waiting while too many are on their way.
    ///
    /// # Errors
    /// The storage's.
    pub async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.upload.wait_for_capacity(1).await?;
        self.hash.update(&bytes);
        self.size += bytes.len() as u64;
        self.upload.put(bytes);
        Ok(())
    }

    /// Bytes so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Makes the blob last.
    ///
    /// # Errors
    /// The storage's.
    pub async fn finish(self) -> Result<Written> {
        self.upload.finish().await?;
        Ok(Written { name: self.name, size: self.size, sha256: hex::encode(self.hash.finalize()) })
    }
}

impl fmt::Debug for Blobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The store's own form may hold credentials.
        f.write_str("Blobs")
    }
}

impl fmt::Debug for BlobWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlobWriter({}, {} bytes)", self.name, self.size)
    }
}
