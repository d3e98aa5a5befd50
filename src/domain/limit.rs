//! What an installation may use up. Defaults, bounds and the merge platform < tenant < installation.

use serde::{Deserialize, Serialize};

use crate::Mode;

macro_rules! limits {
    ($(#[doc = $doc:literal] $name:ident: $modes:ident $(($elsewhere:literal))?, default $default:expr, at most $max:expr;)*) => {
        /// The limits in force for one installation.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
        pub struct Limits { $(#[doc = $doc] pub $name: u64,)* }

        /// Some limits: what a bundle suggests or an administrator sets. Absent ones come from the level below.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct LimitChanges { $(#[doc = $doc] #[serde(default, skip_serializing_if = "Option::is_none")] pub $name: Option<u64>,)* }

        /// Which limit.
        #[expect(non_camel_case_types, reason = "a limit has one name, for people, programs and code")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Limit { $(#[doc = $doc] $name,)* }

        /// Every limit.
        pub const TABLE: &[Row] = &[$(Row {
            limit: Limit::$name,
            name: stringify!($name),
            about: $doc,
            default: $default,
            max: $max,
            modes: Modes::$modes,
            elsewhere: concat!($($elsewhere)?),
        },)*];

        impl LimitChanges {
            /// These changes, and `earlier` ones where these say nothing.
            #[must_use]
            pub fn over(&self, earlier: &Self) -> Self {
                Self { $($name: self.$name.or(earlier.$name),)* }
            }

            /// What is said of one limit.
            pub fn get(&self, limit: Limit) -> Option<u64> {
                match limit { $(Limit::$name => self.$name,)* }
            }

            /// Says `value` of one limit, or nothing any more.
            pub fn set(&mut self, limit: Limit, value: Option<u64>) {
                match limit { $(Limit::$name => self.$name = value,)* }
            }
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        impl Limits {
            /// The limits in force: what the platform says by itself, under what the author suggests, under what was set
            /// for the laboratory, under what was set for the installation.
            ///
            /// # Errors
            /// As [`merged`](Self::merged).
            pub fn in_force(
                suggested: &LimitChanges,
                laboratory: &LimitChanges,
                installation: &LimitChanges,
            ) -> Result<Self, LimitOutOfRange> {
                Self::default().merged(suggested)?.merged(laboratory)?.merged(installation)
            }

            /// The value of one limit.
            pub fn get(&self, limit: Limit) -> u64 {
                match limit { $(Limit::$name => self.$name,)* }
            }

            /// These limits with `changes` on top.
            ///
            /// # Errors
            /// A value that is zero or above what the platform can enforce, by name.
            pub fn merged(mut self, changes: &LimitChanges) -> Result<Self, LimitOutOfRange> {
                $(if let Some(value) = changes.$name {
                    if value == 0 || value > $max {
                        return Err(LimitOutOfRange { name: stringify!($name), value, max: $max });
                    }
                    self.$name = value;
                })*
                Ok(self)
            }
        }
    };
}

/// A limit as it is declared.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Which.
    pub limit: Limit,
    /// Its name.
    pub name: &'static str,
    /// What it bounds, in a sentence.
    pub about: &'static str,
    /// Its value where nobody says another.
    pub default: u64,
    /// Its greatest value.
    pub max: u64,
    /// Where it holds.
    pub modes: Modes,
    /// What there is instead in the mode in which it does not hold; empty where it holds in both.
    pub elsewhere: &'static str,
}

/// In which modes a limit holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Modes {
    /// In both.
    Both,
    /// For components.
    Shared,
    /// For processes.
    Isolated,
}

impl Modes {
    /// Whether a plugin in `mode` is held to it.
    pub fn include(self, mode: Mode) -> bool {
        match self {
            Self::Both => true,
            Self::Shared => mode == Mode::Shared,
            Self::Isolated => mode == Mode::Isolated,
        }
    }
}

impl Limit {
    /// How many there are.
    pub const COUNT: usize = TABLE.len();

    /// The limit of a name.
    pub fn named(name: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.name == name).map(|row| row.limit)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        TABLE.get(self as usize).map_or("", |row| row.name)
    }
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const HOUR_MS: u64 = 3_600_000;

limits! {
    /// All memories and tables of one instance together.
    instance_memory_bytes_max: Shared("A process is held to process_memory_bytes_max."), default 256 * MIB, at most 4 * GIB;
    /// Address space of a plugin process.
    process_memory_bytes_max: Isolated("An instance is held to instance_memory_bytes_max."), default 4 * GIB, at most 256 * GIB;
    /// Time the guest may compute in one request.
    cpu_ms_max: Shared("A process computes for many requests at once: wall_ms_max ends each, and its control group, where there is one, has a share of the processors."), default 2_000, at most HOUR_MS;
    /// Time that a request may wait for its turn, and then for the head of its response.
    wall_ms_max: Both, default 30_000, at most HOUR_MS;
    /// Requests in progress.
    concurrency_max: Both, default 16, at most 1_024;
    /// Requests that begin in a second, counted over a second.
    requests_per_second_max: Both, default 200, at most 1_000_000;
    /// Requests waiting for their turn.
    queue_max: Both, default 64, at most 65_536;
    /// Bytes of a request body.
    request_body_bytes_max: Both, default 256 * MIB, at most 1_024 * GIB;
    /// Bytes of a response body.
    response_body_bytes_max: Both, default GIB, at most 1_024 * GIB;
    /// Handles of host resources open in one instance.
    handles_max: Shared("A process has no handles of the platform; it is held to open_files_max."), default 1_024, at most 65_536;
    /// Host memory held for one call: lists, rows, buffers.
    host_memory_bytes_max: Shared("What a process asks for arrives in its own memory."), default 16 * MIB, at most GIB;
    /// Files under `/artifacts`; of a process all in its own directory, but for its cache.
    files_bytes_max: Both, default GIB, at most 1_024 * GIB;
    /// Files under `/cache`; of a process those in `cache` in its own directory, temporary ones among them.
    cache_bytes_max: Both, default 256 * MIB, at most 1_024 * GIB;
    /// Objects that the plugin put, over all experiments.
    objects_bytes_max: Both, default 10 * GIB, at most 1_024 * GIB;
    /// The installation's own tables, with their indexes.
    database_bytes_max: Both, default 256 * MIB, at most 1_024 * GIB;
    /// Time of one statement on them.
    database_statement_ms_max: Shared("On PostgreSQL it ends statements of a process too; on SQLite the process computes them itself."), default 5_000, at most HOUR_MS;
    /// Rows that one query may give at once; a cursor gives as many, batch by batch.
    database_rows_max: Shared("What a process reads arrives in its own memory."), default 100_000, at most 10_000_000;
    /// Time of one migration of them, whatever it does.
    migration_ms_max: Both, default 600_000, at most HOUR_MS;
    /// Jobs in progress, on all servers together.
    jobs_concurrency_max: Both, default 2, at most 256;
    /// Time of one attempt at a job, whatever it does.
    job_ms_max: Both, default HOUR_MS, at most 24 * HOUR_MS;
    /// Jobs waiting for their time, or for their turn.
    jobs_queue_max: Both, default 1_000, at most 100_000;
    /// Outbound requests in progress, and tunnels of processes.
    outbound_concurrency_max: Both, default 8, at most 1_024;
    /// Outbound requests in a minute.
    outbound_per_minute_max: Both, default 600, at most 1_000_000;
    /// Bytes of the body of an outbound request, and of its response; of a tunnel both ways together.
    outbound_body_bytes_max: Both, default GIB, at most 1_024 * GIB;
    /// Log bytes in a minute.
    log_bytes_per_minute_max: Both, default MIB, at most GIB;
    /// Processes and threads of a plugin process.
    processes_max: Isolated("A component starts no processes."), default 256, at most 4_096;
    /// Open files of a plugin process.
    open_files_max: Isolated("A component is held to handles_max."), default 1_024, at most 65_536;
    /// One result or design document.
    document_bytes_max: Both, default 64 * MIB, at most GIB;
}

/// A limit that cannot be set so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("limit `{name}` cannot be {value}: choose 1 to {max}")]
pub struct LimitOutOfRange {
    name: &'static str,
    value: u64,
    max: u64,
}

/// Longest log line kept, in bytes; the rest of the line is dropped and counted.
pub const LOG_LINE_BYTES_MAX: usize = 8 * KIB as usize;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_bounded_and_layered() {
        let tenant = LimitChanges { cpu_ms_max: Some(5_000), queue_max: Some(1), ..LimitChanges::default() };
        let installation = LimitChanges { cpu_ms_max: Some(9_000), ..LimitChanges::default() };
        let merged = Limits::default().merged(&tenant).unwrap().merged(&installation).unwrap();
        assert_eq!((merged.cpu_ms_max, merged.queue_max, merged.wall_ms_max), (9_000, 1, 30_000));
        for bad in [0, u64::MAX] {
            let error = Limits::default().merged(&LimitChanges { cpu_ms_max: Some(bad), ..LimitChanges::default() }).unwrap_err();
            assert!(error.to_string().contains("cpu_ms_max"), "{error}");
        }
    }

    #[test]
    fn every_default_is_within_its_bound() {
        for row in TABLE {
            assert!(row.default > 0 && row.default <= row.max, "{}", row.name);
            assert_eq!((Limit::named(row.name), row.limit.name()), (Some(row.limit), row.name));
            assert_eq!(Limits::default().get(row.limit), row.default);
            assert_eq!(row.elsewhere.is_empty(), row.modes == Modes::Both, "{}", row.name);
        }
    }
}
