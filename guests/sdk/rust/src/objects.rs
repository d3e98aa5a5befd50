//! Files of an experiment, as streams. Needs the capability `objects`.

use std::io::{self, Write};

use crate::platform::objects as host;
pub use crate::platform::objects::ObjectInfo;
use crate::{Reader, Result, Writer};

/// Objects of an experiment whose key begins with `prefix`, by key.
///
/// # Errors
///
/// 404 when there is no such experiment, 403 when neither the grants nor the acting user allow it.
pub fn list(experiment_id: i64, prefix: &str) -> Result<Vec<ObjectInfo>> {
    Ok(host::list(experiment_id, prefix)?)
}

/// What is known of one object.
///
/// # Errors
///
/// 404 when there is no such object, 403 as for [`list`].
pub fn info(experiment_id: i64, key: &str) -> Result<ObjectInfo> {
    Ok(host::info(experiment_id, key)?)
}

/// The bytes of an object.
///
/// # Errors
///
/// 404 when there is no such object, 403 as for [`list`].
pub fn get(experiment_id: i64, key: &str) -> Result<Reader> {
    Ok(Reader::new(host::get(experiment_id, key)?))
}

/// Begins to write an object of this plugin; nothing is visible before [`ObjectWriter::finish`].
///
/// # Errors
///
/// 400 for a key that is no relative path, 507 at the limit for files, 403 and 404 as for [`list`].
pub fn put(experiment_id: i64, key: &str, content_type: Option<&str>) -> Result<ObjectWriter> {
    let writer = host::put(experiment_id, key, content_type)?;
    let body = Writer::new(writer.body()?);
    Ok(ObjectWriter { body, writer })
}

/// Deletes one of this plugin's objects. False when there was none.
///
/// # Errors
///
/// 403 and 404 as for [`list`].
pub fn delete(experiment_id: i64, key: &str) -> Result<bool> {
    Ok(host::delete(experiment_id, key)?)
}

/// An object being written. Dropped without [`finish`](Self::finish), it leaves nothing behind.
#[derive(Debug)]
pub struct ObjectWriter {
    // The stream is a child of the writer: it goes first.
    body: Writer,
    writer: host::Writer,
}

impl ObjectWriter {
    /// Makes the object visible, replacing one of the same key.
    ///
    /// # Errors
    ///
    /// 507 at the limit for files; 500 when the bytes could not be stored.
    pub fn finish(mut self) -> Result<ObjectInfo> {
        let flushed = self.body.flush();
        let Self { body, writer } = self;
        drop(body);
        // Why bytes could not be written is said here, in better words than the stream has.
        let info = host::Writer::finish(writer)?;
        flushed?;
        Ok(info)
    }
}

impl Write for ObjectWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.body.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.body.flush()
    }
}
