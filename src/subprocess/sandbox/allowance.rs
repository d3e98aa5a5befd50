//! What one process may do, beside what every process may.

use std::{collections::BTreeSet, path::PathBuf};

use mint_domain::{Capability, Grants};

/// Ports of plain HTTP and TLS, which a grant without a port means.
const HTTP_PORTS: [u16; 2] = [80, 443];
/// Where names are looked up.
const DNS_PORT: u16 = 53;

/// What one process may do.
#[derive(Clone, Debug)]
pub(crate) struct Allowance {
    /// Files and directories to read and run: its own code.
    pub(crate) programs: Vec<PathBuf>,
    /// To read.
    pub(crate) readable: Vec<PathBuf>,
    /// To read and change, with everything beneath.
    pub(crate) writable: Vec<PathBuf>,
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
    /// The platform, and these ports of any host: the kernel knows no hosts.
    Ports(BTreeSet<u16>),
}

impl Network {
    /// What grants come to.
    pub(crate) fn of(grants: &Grants) -> Self {
        let mut ports = BTreeSet::new();
        for grant in grants.iter() {
            if let Capability::Http(target) = grant {
                match target.port {
                    Some(port) => ports.extend([port]),
                    None => ports.extend(HTTP_PORTS),
                }
            }
        }
        if ports.is_empty() {
            return Self::Platform;
        }
        ports.insert(DNS_PORT);
        Self::Ports(ports)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_become_ports() {
        let network = |grants: &[&str]| Network::of(&Grants::new(grants.iter().map(|grant| grant.parse().unwrap())));
        assert_eq!(network(&["files", "objects"]), Network::Platform);
        assert_eq!(network(&["http:a.example"]), Network::Ports([53, 80, 443].into()));
        assert_eq!(network(&["http:a.example:8443", "http:b.example:9"]), Network::Ports([9, 53, 8443].into()));
    }
}
