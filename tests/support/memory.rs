//! How much memory the server, which runs in the test's own process, holds.

/// Memory that is resident and the process's own: pages of mapped files do not count.
pub fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("status of this process");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("RssAnon");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("kilobytes") << 10
}
