//! What a plugin says: one stream for `wasi:logging`, stdout and stderr, with its tenant, slug and request id.
//!
//! A line is cut at [`LOG_LINE_BYTES_MAX`], loses its control characters, and counts against the installation's bytes
//! per minute; what is dropped is counted and reported. The last lines are kept for whoever has to find out what went wrong.
//! Among them is which limit was reached, where the plugin itself is told by an error code only.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use mint_domain::{
    InstallationId, RequestId, Slug,
    limit::{LOG_LINE_BYTES_MAX, Limit},
};

use crate::meters::Meters;

/// Lines kept of every installation.
const RECENT_LINES: usize = 50;
/// How often it is said that lines are dropped, or that the same limit was reached.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Finest detail.
    Trace,
    /// Detail.
    Debug,
    /// What happens.
    Info,
    /// What may go wrong.
    Warn,
    /// What went wrong.
    Error,
}

/// The log of one installation.
pub struct PluginLog {
    tenant: Slug,
    plugin: Slug,
    version: String,
    installation: InstallationId,
    meters: Arc<Meters>,
    state: Mutex<LogState>,
}

struct LogState {
    bytes_per_minute_max: u64,
    tokens: f64,
    refilled_at: Instant,
    dropped_lines: u64,
    reported_at: Option<Instant>,
    reached_at: HashMap<&'static str, Instant>,
    recent: VecDeque<String>,
}

impl LogState {
    fn keep(&mut self, line: String) {
        if self.recent.len() == RECENT_LINES {
            self.recent.pop_front();
        }
        self.recent.push_back(line);
    }

    /// Keeps a line about a limit, unless that was said a moment ago. True when it was not.
    fn reached(&mut self, limit: &'static str, now: Instant) -> bool {
        if self.reached_at.get(limit).is_some_and(|at| now.duration_since(*at) < REPORT_INTERVAL) {
            return false;
        }
        self.reached_at.insert(limit, now);
        self.keep(format!("The plugin reached its limit {limit}."));
        true
    }
}

impl PluginLog {
    /// The log of an installation that may write so many bytes a minute.
    pub fn new(tenant: Slug, plugin: Slug, version: String, installation: InstallationId, bytes_per_minute_max: u64) -> Self {
        let state = LogState {
            bytes_per_minute_max,
            tokens: bytes_per_minute_max as f64,
            refilled_at: Instant::now(),
            dropped_lines: 0,
            reported_at: None,
            reached_at: HashMap::new(),
            recent: VecDeque::with_capacity(RECENT_LINES),
        };
        Self { tenant, plugin, version, installation, meters: Arc::default(), state: Mutex::new(state) }
    }

    /// The same, which counts the limits that are reached on `meters`.
    #[must_use]
    pub fn metered(mut self, meters: Arc<Meters>) -> Self {
        self.meters = meters;
        self
    }

    /// What counts the limits that are reached.
    pub fn meters(&self) -> &Arc<Meters> {
        &self.meters
    }

    /// Takes one line, without its line end.
    pub fn line(&self, level: Level, source: &'static str, request_id: Option<&RequestId>, text: &str) {
        let Some((text, dropped_before)) = self.admit(text) else { return };
        if dropped_before > 0 {
            tracing::warn!(target: "plugin", { tenant.id = %self.tenant, plugin.slug = %self.plugin, log.dropped_lines = dropped_before },
                "the plugin wrote more than its limit log_bytes_per_minute_max");
        }
        let request_id = request_id.map_or("", RequestId::as_str);
        macro_rules! emit {
            ($level:ident) => {
                tracing::$level!(target: "plugin", { tenant.id = %self.tenant, plugin.slug = %self.plugin, plugin.version = %self.version,
                    request.id = request_id, log.source = source }, "{text}")
            };
        }
        match level {
            Level::Trace => emit!(trace),
            Level::Debug => emit!(debug),
            Level::Info => emit!(info),
            Level::Warn => emit!(warn),
            Level::Error => emit!(error),
        }
    }

    /// So many bytes in a minute from now on.
    pub fn obey(&self, bytes_per_minute_max: u64) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).bytes_per_minute_max = bytes_per_minute_max;
    }

    /// Notes that the plugin was refused something at a limit. Counted always, said now and then, however often it happens.
    pub fn limit_reached(&self, limit: &'static str) {
        self.meters.reached(limit);
        let said = self.state.lock().unwrap_or_else(PoisonError::into_inner).reached(limit, Instant::now());
        if said {
            tracing::warn!(target: "plugin", { tenant.id = %self.tenant, plugin.slug = %self.plugin, limit }, "the plugin reached a limit");
        }
    }

    /// The last lines, oldest first.
    pub fn recent(&self) -> Vec<String> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).recent.iter().cloned().collect()
    }

    /// The installation it belongs to.
    pub fn installation(&self) -> InstallationId {
        self.installation
    }

    /// Cleans a line and pays for it. None when it must be dropped, else also how many were that nobody was told of.
    fn admit(&self, text: &str) -> Option<(String, u64)> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let max = state.bytes_per_minute_max as f64;
        let refill = now.duration_since(state.refilled_at).as_secs_f64() * max / 60.0;
        state.tokens = (state.tokens + refill).min(max);
        state.refilled_at = now;
        // A line that cannot be paid for is not looked at: a flood of them should cost little.
        if state.tokens < text.len().min(LOG_LINE_BYTES_MAX) as f64 {
            state.dropped_lines += 1;
            self.meters.reached(Limit::log_bytes_per_minute_max.name());
            state.reached("log_bytes_per_minute_max", now);
            return None;
        }
        let line = clean(text);
        state.tokens -= line.len() as f64 + 1.0;
        self.meters.set(Limit::log_bytes_per_minute_max, (max - state.tokens).max(0.0) as u64);
        state.keep(line.clone());
        let told = state.dropped_lines == 0 || state.reported_at.is_some_and(|at| now.duration_since(at) < REPORT_INTERVAL);
        if told {
            return Some((line, 0));
        }
        state.reported_at = Some(now);
        Some((line, std::mem::take(&mut state.dropped_lines)))
    }
}

impl fmt::Debug for PluginLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PluginLog({}/{})", self.tenant, self.plugin)
    }
}

/// Cuts and disarms a line: control characters (escape sequences among them) become `\u{…}`.
fn clean(text: &str) -> String {
    let mut end = text.len().min(LOG_LINE_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let (kept, cut) = text.split_at(end);
    let mut line = String::with_capacity(kept.len());
    for c in kept.chars() {
        if c.is_control() && c != '\t' { line.extend(c.escape_unicode()) } else { line.push(c) }
    }
    if !cut.is_empty() {
        line.push_str(&format!(" … ({} bytes cut)", cut.len()));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(bytes: u64) -> PluginLog {
        PluginLog::new("lab".parse().unwrap(), "p".parse().unwrap(), "1".to_owned(), InstallationId(1), bytes)
    }

    #[test]
    fn lines_are_cut_and_disarmed() {
        assert_eq!(clean("a\u{1b}[31mb\r\nc\td"), "a\\u{1b}[31mb\\u{d}\\u{a}c\td");
        let long = clean(&"ä".repeat(LOG_LINE_BYTES_MAX));
        assert!(long.ends_with("bytes cut)") && long.len() < LOG_LINE_BYTES_MAX + 40);
    }

    #[test]
    fn a_flood_is_dropped_and_the_last_lines_are_kept() {
        let log = log(1_000);
        for i in 0..10_000 {
            log.line(Level::Info, "stdout", None, &format!("line {i}"));
        }
        let recent = log.recent();
        assert!(recent.len() <= RECENT_LINES && recent.iter().any(|line| line.starts_with("line ")), "{recent:?}");
        let said = recent.iter().filter(|line| line.contains("its limit log_bytes_per_minute_max")).count();
        assert_eq!(said, 1, "{recent:?}");
        assert!(log.state.lock().unwrap().dropped_lines > 9_000);
        // It is said once, and then not for every line that gets through.
        log.state.lock().unwrap().tokens = 100.0;
        assert!(log.admit("a").is_some_and(|(_, dropped)| dropped > 9_000));
        log.state.lock().unwrap().dropped_lines = 5;
        assert_eq!(log.admit("b"), Some(("b".to_owned(), 0)));
    }
}
