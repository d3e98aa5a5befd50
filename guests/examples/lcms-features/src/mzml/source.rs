//! Bytes of a file, plain or gzip, with a limit on what one piece of XML may hold.

use std::fmt;
use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};

use flate2::bufread::MultiGzDecoder;

const BUFFER_BYTES: usize = 64 * 1024;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// The file itself could not be fetched; not a fault of its content.
#[derive(Debug)]
pub struct SourceFailure(String);

impl fmt::Display for SourceFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for SourceFailure {}

/// One piece of XML has more bytes than are read at once.
#[derive(Debug)]
pub(super) struct PieceTooLarge(pub(super) u64);

impl fmt::Display for PieceTooLarge {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "more than {} bytes without a tag", self.0)
    }
}

impl std::error::Error for PieceTooLarge {}

/// Marks the errors of the file behind, so that they can be told from those of gzip.
struct Marked<R>(R);

impl<R: Read> Read for Marked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| io::Error::new(error.kind(), SourceFailure(error.to_string())))
    }
}

type Raw<R> = Chain<Cursor<Vec<u8>>, Marked<R>>;

enum Bytes<R: Read> {
    Plain(BufReader<Raw<R>>),
    Gzip(Box<BufReader<MultiGzDecoder<BufReader<Raw<R>>>>>),
}

/// The XML of a file.
pub(super) struct Source<R: Read> {
    bytes: Bytes<R>,
    gzip: bool,
    piece_bytes: u64,
    piece_bytes_max: u64,
}

impl<R: Read> Source<R> {
    /// Looks at the first bytes to tell gzip from XML.
    pub(super) fn new(file: R, piece_bytes_max: u64) -> io::Result<Self> {
        let mut file = Marked(file);
        let mut start = Vec::new();
        (&mut file).take(GZIP_MAGIC.len() as u64).read_to_end(&mut start)?;
        let gzip = start == GZIP_MAGIC;
        let raw = BufReader::with_capacity(BUFFER_BYTES, Cursor::new(start).chain(file));
        let bytes = if gzip {
            Bytes::Gzip(Box::new(BufReader::with_capacity(BUFFER_BYTES, MultiGzDecoder::new(raw))))
        } else {
            Bytes::Plain(raw)
        };
        Ok(Self { bytes, gzip, piece_bytes: 0, piece_bytes_max })
    }

    pub(super) fn is_gzip(&self) -> bool {
        self.gzip
    }

    /// A new piece of XML begins.
    pub(super) fn begin_piece(&mut self) {
        self.piece_bytes = 0;
    }
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let length = available.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..length), available.get(..length)) {
            to.copy_from_slice(from);
        }
        self.consume(length);
        Ok(length)
    }
}

impl<R: Read> BufRead for Source<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.piece_bytes > self.piece_bytes_max {
            return Err(io::Error::other(PieceTooLarge(self.piece_bytes_max)));
        }
        match &mut self.bytes {
            Bytes::Plain(bytes) => bytes.fill_buf(),
            Bytes::Gzip(bytes) => bytes.fill_buf(),
        }
    }

    fn consume(&mut self, length: usize) {
        self.piece_bytes += length as u64;
        match &mut self.bytes {
            Bytes::Plain(bytes) => bytes.consume(length),
            Bytes::Gzip(bytes) => bytes.consume(length),
        }
    }
}
