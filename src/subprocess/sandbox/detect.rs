//! Tries out what this machine can enforce, once.

use std::{
    fmt, io,
    os::{fd::AsFd, unix::process::CommandExt},
    process::Command,
    sync::Arc,
};

use mint_domain::lifecycle::Failure;

use super::{
    Allowance, Cage, Control, Kept, Level, Network, SandboxOptions, cage, calls,
    cgroup::Groups,
    files,
    namespace::{self, Namespace},
    places::{self, Places},
    users::Users,
};
use crate::SubprocessConfig;

/// Where the proxy stands in a network of a process's own, and where it does if the platform stands there.
const PROXY_PORTS: [u16; 2] = [3128, 3129];
/// Landlock's interface from which on it holds connections, and signals.
const ABI_CONNECTIONS: i32 = 4;
const ABI_SIGNALS: i32 = 6;
/// From here on it holds the sockets of others too, whose names are else only secret.
const ABI_UNIX: i32 = 9;

/// What this machine can enforce, and what the configuration wants.
pub(crate) struct Sandbox {
    landlock: Result<i32, String>,
    seccomp: Result<(), String>,
    /// Whether a network of its own takes a namespace of users.
    network: Result<bool, String>,
    groups: Result<Groups, String>,
    users: Result<Users, String>,
    places: Places,
    required: Vec<Control>,
    /// Host and port of the platform.
    platform: Arc<str>,
    platform_port: u16,
}

impl Sandbox {
    /// Tries out every control. Starts processes: blocking.
    ///
    /// # Errors
    /// When the platform's address has no port.
    pub(crate) fn detect(config: &SubprocessConfig) -> io::Result<Self> {
        let options = &config.sandbox;
        let uri: http::Uri = config.platform_url.parse().map_err(io::Error::other)?;
        let port = uri.port_u16().ok_or_else(|| io::Error::other(format!("`{}` names no port", config.platform_url)))?;
        let python = config.python.iter().flat_map(|python| places::of_interpreter(python.as_ref()));
        let readable: Vec<_> = options.readable.iter().cloned().chain(python).collect();
        let users = users(options);
        let sandbox = Self {
            landlock: landlock(),
            seccomp: seccomp(),
            network: network(users.is_ok()),
            groups: Groups::detect(options.cpus, |door| probe(move || Ok(rustix::io::write(&door, b"0").map(drop)?))),
            users,
            places: Places::new(&readable, &options.private),
            required: options.require.clone(),
            platform: uri.authority().map(|authority| authority.as_str().into()).unwrap_or_default(),
            platform_port: port,
        };
        let (on, off) = sandbox.level(&Network::Platform).in_words();
        tracing::info!(on, off, "sandbox of plugin processes");
        Ok(sandbox)
    }

    /// Host and port of the platform.
    pub(crate) fn platform(&self) -> &Arc<str> {
        &self.platform
    }

    /// Where the platform stands in a network of the process's own; none where the process is in the machine's.
    pub(crate) fn own_platform_url(&self, network: &Network) -> Option<String> {
        let has_own = self.network.is_ok() && matches!(network, Network::Platform | Network::Proxy(_));
        has_own.then(|| format!("http://127.0.0.1:{}", self.platform_port))
    }

    /// Where the proxy stands in a network of the process's own; none where the process is in the machine's.
    pub(crate) fn own_proxy_port(&self) -> Option<u16> {
        let free = PROXY_PORTS.into_iter().find(|port| *port != self.platform_port);
        free.filter(|_| self.network.is_ok())
    }

    /// The level of a process that may reach `network`.
    pub(crate) fn level(&self, network: &Network) -> Level {
        let mut level = Level::default();
        match &self.landlock {
            Ok(abi) => level.on(Control::Files, format!("Landlock ABI {abi}{}", unix_words(*abi))),
            Err(why) => level.off(Control::Files, why),
        }
        match &self.landlock {
            Ok(abi) if *abi >= ABI_SIGNALS => level.on(Control::Signals, format!("Landlock ABI {abi}")),
            Ok(abi) => level
                .off(Control::Signals, format!("the kernel has Landlock ABI {abi}, and this takes {ABI_SIGNALS} (Linux 6.12)")),
            Err(why) => level.off(Control::Signals, why),
        }
        match &self.seccomp {
            Ok(()) => level.on(Control::Syscalls, "seccomp filters"),
            Err(why) => level.off(Control::Syscalls, why),
        }
        self.level_of_network(network, &mut level);
        level.on(Control::Privileges, "no_new_privs, and no capabilities");
        level.on(Control::Limits, "resource limits");
        level.on(Control::Session, "a session of its own, which ends with the server");
        match &self.groups {
            Ok(groups) => level.on(Control::Cgroup, groups.in_words()),
            Err(why) => level.off(Control::Cgroup, why),
        }
        match &self.users {
            Ok(_) => level.on(Control::User, "a user id of its own"),
            Err(why) => level.off(Control::User, why),
        }
        level
    }

    fn level_of_network(&self, network: &Network, level: &mut Level) {
        let weak = |why: String| {
            let rest = if self.landlock_ports() {
                let ports = self.ports(network).iter().map(u16::to_string).collect::<Vec<_>>().join(" and ");
                format!("TCP to port {ports} of any host and from ports that the kernel chooses, no UDP")
            } else if self.seccomp.is_ok() {
                "TCP to everywhere, no UDP".to_owned()
            } else {
                "everything is open".to_owned()
            };
            format!("{why}; what is left: {rest}")
        };
        match (network, &self.network) {
            (Network::Nobody, Ok(_)) => level.on(Control::Network, "a network of its own, with nobody in it"),
            (Network::Platform, Ok(_)) => level.on(Control::Network, "a network of its own, in which only the platform stands"),
            (Network::Proxy(_), Ok(_)) => level.on(
                Control::Network,
                "a network of its own, in which only the platform stands, and its proxy to the granted hosts",
            ),
            (Network::Nobody | Network::Platform | Network::Proxy(_), Err(why)) => level.off(Control::Network, weak(why.clone())),
            (Network::Ports(ports), _) if self.landlock_ports() && self.seccomp.is_ok() => {
                let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
                level.on(
                    Control::Network,
                    format!("granted: TCP to ports {} of any host and to the platform, and UDP", ports.join(", ")),
                );
            }
            (Network::Ports(_), _) => level.off(
                Control::Network,
                format!("granted, and not held to its ports: this takes Landlock ABI {ABI_CONNECTIONS} (Linux 6.7) and seccomp"),
            ),
        }
    }

    /// Ports that a process in the machine's network may connect to.
    fn ports(&self, network: &Network) -> Vec<u16> {
        match network {
            Network::Nobody => Vec::new(),
            Network::Platform => vec![self.platform_port],
            Network::Proxy(port) => vec![self.platform_port, *port],
            Network::Ports(ports) => ports.iter().copied().chain([self.platform_port]).collect(),
        }
    }

    fn landlock_ports(&self) -> bool {
        self.landlock.as_ref().is_ok_and(|abi| *abi >= ABI_CONNECTIONS)
    }

    /// Refuses a start below what the configuration requires.
    ///
    /// # Errors
    /// A [`Failure`] that names what is missing.
    pub(crate) fn permit(&self, network: &Network) -> Result<Level, Failure> {
        let level = self.level(network);
        level.satisfies(&self.required)?;
        Ok(level)
    }

    /// Makes what is applied to one process. Opens files: blocking.
    ///
    /// # Errors
    /// When a control that holds on this machine cannot be made ready.
    pub(crate) fn cage(&self, allowance: &Allowance) -> io::Result<(Cage, Kept)> {
        let (mut cage, mut kept) = (Cage::default(), Kept::default());
        if let Ok(users) = &self.users {
            cage.user = Some(users.prepare(allowance)?);
        }
        let own_network = self.network.as_ref().ok().filter(|_| !matches!(allowance.network, Network::Ports(_)));
        if let Some(with_users) = own_network {
            let ports = self.ports(&allowance.network);
            let (namespace, taken) = Namespace::new(&ports, *with_users)?;
            cage.namespace = Some(namespace);
            kept.listeners = Some((taken, ports.len()));
        }
        if self.landlock.is_ok() {
            let ports = self.ports(&allowance.network);
            let held = own_network.is_none().then_some(ports.as_slice());
            cage.ruleset = Some(files::ruleset(&self.places, allowance, held)?);
            kept.own_proc = files::own_proc(own_network.is_some());
        }
        if self.seccomp.is_ok() {
            cage.filters = calls::filters(matches!(allowance.network, Network::Ports(_))).map_err(io::Error::other)?;
        }
        if let Ok(groups) = &self.groups {
            let group = groups.group(allowance)?;
            cage.door = Some(group.door()?);
            kept.group = Some(group);
        }
        Ok((cage, kept))
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sandbox").field(&self.level(&Network::Platform)).finish()
    }
}

fn unix_words(abi: i32) -> &'static str {
    if abi >= ABI_UNIX { "" } else { "; sockets of neighbours have secret names, but are not refused" }
}

fn landlock() -> Result<i32, String> {
    let abi = files::kernel_abi().map_err(|error| match error.raw_os_error() {
        Some(libc::EOPNOTSUPP) => "Landlock is not switched on at boot (kernel parameter `lsm=`)".to_owned(),
        Some(libc::ENOSYS) => "the kernel has no Landlock".to_owned(),
        _ => format!("Landlock is refused: {error}"),
    })?;
    let holds = || {
        let ruleset = files::strictest()?;
        probe(move || {
            rustix::thread::set_no_new_privs(true)?;
            files::restrict(ruleset.as_fd())?;
            let opened =
                rustix::fs::open(c"/", rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECTORY, rustix::fs::Mode::empty());
            refused(opened.map(drop), rustix::io::Errno::ACCESS)
        })
    };
    holds().map(|()| abi).map_err(|error| format!("Landlock does not hold: {error}"))
}

fn seccomp() -> Result<(), String> {
    let holds = || {
        let filters = calls::filters(false).map_err(io::Error::other)?;
        probe(move || {
            rustix::thread::set_no_new_privs(true)?;
            filters.iter().try_for_each(cage::apply)?;
            // SAFETY: shares nothing any less.
            refused(unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::empty()) }, rustix::io::Errno::PERM)
        })
    };
    holds().map_err(|error| format!("seccomp filters do not hold: {error}"))
}

/// In a namespace of users there is one user only, so plugins with ids of their own do without.
fn network(have_own_users: bool) -> Result<bool, String> {
    let holds = |with_users| {
        let (namespace, listener) = Namespace::new(&[1], with_users)?;
        probe(move || namespace.enter())?;
        namespace::take_listener(&listener).map(|_| with_users)
    };
    let tried = holds(false).or_else(|error| if have_own_users { Err(error) } else { holds(true) });
    tried.map_err(|error| format!("no network of its own can be made: {error}"))
}

fn users(options: &SandboxOptions) -> Result<Users, String> {
    match (options.users, rustix::process::geteuid().is_root()) {
        (Some(range), true) => Ok(Users::new(range)),
        (Some(_), false) => Err("only root can give user ids".to_owned()),
        (None, true) => {
            Err("no user ids are configured, so plugins run as root without its privileges (plugins.sandbox.users)".to_owned())
        }
        (None, false) => Err("plugins run as the server's user".to_owned()),
    }
}

fn refused(done: rustix::io::Result<()>, how: rustix::io::Errno) -> io::Result<()> {
    if done == Err(how) { Ok(()) } else { Err(rustix::io::Errno::NOTRECOVERABLE.into()) }
}

/// Runs `look` in a new process, which ends after it. It must make system calls only.
fn probe(look: impl Fn() -> io::Result<()> + Send + Sync + 'static) -> io::Result<()> {
    const DONE: i32 = libc::ECANCELED;
    #[expect(clippy::disallowed_methods, reason = "starts no program: the new process ends before it would")]
    let mut command = Command::new("/");
    // SAFETY: `look` makes system calls only.
    unsafe {
        command.pre_exec(move || match look() {
            Ok(()) => Err(io::Error::from_raw_os_error(DONE)),
            Err(error) => Err(error),
        });
    }
    match command.spawn() {
        Err(error) if error.raw_os_error() == Some(DONE) => Ok(()),
        Err(error) => Err(error),
        Ok(_started) => Err(io::ErrorKind::Other.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sandbox(landlock: Result<i32, String>, network: Result<bool, String>) -> Sandbox {
        Sandbox {
            landlock,
            seccomp: Ok(()),
            network,
            groups: Err("none".to_owned()),
            users: Err("none".to_owned()),
            places: Places::new(&[], &[]),
            required: vec![Control::Network],
            platform: "127.0.0.1:8001".into(),
            platform_port: 8001,
        }
    }

    #[test]
    fn a_weaker_network_is_off_with_what_is_left() {
        let refused = || Err("refused".to_owned());
        let detail = |sandbox: &Sandbox, network: &Network| {
            let level = sandbox.level(network);
            assert_eq!(sandbox.permit(network).is_ok(), level.holds(Control::Network));
            (level.holds(Control::Network), level.as_json()["network"]["detail"].as_str().unwrap().to_owned())
        };
        let granted = Network::Ports([53, 443].into());
        for (landlock, own, network, on, words) in [
            (Ok(7), Ok(false), &Network::Platform, true, "only the platform"),
            (Ok(7), Ok(false), &Network::Nobody, true, "nobody in it"),
            (Ok(7), refused(), &Network::Platform, false, "refused; what is left: TCP to port 8001"),
            (Ok(3), refused(), &Network::Platform, false, "TCP to everywhere"),
            (Ok(7), Ok(false), &Network::Proxy(3128), true, "its proxy to the granted hosts"),
            (Ok(7), refused(), &Network::Proxy(9000), false, "TCP to port 8001 and 9000"),
            (Ok(7), refused(), &granted, true, "ports 53, 443"),
            (Ok(3), Ok(false), &granted, false, "not held to its ports"),
        ] {
            let (found, detail) = detail(&sandbox(landlock, own), network);
            assert_eq!(found, on, "{detail}");
            assert!(detail.contains(words), "{detail}");
        }
    }

    #[test]
    fn its_address_is_its_own_only_where_its_network_is() {
        let url = |network: &Network| sandbox(Ok(7), Ok(true)).own_platform_url(network);
        assert_eq!(url(&Network::Platform).as_deref(), Some("http://127.0.0.1:8001"));
        assert_eq!(url(&Network::Proxy(3128)).as_deref(), Some("http://127.0.0.1:8001"));
        assert_eq!(url(&Network::Ports([443].into())), None);
        assert_eq!(sandbox(Ok(7), Ok(true)).own_proxy_port(), Some(3128));
        assert_eq!(sandbox(Ok(7), Err("refused".to_owned())).own_proxy_port(), None);
    }
}
