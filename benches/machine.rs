//! What the figures were taken on.

use std::{fs, thread::available_parallelism};

/// In one line, with what makes figures worse than they need be.
pub(crate) fn describe() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let processors = read("/proc/cpuinfo");
    let model = processors
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown", |(_, model)| model);
    let load = read("/proc/loadavg");
    let busy = load.split(' ').next().unwrap_or("?");
    format!(
        "{} × {model}, Linux {}, load {busy} at the start (what else runs takes from every row)",
        available_parallelism().map_or(1, usize::from),
        read("/proc/sys/kernel/osrelease").trim(),
    )
}
