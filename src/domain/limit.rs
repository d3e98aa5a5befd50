//! What an installation may use up. Defaults, bounds and the merge platform < tenant < installation.

use serde::{Deserialize, Serialize};

macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident: default $default:expr, at most $max:expr;)*) => {
        /// The limits in force for one installation.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
        pub struct Limits { $($(#[$doc])* pub $name: u64,)* }

        /// Some limits: what a bundle suggests or an administrator sets. Absent ones come from the level below.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct LimitChanges { $($(#[$doc])* #[serde(default, skip_serializing_if = "Option::is_none")] pub $name: Option<u64>,)* }

        /// Name, default and greatest value of every limit.
        pub const TABLE: &[(&str, u64, u64)] = &[$((stringify!($name), $default, $max),)*];

        impl LimitChanges {
            /// These changes, and `earlier` ones where these say nothing.
            #[must_use]
            pub fn over(&self, earlier: &Self) -> Self {
                Self { $($name: self.$name.or(earlier.$name),)* }
            }
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        impl Limits {
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

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const HOUR_MS: u64 = 3_600_000;

limits! {
    /// All memories and tables of one instance together.
    instance_memory_bytes_max: default 256 * MIB, at most 4 * GIB;
    /// Address space of a plugin process.
    process_memory_bytes_max: default 4 * GIB, at most 256 * GIB;
    /// Time the guest may compute in one request.
    cpu_ms_max: default 2_000, at most HOUR_MS;
    /// Time that a request may wait for its turn, and then for the head of its response.
    wall_ms_max: default 30_000, at most HOUR_MS;
    /// Requests in progress.
    concurrency_max: default 16, at most 1_024;
    /// Requests waiting for their turn.
    queue_max: default 64, at most 65_536;
    /// Bytes of a request body.
    request_body_bytes_max: default 256 * MIB, at most 1_024 * GIB;
    /// Bytes of a response body.
    response_body_bytes_max: default GIB, at most 1_024 * GIB;
    /// Handles of host resources open in one instance.
    handles_max: default 1_024, at most 65_536;
    /// Host memory held for one call: lists, rows, buffers.
    host_memory_bytes_max: default 16 * MIB, at most GIB;
    /// Files under `/artifacts`.
    files_bytes_max: default GIB, at most 1_024 * GIB;
    /// Files under `/cache`.
    cache_bytes_max: default 256 * MIB, at most 1_024 * GIB;
    /// Objects that the plugin put, over all experiments.
    objects_bytes_max: default 10 * GIB, at most 1_024 * GIB;
    /// The installation's own tables, with their indexes.
    database_bytes_max: default 256 * MIB, at most 1_024 * GIB;
    /// Time of one statement on them.
    database_statement_ms_max: default 5_000, at most HOUR_MS;
    /// Rows that one query may give at once; a cursor gives as many, batch by batch.
    database_rows_max: default 100_000, at most 10_000_000;
    /// Time of one migration of them, whatever it does.
    migration_ms_max: default 600_000, at most HOUR_MS;
    /// Outbound requests in progress.
    outbound_concurrency_max: default 8, at most 1_024;
    /// Outbound requests in a minute.
    outbound_per_minute_max: default 600, at most 1_000_000;
    /// Log bytes in a minute.
    log_bytes_per_minute_max: default MIB, at most GIB;
    /// Processes and threads of a plugin process.
    processes_max: default 256, at most 4_096;
    /// Open files of a plugin process.
    open_files_max: default 1_024, at most 65_536;
    /// One result or design document.
    document_bytes_max: default 64 * MIB, at most GIB;
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
        for (name, default, max) in TABLE {
            assert!(*default > 0 && default <= max, "{name}");
        }
    }
}
