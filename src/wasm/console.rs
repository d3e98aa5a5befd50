//! The standard output and error of a component: lines of the plugin's log.

use std::{
    io, mem,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use mint_context::{
    Call,
    logs::{Level, PluginLog},
};
use mint_domain::limit::LOG_LINE_BYTES_MAX;
use tokio::io::AsyncWrite;
use wasmtime_wasi::{
    cli::{IsTerminal, StdoutStream},
    p2::{OutputStream, Pollable, StreamResult},
};

/// Bytes that a guest may write at once.
const WRITE_BYTES_MAX: usize = 64 << 10;

/// Both streams of one store. What is written belongs to the request that the store serves at the time.
#[derive(Debug)]
pub(crate) struct Console {
    log: Arc<PluginLog>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    call: Option<Arc<Call>>,
    lines: [Line; 2],
}

/// The beginning of a line whose end was not written yet.
#[derive(Debug, Default)]
struct Line {
    bytes: Vec<u8>,
    /// The line is longer than what is kept, and its beginning was logged.
    skipping: bool,
}

/// One of the two streams.
#[derive(Clone, Copy, Debug)]
enum Channel {
    Stdout,
    Stderr,
}

impl Channel {
    fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }

    fn level(self) -> Level {
        match self {
            Self::Stdout => Level::Info,
            Self::Stderr => Level::Warn,
        }
    }
}

impl Console {
    /// The console of a store, which writes to `log`.
    pub(crate) fn new(log: Arc<PluginLog>) -> Arc<Self> {
        Arc::new(Self { log, state: Mutex::new(State { call: None, lines: Default::default() }) })
    }

    /// Names the call that the next lines belong to.
    pub(crate) fn begin(&self, call: Arc<Call>) {
        self.lock().call = Some(call);
    }

    /// Logs lines that were begun and not ended.
    pub(crate) fn end(&self) {
        let mut state = self.lock();
        let State { call, lines } = &mut *state;
        for (channel, line) in [Channel::Stdout, Channel::Stderr].into_iter().zip(lines) {
            if !line.bytes.is_empty() {
                self.emit(channel, call.as_deref(), &mem::take(&mut line.bytes));
            }
            line.skipping = false;
        }
    }

    /// The standard output, for a WASI context.
    pub(crate) fn stdout(self: &Arc<Self>) -> impl StdoutStream + use<> {
        ConsoleStream { console: Arc::clone(self), channel: Channel::Stdout }
    }

    /// The standard error, for a WASI context.
    pub(crate) fn stderr(self: &Arc<Self>) -> impl StdoutStream + use<> {
        ConsoleStream { console: Arc::clone(self), channel: Channel::Stderr }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, channel: Channel, bytes: &[u8]) {
        let mut state = self.lock();
        let State { call, lines: [stdout, stderr] } = &mut *state;
        let line = match channel {
            Channel::Stdout => stdout,
            Channel::Stderr => stderr,
        };
        for piece in bytes.split_inclusive(|b| *b == b'\n') {
            let (text, ended) = piece.strip_suffix(b"\n").map_or((piece, false), |text| (text, true));
            if !line.skipping {
                line.bytes.extend_from_slice(text);
                if ended || line.bytes.len() > LOG_LINE_BYTES_MAX {
                    self.emit(channel, call.as_deref(), &line.bytes);
                    line.bytes.clear();
                    line.skipping = true;
                }
            }
            if ended {
                line.skipping = false;
            }
        }
    }

    fn emit(&self, channel: Channel, call: Option<&Call>, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        self.log.line(
            channel.level(),
            channel.name(),
            call.map(|call| &call.request_id),
            text.strip_suffix('\r').unwrap_or(&text),
        );
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        self.end();
    }
}

#[derive(Clone)]
struct ConsoleStream {
    console: Arc<Console>,
    channel: Channel,
}

impl IsTerminal for ConsoleStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for ConsoleStream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait::async_trait]
impl Pollable for ConsoleStream {
    async fn ready(&mut self) {}
}

impl OutputStream for ConsoleStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.console.write(self.channel, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES_MAX)
    }
}

impl AsyncWrite for ConsoleStream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.console.write(self.channel, bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use mint_domain::InstallationId;

    use super::*;

    #[test]
    fn bytes_become_lines() {
        let log =
            Arc::new(PluginLog::new("lab".parse().unwrap(), "p".parse().unwrap(), "1".to_owned(), InstallationId(1), 1 << 20));
        let console = Console::new(Arc::clone(&log));
        console.write(Channel::Stdout, b"one\ntw");
        console.write(Channel::Stderr, b"oh\r\n\n");
        console.write(Channel::Stdout, b"o\n");
        console.write(Channel::Stdout, "x".repeat(3 * LOG_LINE_BYTES_MAX).as_bytes());
        console.write(Channel::Stdout, b"still the same line\nlast");
        console.end();
        let lines = log.recent();
        assert_eq!(lines.len(), 6, "{lines:?}");
        let short: Vec<_> = lines.iter().filter(|line| line.len() < 100).map(String::as_str).collect();
        assert_eq!(short, ["one", "oh", "", "two", "last"]);
    }
}
