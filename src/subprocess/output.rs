//! The pipes of a process: always read, never kept beyond a line.

use std::{io, os::fd::OwnedFd, sync::Arc, time::Duration};

use mint_context::logs::{Level, PluginLog};
use mint_domain::{RequestId, limit::LOG_LINE_BYTES_MAX};
use serde::Deserialize;
use tokio::{io::AsyncReadExt, net::unix::pipe, time::Instant};
use tokio_util::task::AbortOnDropHandle;

use crate::task;

/// Bytes taken in a second; a process that prints more is slowed down to this.
const BYTES_PER_SECOND_MAX: usize = 8 << 20;

/// Bytes kept of a line; the note of what was cut fits in besides.
const LINE_BYTES_MAX: usize = LOG_LINE_BYTES_MAX - 64;

/// Reads a pipe into a log until it ends.
///
/// # Errors
/// When the pipe cannot be watched.
pub(crate) fn into_log(pipe: impl Into<OwnedFd>, log: Arc<PluginLog>, source: &'static str) -> io::Result<AbortOnDropHandle<()>> {
    let pipe = pipe::Receiver::from_owned_fd(pipe.into())?;
    Ok(task::owned(read(pipe, move |line: &str| {
        let line = Line::parse(line, source);
        log.line(line.level, source, line.request_id.as_ref(), &line.text);
    })))
}

/// Reads a pipe to its end and gives its last `keep` lines.
///
/// # Errors
/// When the pipe cannot be watched.
pub(crate) fn last_lines(pipe: impl Into<OwnedFd>, keep: usize) -> io::Result<AbortOnDropHandle<Vec<String>>> {
    let pipe = pipe::Receiver::from_owned_fd(pipe.into())?;
    Ok(task::owned(async move {
        let mut lines = std::collections::VecDeque::with_capacity(keep);
        read(pipe, |line: &str| {
            if lines.len() == keep {
                lines.pop_front();
            }
            lines.push_back(line.to_owned());
        })
        .await;
        lines.into()
    }))
}

async fn read(mut pipe: pipe::Receiver, mut take: impl FnMut(&str)) {
    let mut splitter = Splitter::default();
    let mut buffer = vec![0; 16 << 10];
    let mut second = (Instant::now(), 0);
    while let Ok(count @ 1..) = pipe.read(&mut buffer).await {
        splitter.feed(buffer.get(..count).unwrap_or_default(), &mut take);
        if second.0.elapsed() >= Duration::from_secs(1) {
            second = (Instant::now(), 0);
        }
        second.1 += count;
        if second.1 > BYTES_PER_SECOND_MAX {
            tokio::time::sleep_until(second.0 + Duration::from_secs(1)).await;
        }
    }
    splitter.finish(&mut take);
}

/// Cuts bytes into lines of bounded length.
#[derive(Debug, Default)]
struct Splitter {
    line: Vec<u8>,
    cut: usize,
}

impl Splitter {
    fn feed(&mut self, bytes: &[u8], take: &mut impl FnMut(&str)) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (content, ends) = piece.strip_suffix(b"\n").map_or((piece, false), |content| (content, true));
            let room = LINE_BYTES_MAX - self.line.len();
            let (kept, cut) = content.split_at(room.min(content.len()));
            self.line.extend_from_slice(kept);
            self.cut += cut.len();
            if ends {
                self.finish(take);
            }
        }
    }

    fn finish(&mut self, take: &mut impl FnMut(&str)) {
        let line = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
        let mut text = String::from_utf8_lossy(line).into_owned();
        if self.cut > 0 {
            text.push_str(&format!(" … ({} bytes cut)", self.cut));
        }
        if !text.trim().is_empty() {
            take(&text);
        }
        self.line.clear();
        self.cut = 0;
    }
}

/// A line with what it says of itself.
#[derive(Debug, PartialEq)]
struct Line {
    level: Level,
    request_id: Option<RequestId>,
    text: String,
}

/// A log record of the SDK, one object to a line.
#[derive(Deserialize)]
struct Record {
    level: String,
    #[serde(default)]
    logger: String,
    message: String,
    #[serde(default)]
    request_id: Option<String>,
}

impl Line {
    fn parse(text: &str, source: &str) -> Self {
        if text.starts_with('{')
            && let Ok(record) = serde_json::from_str::<Record>(text)
        {
            let text = match record.logger.as_str() {
                "" | "root" => record.message,
                logger => format!("{logger}: {}", record.message),
            };
            let request_id = record.request_id.as_deref().and_then(RequestId::parse);
            return Self { level: level(&record.level).unwrap_or(Level::Info), request_id, text };
        }
        // uvicorn and Python's logging begin a line with the level.
        let said = text.split_once(':').and_then(|(word, _)| level(word));
        let unsaid = if source == "stderr" { Level::Warn } else { Level::Info };
        Self { level: said.unwrap_or(unsaid), request_id: None, text: text.to_owned() }
    }
}

fn level(word: &str) -> Option<Level> {
    match word.to_ascii_lowercase().as_str() {
        "trace" => Some(Level::Trace),
        "debug" => Some(Level::Debug),
        "info" => Some(Level::Info),
        "warn" | "warning" => Some(Level::Warn),
        "error" | "critical" | "fatal" => Some(Level::Error),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&[u8]]) -> Vec<String> {
        let (mut splitter, mut lines) = (Splitter::default(), Vec::new());
        let mut take = |line: &str| lines.push(line.to_owned());
        for piece in pieces {
            splitter.feed(piece, &mut take);
        }
        splitter.finish(&mut take);
        lines
    }

    #[test]
    fn lines_are_put_together_and_cut() {
        assert_eq!(lines(&[b"a\nb", b"c\r\n\n", b"d"]), ["a", "bc", "d"]);
        assert_eq!(lines(&[b"\xff\n"]), ["\u{fffd}"]);
        let long = lines(&[&vec![b'x'; 1 << 20], b"y\nz\n"]);
        assert_eq!(long.len(), 2);
        assert!(long[0].len() < LOG_LINE_BYTES_MAX && long[0].ends_with("bytes cut)"), "{}", long[0].len());
    }

    #[test]
    fn a_line_says_its_level() {
        let parsed = |text: &str, source| Line::parse(text, source);
        assert_eq!(parsed("INFO:     Started", "stderr").level, Level::Info);
        assert_eq!(parsed("CRITICAL:x:y", "stderr").level, Level::Error);
        assert_eq!(parsed("Traceback (most recent call last):", "stderr").level, Level::Warn);
        assert_eq!(parsed("hello: there", "stdout").level, Level::Info);
        let record = r#"{"ts":"x","level":"warning","logger":"a.b","message":"m","request_id":"r-1"}"#;
        let expected = Line { level: Level::Warn, request_id: RequestId::parse("r-1"), text: "a.b: m".to_owned() };
        assert_eq!(parsed(record, "stderr"), expected);
        assert_eq!(parsed(r#"{"any":"json"}"#, "stdout").text, r#"{"any":"json"}"#);
    }
}
