//! How many files this process may have open: each connection is one, and each request to a plugin's process another.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// With fewer than that, a few hundred people who wait keep everybody else out.
const ENOUGH: u64 = 4_096;

/// Takes as many as the system lets it have; most systems start programs with far fewer, for the sake of old ones.
pub(crate) fn raise() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
    {
        tracing::warn!(%error, "the limit of open files could not be raised");
    }
    if let Some(files) = getrlimit(Resource::Nofile).current.filter(|files| *files < ENOUGH) {
        tracing::warn!(
            files.max = files,
            "few files may be open at once, so few connections: raise the limit (systemd: `LimitNOFILE=65536`)"
        );
    }
}
