//! What every process may open: the system's programs and libraries, some of its settings, and harmless devices.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use landlock::PathFd;

/// Programs and libraries.
const SYSTEM: &[&str] = &["/bin", "/gnu/store", "/lib", "/lib32", "/lib64", "/nix/store", "/sbin", "/usr"];

/// Settings that libraries read. Not all of `/etc`: keys and passwords stand there too.
const SETTINGS: &[&str] = &[
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/crypto-policies",
    "/etc/fonts",
    "/etc/gai.conf",
    "/etc/group",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/ld.so.preload",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
    "/etc/os-release",
    "/etc/passwd",
    "/etc/pki/ca-trust",
    "/etc/pki/tls/certs",
    "/etc/pki/tls/openssl.cnf",
    "/etc/protocols",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/timezone",
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
    "/sys/kernel/mm/transparent_hugepage",
];

/// What the kernel tells about the machine. Not all of `/proc`: the other processes stand there, with their arguments.
const MACHINE: &[&str] = &[
    "/proc/cpuinfo",
    "/proc/filesystems",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/sys/kernel",
    "/proc/sys/vm",
    "/proc/uptime",
    "/proc/version",
];

/// Devices that hold nothing.
pub(super) const DEVICES: &[&str] = &["/dev/full", "/dev/null", "/dev/random", "/dev/urandom", "/dev/zero"];

/// Where semaphores and memory shared between processes stand.
pub(super) const SHARED_MEMORY: &str = "/dev/shm";

/// What every process may open.
#[derive(Debug)]
pub(crate) struct Places {
    /// To read and run.
    pub(super) programs: Vec<PathBuf>,
    /// To read.
    pub(super) settings: Vec<PathBuf>,
    /// To read. Held open, for a file of `/proc` that nobody holds is another file the next time.
    pub(super) machine: Vec<PathFd>,
}

impl Places {
    /// The system's places and `further` ones, without `private` ones, and without `/proc` files that do not exist.
    pub(crate) fn new(further: &[PathBuf], private: &[PathBuf]) -> Self {
        let wanted = SYSTEM.iter().map(PathBuf::from).chain(further.iter().cloned());
        for missing in further.iter().filter(|path| !path.exists()) {
            tracing::warn!(path = %missing.display(), "plugins.sandbox.readable names what does not exist");
        }
        let existing: BTreeSet<PathBuf> = wanted.filter_map(|path| path.canonicalize().ok()).collect();
        Self {
            programs: existing.iter().flat_map(|path| without(path, private)).collect(),
            settings: SETTINGS.iter().map(PathBuf::from).collect(),
            machine: MACHINE.iter().filter_map(|path| PathFd::new(path).ok()).collect(),
        }
    }
}

/// An interpreter and its libraries, wherever it was installed.
pub(crate) fn of_interpreter(interpreter: &Path) -> Vec<PathBuf> {
    let Ok(program) = interpreter.canonicalize() else { return Vec::new() };
    let installed = program.parent().filter(|bin| bin.ends_with("bin")).and_then(Path::parent);
    let libraries = installed.into_iter().flat_map(|root| ["lib", "lib64"].map(|name| root.join(name)));
    let libraries: Vec<PathBuf> = libraries.filter(|path| path.is_dir()).collect();
    std::iter::once(program).chain(libraries).collect()
}

/// `place`, or of what stands in it everything but what leads to a private place.
fn without(place: &Path, private: &[PathBuf]) -> Vec<PathBuf> {
    if private.iter().any(|secret| secret == place) {
        return Vec::new();
    }
    if !private.iter().any(|secret| secret.starts_with(place)) {
        return vec![place.to_owned()];
    }
    let entries = fs::read_dir(place).into_iter().flatten().flatten();
    // What a link leads to is listed where it stands itself, if it may be listed.
    let real = entries.filter(|entry| entry.file_type().is_ok_and(|kind| !kind.is_symlink()));
    real.flat_map(|entry| without(&entry.path(), private)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_places_are_left_out_wherever_they_are() {
        let root = tempfile::tempdir().unwrap();
        for path in ["usr/lib", "usr/mint/data/cache", "usr/mint/bin", "opt"] {
            fs::create_dir_all(root.path().join(path)).unwrap();
        }
        std::os::unix::fs::symlink(root.path().join("usr/mint/data"), root.path().join("usr/sneaky")).unwrap();
        let private = [root.path().join("usr/mint/data")];
        let found = |path: &str| {
            let mut found = without(&root.path().join(path), &private);
            found.sort();
            found.iter().map(|path| path.strip_prefix(root.path()).unwrap().display().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(found("usr"), ["usr/lib", "usr/mint/bin"]);
        assert_eq!(found("opt"), ["opt"]);
        assert_eq!(found("usr/mint/data"), [""; 0]);
        assert_eq!(found("usr/mint/data/cache"), ["usr/mint/data/cache"], "named by an administrator");
    }

    #[test]
    fn an_interpreter_brings_its_libraries_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        for path in ["home/bin", "home/lib/python3.13", "home/letters", "venv/bin"] {
            fs::create_dir_all(root.join(path)).unwrap();
        }
        fs::write(root.join("home/bin/python3.13"), "").unwrap();
        std::os::unix::fs::symlink(root.join("home/bin/python3.13"), root.join("venv/bin/python")).unwrap();
        assert_eq!(of_interpreter(&root.join("venv/bin/python")), [root.join("home/bin/python3.13"), root.join("home/lib")]);
        assert!(of_interpreter(&root.join("nowhere")).is_empty());
    }
}
