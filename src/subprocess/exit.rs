//! How a process ended, in words.

use std::{fmt, os::unix::process::ExitStatusExt, process::ExitStatus};

use mint_domain::limit::Limit;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// With a code.
    Code(i32),
    /// By a signal.
    Signal(i32),
    /// By the platform, for it did not end when asked to.
    Killed,
    /// By the platform, for it had too many processes and threads.
    Crowded {
        /// So many.
        tasks: u64,
        /// So many are allowed.
        tasks_max: u64,
    },
    /// By the platform, for its tables and what stood beside them, or its files, took too much room.
    Overfull {
        /// What it had too much of.
        limit: Limit,
        /// So many bytes.
        bytes: u64,
        /// So many are allowed; of tables, for them alone.
        bytes_max: u64,
    },
    /// By the kernel, for its processes had used up the memory of its control group.
    OutOfMemory,
    /// Nobody could tell.
    Unknown,
}

impl Exit {
    /// The limit that ended it, if one did.
    pub(crate) fn limit(self) -> Option<Limit> {
        match self {
            Self::Crowded { .. } => Some(Limit::processes_max),
            Self::Overfull { limit, .. } => Some(limit),
            Self::OutOfMemory => Some(Limit::process_memory_bytes_max),
            Self::Code(_) | Self::Signal(_) | Self::Killed | Self::Unknown => None,
        }
    }
}

const SIGNALS: &[(i32, &str, &str)] = &[
    (1, "SIGHUP", ""),
    (2, "SIGINT", ""),
    (4, "SIGILL", " (illegal instruction)"),
    (6, "SIGABRT", " (it aborted)"),
    (7, "SIGBUS", " (bad memory access)"),
    (8, "SIGFPE", " (arithmetic error)"),
    (9, "SIGKILL", " (killed from outside, often for want of memory)"),
    (11, "SIGSEGV", " (bad memory access)"),
    (13, "SIGPIPE", ""),
    (15, "SIGTERM", ""),
    (24, "SIGXCPU", " (CPU time used up)"),
    (25, "SIGXFSZ", " (file too large)"),
    (31, "SIGSYS", " (forbidden system call)"),
];

impl From<ExitStatus> for Exit {
    fn from(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(code),
            (None, signal) => Self::Signal(signal.unwrap_or_default()),
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Killed => f.write_str("did not end when asked to, and was killed"),
            Self::Crowded { tasks, tasks_max } => {
                write!(f, "had {tasks} processes and threads, more than its limit processes_max of {tasks_max}, and was killed")
            }
            Self::Overfull { limit: Limit::database_bytes_max, bytes, bytes_max } => write!(
                f,
                "took {bytes} bytes for its tables and what stood beside them, too much for its limit database_bytes_max of \
                 {bytes_max}, and was killed"
            ),
            Self::Overfull { limit, bytes, bytes_max } => {
                write!(f, "kept {bytes} bytes, too much for its limit {} of {bytes_max}, and was killed", limit.name())
            }
            Self::OutOfMemory => f.write_str("used up its memory, process_memory_bytes_max, and was killed"),
            Self::Unknown => f.write_str("ended, nobody knows how"),
            Self::Code(code) => write!(f, "exited with code {code}"),
            Self::Signal(signal) => match SIGNALS.iter().find(|(number, ..)| number == signal) {
                Some((_, name, meaning)) => write!(f, "was ended by {name}{meaning}"),
                None => write!(f, "was ended by signal {signal}"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_are_said_in_words() {
        for (raw, expected) in [
            (0, "exited with code 0"),
            (3 << 8, "exited with code 3"),
            (15, "was ended by SIGTERM"),
            (9, "was ended by SIGKILL (killed from outside, often for want of memory)"),
            (11 | 0x80, "was ended by SIGSEGV (bad memory access)"),
            (40, "was ended by signal 40"),
        ] {
            assert_eq!(Exit::from(ExitStatus::from_raw(raw)).to_string(), expected);
        }
    }
}
