//! What a zip file may look like at all, beyond what the zip crate checks: one way to read it, nothing hidden.

use std::{
    collections::BTreeSet,
    io::{Read, Seek, SeekFrom},
};

use zip::{CompressionMethod, ZipArchive};

use crate::{Bounds, Error, Result};

const END_RECORD: &[u8] = b"PK\x05\x06";
const END_RECORD_BYTES: u64 = 22;
const LOCAL_HEADER: &[u8] = b"PK\x03\x04";
/// A data descriptor with signature and 64-bit sizes: the most that may stand between two entries.
const DESCRIPTOR_BYTES_MAX: u64 = 24;

/// One entry, checked.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) index: usize,
    pub(crate) name: String,
    pub(crate) size: u64,
    header_start: u64,
    end: u64,
}

/// Every entry of a zip file, by place.
pub(crate) fn entries<R: Read + Seek>(
    archive: &mut ZipArchive<R>,
    file: &mut R,
    file_bytes: u64,
    bounds: &Bounds,
) -> Result<Vec<Entry>> {
    let listed = end_record(file, file_bytes)?;
    if archive.offset() != 0 || !archive.comment().is_empty() || listed != archive.len() {
        return Err(Error::Layout("it has data before its first entry, a comment, or two entries of one name".to_owned()));
    }
    if archive.len() > bounds.entries_max {
        return Err(Error::TooLarge {
            what: "the number of entries".to_owned(),
            max: bounds.entries_max as u64,
            unit: "entries",
        });
    }
    let mut entries = Vec::with_capacity(archive.len());
    let mut names = BTreeSet::new();
    let mut total = 0_u64;
    for index in 0..archive.len() {
        let entry = entry(archive, file, index, bounds)?;
        if !names.insert(entry.name.to_lowercase()) {
            return Err(Error::Name { name: entry.name, why: "another entry differs in case only" });
        }
        total = total.saturating_add(entry.size);
        entries.push(entry);
    }
    if total > bounds.unpacked_bytes_max {
        return Err(Error::TooLarge { what: "the unpacked bundle".to_owned(), max: bounds.unpacked_bytes_max, unit: "bytes" });
    }
    refuse_gaps(&entries, archive.central_directory_start())?;
    Ok(entries)
}

fn entry<R: Read + Seek>(archive: &mut ZipArchive<R>, file: &mut R, index: usize, bounds: &Bounds) -> Result<Entry> {
    let zipped = archive.by_index_raw(index)?;
    let raw = zipped.name_raw().to_vec();
    let name = match std::str::from_utf8(&raw) {
        Ok(name) => name.to_owned(),
        Err(_) => return Err(Error::Name { name: raw.escape_ascii().to_string(), why: "the name is not UTF-8" }),
    };
    let refuse = |why| Err(Error::Name { name: name.escape_debug().to_string(), why });
    if let Some(why) = bad_name(&name) {
        return refuse(why);
    }
    let kind = zipped.unix_mode().unwrap_or(0) & 0o170_000;
    if zipped.is_dir() || zipped.is_symlink() || !(kind == 0 || kind == 0o100_000) {
        return refuse("only plain files may be in a bundle");
    }
    if zipped.encrypted() {
        return refuse("the entry is encrypted");
    }
    if !matches!(zipped.compression(), CompressionMethod::Stored | CompressionMethod::Deflated) {
        return refuse("the entry is compressed in a way that bundles do not use");
    }
    let (size, packed) = (zipped.size(), zipped.compressed_size());
    if size > bounds.entry_bytes_max {
        return Err(Error::TooLarge { what: format!("entry `{name}`"), max: bounds.entry_bytes_max, unit: "bytes" });
    }
    if size > bounds.ratio_floor_bytes && size / packed.max(1) > bounds.ratio_max {
        return refuse("the entry is packed too tightly to be honest");
    }
    let header_start = zipped.header_start();
    let data_start = zipped.data_start().unwrap_or(header_start);
    drop(zipped);
    if local_name(file, header_start)? != raw {
        return refuse("its two headers give different names");
    }
    Ok(Entry { index, name, size, header_start, end: data_start.saturating_add(packed) })
}

/// Why a name is not a harmless relative path.
pub(crate) fn bad_name(name: &str) -> Option<&'static str> {
    let bad_segment = |segment: &str| matches!(segment, "" | "." | "..");
    if name.is_empty() || name.len() > 255 {
        Some("the name must have 1 to 255 bytes")
    } else if name.chars().any(|c| c.is_control() || c == '\\' || c == ':') {
        Some("the name has a control character, a backslash or a colon")
    } else if name.split('/').any(bad_segment) {
        Some("the name must be a relative path without empty, `.` or `..` parts")
    } else {
        None
    }
}

/// The number of entries that the end record tells; there must be nothing after it.
fn end_record<R: Read + Seek>(file: &mut R, file_bytes: u64) -> Result<usize> {
    let broken = || Error::Layout("it does not end with its directory".to_owned());
    let start = file_bytes.checked_sub(END_RECORD_BYTES).ok_or_else(broken)?;
    let mut record = [0; END_RECORD_BYTES as usize];
    read_at(file, start, &mut record).map_err(|_| broken())?;
    match record {
        [s0, s1, s2, s3, _, _, _, _, _, _, n0, n1, ..] if [s0, s1, s2, s3] == END_RECORD => {
            Ok(usize::from(u16::from_le_bytes([n0, n1])))
        }
        _ => Err(broken()),
    }
}

/// The name in an entry's own header.
fn local_name<R: Read + Seek>(file: &mut R, header_start: u64) -> Result<Vec<u8>> {
    let broken = |_| Error::Layout("an entry's own header cannot be read".to_owned());
    let mut header = [0; 30];
    read_at(file, header_start, &mut header).map_err(broken)?;
    if !header.starts_with(LOCAL_HEADER) {
        return Err(Error::Layout("an entry has no header of its own".to_owned()));
    }
    let [.., n0, n1, _, _] = header;
    let mut name = vec![0; usize::from(u16::from_le_bytes([n0, n1]))];
    file.read_exact(&mut name).map_err(broken)?;
    Ok(name)
}

/// Entries follow each other without overlapping, from the first byte to the directory.
fn refuse_gaps(entries: &[Entry], directory_start: u64) -> Result<()> {
    let mut by_place: Vec<&Entry> = entries.iter().collect();
    by_place.sort_by_key(|entry| entry.header_start);
    let mut end = 0;
    for next in by_place.iter().map(|entry| (entry.header_start, entry.end)).chain([(directory_start, directory_start)]) {
        let (start, next_end) = next;
        if start < end || start - end > DESCRIPTOR_BYTES_MAX {
            return Err(Error::Layout("its entries overlap, or something stands between them".to_owned()));
        }
        end = next_end;
    }
    Ok(())
}

fn read_at<R: Read + Seek>(file: &mut R, start: u64, buffer: &mut [u8]) -> std::io::Result<()> {
    file.seek(SeekFrom::Start(start))?;
    file.read_exact(buffer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_leave_the_target() {
        for bad in ["", "/etc/x", "../x", "a/../b", "a//b", "a/", "./a", "a\\b", "C:x", "a\0b", "a\nb", &"x".repeat(256)] {
            assert!(bad_name(bad).is_some(), "{bad:?}");
        }
        for good in ["manifest.json", "wheels/x-1.0-py3-none-any.whl", "a b", "ä"] {
            assert!(bad_name(good).is_none(), "{good:?}");
        }
    }
}
