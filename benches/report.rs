//! What a person reads.

use std::{
    io::{IsTerminal as _, Write as _, stderr},
    time::Duration,
};

use crate::{canary::Kept, guard::Neighbour, rows::Figures, upgrades::Upgraded};

/// Begins the report.
pub(crate) fn heading(machine: &str) {
    println!("{machine}");
}

/// Says what is being measured, where somebody watches.
pub(crate) fn progress(text: &str) {
    if stderr().is_terminal() {
        // Progress that cannot be shown is no loss.
        let _ = write!(stderr(), "\r\x1b[2K{text}");
        let _ = stderr().flush();
    }
}

fn end_progress() {
    progress("");
}

/// The table of requests.
pub(crate) fn requests(figures: &[Figures]) {
    end_progress();
    println!(
        "\n{:<34} {:>5} {:>9} {:>7} {:>9} {:>9} {:>9}",
        "requests", "conns", "req/s", "of axum", "p50 µs", "p99 µs", "CPU µs"
    );
    for row in figures {
        let axum =
            figures.iter().find(|other| other.connections == row.connections).map_or(f64::NAN, |axum| axum.requests_per_second);
        println!(
            "{:<34} {:>5} {:>9.0} {:>7.2} {:>9.0} {:>9.0} {:>9.1}",
            row.name,
            row.connections,
            row.requests_per_second,
            row.requests_per_second / axum,
            row.p50_us,
            row.p99_us,
            row.cpu_us
        );
    }
}

/// The table of requests while releases take each other's place.
pub(crate) fn upgrades(rows: &[Upgraded]) {
    end_progress();
    println!(
        "\n{:<34} {:>9} {:>7} {:>9} {:>9} {:>9} {:>9}",
        "upgrades under load, 32 conns", "requests", "failed", "req/s", "p50 µs", "p99 µs", "max µs"
    );
    for row in rows {
        println!(
            "{:<34} {:>9} {:>7} {:>9.0} {:>9.0} {:>9.0} {:>9.0}",
            row.name, row.requests, row.failed, row.requests_per_second, row.p50_us, row.p99_us, row.max_us
        );
    }
}

/// What to know about that table.
pub(crate) fn circumstances(reset_path: &str, log_bytes: u64) {
    println!(
        "CPU: user and system time of the server per request, with its plugins' processes. Memory reset: {reset_path}.\n\
         Every plugin request passes the token, the permission, admission and the limits, and the plugin answers who is signed in.\n\
         The server's log level is `warn`; it wrote {log_bytes} bytes."
    );
}

/// A table of durations.
pub(crate) fn durations(title: &str, columns: &[&str], rows: &[(&str, Vec<Option<Duration>>)]) {
    end_progress();
    println!();
    print!("{title:<34}");
    for column in columns {
        print!(" {column:>14}");
    }
    println!();
    for (name, cells) in rows {
        print!("{name:<34}");
        for cell in cells {
            print!(" {:>14}", cell.map_or_else(|| "–".to_owned(), |time| format!("{time:.3?}")));
        }
        println!();
    }
}

/// The table of checks: the median of one, and how often one allocates.
pub(crate) fn costs(rows: &[(&str, (Duration, f64))]) {
    end_progress();
    println!("\n{:<40} {:>12} {:>12}", "guards, one thread", "p50", "allocations");
    for (name, (median, allocations)) in rows {
        println!("{name:<40} {:>12} {allocations:>12.3}", format!("{median:.1?}"));
    }
}

/// The table of a neighbour beside a plugin that reaches a limit.
pub(crate) fn neighbours(rows: Vec<Neighbour>) {
    end_progress();
    println!(
        "\n{:<40} {:>9} {:>9} {:>9} {:>9} {:>12} {:>12} {:>12}",
        "neighbour beside a limit, 8 conns", "requests", "p50 µs", "p99 µs", "max µs", "ended p50", "ended max", "used at most"
    );
    for Neighbour { beside, mut latencies_ns, mut ended, peak } in rows {
        latencies_ns.sort_unstable();
        ended.sort_unstable();
        let at = |share: usize| latencies_ns.get(latencies_ns.len() * share / 100).map_or(0.0, |ns| f64::from(*ns) / 1e3);
        let max = latencies_ns.last().map_or(0.0, |ns| f64::from(*ns) / 1e3);
        let time = |time: Option<&Duration>| time.map_or_else(|| "–".to_owned(), |time| format!("{time:.1?}"));
        let (middle, last) = (time(ended.get(ended.len() / 2)), time(ended.last()));
        let peak = peak.map_or_else(|| "–".to_owned(), |peak| peak.to_string());
        println!(
            "{beside:<40} {:>9} {:>9.0} {:>9.0} {max:>9.0} {middle:>12} {last:>12} {peak:>12}",
            latencies_ns.len(),
            at(50),
            at(99)
        );
    }
    println!("Ended: on the wall, beside a neighbour that asks for all of the machine. Used: in the limit's own unit.");
}

/// The table of two laboratories that look for each other's words.
pub(crate) fn canary(rows: &[Kept]) {
    end_progress();
    println!("\n{:<34} {:>9} {:>9} {:>9} {:>9}", "two laboratories, both modes", "requests", "seconds", "req/s", "leaks");
    for row in rows {
        let seconds = row.elapsed.as_secs_f64();
        let (requests, leaks) = (row.requests, row.leaks.len());
        println!("{:<34} {requests:>9} {seconds:>9.1} {:>9.0} {leaks:>9}", row.database, requests as f64 / seconds);
    }
}

/// A line of prose.
pub(crate) fn note(text: &str) {
    end_progress();
    println!("{text}");
}
