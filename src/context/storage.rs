//! Where blobs stand: a local directory, or a bucket of a server that speaks S3, by one address.

use std::{collections::BTreeMap, fmt, path::Path, sync::Arc, time::Duration};

use object_store::{
    ObjectStore, RetryConfig,
    aws::{AmazonS3Builder, AmazonS3ConfigKey},
    local::LocalFileSystem,
    path::Path as BlobPath,
    prefix::PrefixStore,
};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use crate::{blobs::Blobs, storage_http::Connector};

/// Bytes of one write to a local file, which are in memory for each upload in progress, at most twice.
const LOCAL_PART_BYTES: usize = 1 << 20;
/// The least that S3 takes as a part that is not the last.
const S3_PART_BYTES: usize = 5 << 20;

/// What a server that does not answer costs whoever asks, at most.
const RETRIES_MAX: usize = 4;
const RETRY_TIMEOUT: Duration = Duration::from_secs(20);

/// The whole storage.
#[derive(Clone)]
pub struct Storage {
    store: Arc<dyn ObjectStore>,
    part_bytes: usize,
}

/// Who asks a server that speaks S3.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    /// Name of the key.
    pub access_key_id: Option<String>,
    /// The key.
    pub secret_access_key: Option<SecretString>,
    /// `AWS_…` variables, which count where neither is given: roles of machines and containers, regions, proxies.
    pub environment: BTreeMap<String, SecretString>,
}

/// Why a storage cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidStorage {
    /// Not an address.
    #[error("`{0}` is no address of a storage; it is file:///<directory> or s3://<bucket>/<prefix>?endpoint=<url>&region=<name>")]
    Address(String),
    /// A word that the address of a bucket does not have.
    #[error("`{0}` means nothing in the address of a bucket; there are `endpoint` and `region`")]
    Parameter(String),
    /// A bucket without a name.
    #[error("the address of the storage names no bucket")]
    NoBucket,
    /// The directory, or the bucket.
    #[error(transparent)]
    Store(#[from] object_store::Error),
    /// The directory cannot be made.
    #[error(transparent)]
    Directory(#[from] std::io::Error),
}

impl Storage {
    /// A local directory, which is made when missing. What was written there is on the disk when a write returns.
    ///
    /// # Errors
    /// The directory cannot be made or used.
    pub fn local(directory: &Path) -> Result<Self, InvalidStorage> {
        std::fs::create_dir_all(directory)?;
        let store = LocalFileSystem::new_with_prefix(directory)?.with_fsync(true);
        Ok(Self { store: Arc::new(store), part_bytes: LOCAL_PART_BYTES })
    }

    /// What an address leads to. A server is not asked yet.
    ///
    /// # Errors
    /// The address, or what it leads to, cannot be used.
    pub fn open(address: &str, credentials: &Credentials) -> Result<Self, InvalidStorage> {
        let url = Url::parse(address).map_err(|_| InvalidStorage::Address(address.to_owned()))?;
        match url.scheme() {
            "file" => {
                let directory = url.to_file_path().map_err(|()| InvalidStorage::Address(address.to_owned()))?;
                Self::local(&directory)
            }
            "s3" => Self::bucket(&url, credentials),
            _ => Err(InvalidStorage::Address(address.to_owned())),
        }
    }

    fn bucket(url: &Url, credentials: &Credentials) -> Result<Self, InvalidStorage> {
        let bucket = url.host_str().filter(|host| !host.is_empty()).ok_or(InvalidStorage::NoBucket)?;
        let retries = RetryConfig { max_retries: RETRIES_MAX, retry_timeout: RETRY_TIMEOUT, ..RetryConfig::default() };
        let mut builder = AmazonS3Builder::new().with_retry(retries);
        for (name, value) in &credentials.environment {
            if let Ok(key) = name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>() {
                builder = builder.with_config(key, value.expose_secret());
            }
        }
        if let (Some(id), Some(key)) = (&credentials.access_key_id, &credentials.secret_access_key) {
            builder = builder.with_access_key_id(id).with_secret_access_key(key.expose_secret());
        }
        for (name, value) in url.query_pairs() {
            builder = match name.as_ref() {
                "endpoint" => builder.with_endpoint(value.as_ref()).with_allow_http(value.starts_with("http://")),
                "region" => builder.with_region(value.as_ref()),
                other => return Err(InvalidStorage::Parameter(other.to_owned())),
            };
        }
        let store = builder.with_bucket_name(bucket).with_http_connector(Connector).build()?;
        let prefix = BlobPath::from(url.path());
        Ok(Self { store: Arc::new(PrefixStore::new(store, prefix)), part_bytes: S3_PART_BYTES })
    }

    /// One area of it: names in others are others.
    pub fn area(&self, name: &str) -> Blobs {
        Blobs::new(Arc::new(PrefixStore::new(self.store.clone(), BlobPath::from(name))), self.part_bytes)
    }
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The store's own form may hold credentials.
        f.write_str("Storage")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_leads_to_a_directory_or_a_bucket() {
        let directory = tempfile::tempdir().unwrap();
        let here = format!("file://{}/new", directory.path().display());
        let key = Credentials {
            access_key_id: Some("id".to_owned()),
            secret_access_key: Some("key".to_owned().into()),
            environment: BTreeMap::from([("AWS_REGION".to_owned(), "eu-west-1".to_owned().into())]),
        };
        assert!(Storage::open(&here, &key).is_ok());
        assert!(directory.path().join("new").is_dir());
        for fine in ["s3://bucket", "s3://bucket/a/prefix?endpoint=http://127.0.0.1:9000&region=x"] {
            assert!(Storage::open(fine, &key).is_ok(), "{fine}");
        }
        for (wrong, why) in [
            ("data", "is no address"),
            ("ftp://x/y", "is no address"),
            ("s3:///prefix", "names no bucket"),
            ("s3://bucket?key=x", "means nothing"),
        ] {
            let error = Storage::open(wrong, &key).unwrap_err().to_string();
            assert!(error.contains(why), "{wrong}: {error}");
        }
    }
}
