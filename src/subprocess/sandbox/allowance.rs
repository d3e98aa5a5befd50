//! What one process may do, beside what every process may.

use std::{collections::BTreeSet, path::PathBuf};

use mint_domain::{Capability, Grants};

/// What one process may do.
#[derive(Clone, Debug)]
pub(crate) struct Allowance {
    /// Files and directories to read and run: its own code.
    pub(crate) programs: Vec<PathBuf>,
    /// To read.
    pub(crate) readable: Vec<PathBuf>,
    /// To read and change, with everything beneath.
    pub(crate) writable: Vec<PathBuf>,
    /// To read and remove from: there is too much already.
    pub(crate) removable: Vec<PathBuf>,
    /// Where it makes its socket.
    pub(crate) socket_directory: Option<PathBuf>,
    /// Whom it reaches.
    pub(crate) network: Network,
    /// Names its control group.
    pub(crate) name: String,
    /// Memory of all its processes together, in bytes.
    pub(crate) memory_bytes_max: u64,
    /// Processes and threads, all together.
    pub(crate) processes_max: u64,
    /// Its own directory, whose owner it becomes where plugins have user ids of their own.
    pub(crate) home: Option<PathBuf>,
}

/// Whom a process reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Network {
    /// Nobody.
    Nobody,
    /// The platform.
    Platform,
    /// The platform, and its proxy at this port.
    Proxy(u16),
    /// The platform, and these ports of any host: the kernel knows no hosts. For programs of the platform's own choice.
    Ports(BTreeSet<u16>),
}

impl Network {
    /// What grants come to, where the proxy stands at `proxy`.
    pub(crate) fn of(grants: &Grants, proxy: u16) -> Self {
        let lets_out = grants.iter().any(|grant| matches!(grant, Capability::Http(_)));
        if lets_out { Self::Proxy(proxy) } else { Self::Platform }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_reached_by_the_proxy_only() {
        let network = |grants: &[&str]| Network::of(&Grants::new(grants.iter().map(|grant| grant.parse().unwrap())), 3128);
        assert_eq!(network(&["files", "objects"]), Network::Platform);
        assert_eq!(network(&["http:a.example", "http:b.example:9"]), Network::Proxy(3128));
    }
}
