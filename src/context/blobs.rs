//! Bytes that stand in the storage, by name: files of experiments, bundles, and whatever else is too large for rows.
//!
//! A file of an experiment has a random name that is never used again, so that a reader of a replaced one reads the old bytes
//! to their end. Everything else is named by its digest or by its id.

use std::{fmt, io, path::Path, sync::Arc};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use mint_domain::TenantId;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt as _, buffered::BufWriter, path::Path as BlobPath};
use rand::Rng as _;
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::Result;

/// Parts of one blob that are on their way at once.
const PARTS_AT_ONCE: usize = 2;
/// Bytes read at once from a file.
const READ_BYTES: usize = 256 << 10;

/// One area of the storage.
#[derive(Clone)]
pub struct Blobs {
    store: Arc<dyn ObjectStore>,
    part_bytes: usize,
}

/// A blob being written. Dropped without [`BlobWriter::finish`], it leaves nothing that has a name.
pub struct BlobWriter {
    upload: BufWriter,
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

/// A blob that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its name.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// When it was written.
    pub written_at: OffsetDateTime,
}

impl From<ObjectMeta> for Stored {
    fn from(found: ObjectMeta) -> Self {
        let written_at = OffsetDateTime::from_unix_timestamp(found.last_modified.timestamp());
        Self { name: found.location.into(), size: found.size, written_at: written_at.unwrap_or(OffsetDateTime::UNIX_EPOCH) }
    }
}

impl Blobs {
    /// An area that is `store`, written in parts of `part_bytes`.
    pub(crate) fn new(store: Arc<dyn ObjectStore>, part_bytes: usize) -> Self {
        Self { store, part_bytes }
    }

    /// Begins to write a blob of a tenant, under a name of its own.
    pub fn write(&self, tenant: TenantId) -> BlobWriter {
        self.write_as(format!("{tenant}/{:032x}", rand::rng().random::<u128>()))
    }

    /// Begins to write a blob under a name. Once it is whole, it takes the place of one of the same name.
    pub fn write_as(&self, name: String) -> BlobWriter {
        let upload = BufWriter::with_capacity(self.store.clone(), BlobPath::from(name.as_str()), self.part_bytes);
        BlobWriter { upload: upload.with_max_concurrency(PARTS_AT_ONCE), name, hash: Sha256::new(), size: 0 }
    }

    /// Writes the bytes of a file under a name.
    ///
    /// # Errors
    /// The file cannot be read; the storage's.
    pub async fn put_file(&self, name: String, from: &Path) -> Result<Written> {
        let mut file = tokio::fs::File::open(from).await?;
        let mut writer = self.write_as(name);
        let mut chunk = vec![0; READ_BYTES];
        loop {
            let read = file.read(&mut chunk).await?;
            let Some(bytes) = chunk.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
            writer.write(Bytes::copy_from_slice(bytes)).await?;
        }
        writer.finish().await
    }

    /// Writes the bytes of a blob into a file, which is whole when this returns.
    ///
    /// # Errors
    /// The storage's, also that there is no such blob; the file cannot be written.
    pub async fn get_file(&self, name: &str, to: &Path) -> Result<()> {
        let mut file = tokio::fs::File::create(to).await?;
        let mut stream = std::pin::pin!(self.read(name).await?);
        while let Some(chunk) = stream.try_next().await? {
            file.write_all(&chunk).await?;
        }
        Ok(file.sync_all().await?)
    }

    /// The bytes of a blob.
    ///
    /// # Errors
    /// The storage's; also in the stream.
    pub async fn read(&self, name: &str) -> Result<impl Stream<Item = Result<Bytes>> + Send + use<>> {
        let found = self.store.get(&BlobPath::from(name)).await?;
        Ok(found.into_stream().map(|chunk| chunk.map_err(Into::into)))
    }

    /// What is known of a blob; none where there is none.
    ///
    /// # Errors
    /// The storage's.
    pub async fn find(&self, name: &str) -> Result<Option<Stored>> {
        match self.store.head(&BlobPath::from(name)).await {
            Ok(found) => Ok(Some(found.into())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Every blob of the area, in no order.
    pub fn list(&self) -> impl Stream<Item = Result<Stored>> + Send + use<> {
        self.store.list(None).map(|found| found.map(Stored::from).map_err(Into::into))
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
        self.upload.write_all(&bytes).await.map_err(from_io)?;
        self.hash.update(&bytes);
        self.size += bytes.len() as u64;
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
    pub async fn finish(mut self) -> Result<Written> {
        self.upload.shutdown().await.map_err(from_io)?;
        Ok(Written { name: self.name, size: self.size, sha256: hex::encode(self.hash.finalize()) })
    }
}

/// The storage's own error, where it comes as one of input and output.
fn from_io(error: io::Error) -> crate::Error {
    match error.downcast::<object_store::Error>() {
        Ok(error) => error.into(),
        Err(error) => error.into(),
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
