//! Where a requirement is judged: the markers' values.

use pep440_rs::Version;
use pep508_rs::{MarkerEnvironment, MarkerEnvironmentBuilder};

/// A Python on a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    markers: MarkerEnvironment,
    python: Version,
}

/// Marker values besides the version.
struct Machine<'a> {
    sys_platform: &'a str,
    platform_system: &'a str,
    platform_machine: &'a str,
    release: &'a str,
}

impl Environment {
    /// CPython inside a component. `None` for a version that cannot be written as one.
    pub fn component(python: &Version) -> Option<Self> {
        let machine = Machine { sys_platform: "wasi", platform_system: "wasi", platform_machine: "wasm32", release: "0.0.0" };
        Self::new(python, &machine)
    }

    /// CPython on Linux, where plugin processes run. `machine` as `uname -m` says it.
    pub fn linux(python: &Version, machine: &str) -> Option<Self> {
        let machine = Machine { sys_platform: "linux", platform_system: "Linux", platform_machine: machine, release: "" };
        Self::new(python, &machine)
    }

    /// The full version of Python.
    pub fn python(&self) -> &Version {
        &self.python
    }

    pub(super) fn markers(&self) -> &MarkerEnvironment {
        &self.markers
    }

    fn new(python: &Version, machine: &Machine<'_>) -> Option<Self> {
        let mut release = python.release().iter().chain(std::iter::repeat(&0));
        let (major, minor) = (release.next()?, release.next()?);
        let (short, full) = (format!("{major}.{minor}"), format!("{major}.{minor}.{}", release.next()?));
        let markers = MarkerEnvironment::try_from(MarkerEnvironmentBuilder {
            implementation_name: "cpython",
            implementation_version: &full,
            os_name: "posix",
            platform_machine: machine.platform_machine,
            platform_python_implementation: "CPython",
            platform_release: machine.release,
            platform_system: machine.platform_system,
            platform_version: machine.release,
            python_full_version: &full,
            python_version: &short,
            sys_platform: machine.sys_platform,
        });
        Some(Self { markers: markers.ok()?, python: full.parse().ok()? })
    }
}
