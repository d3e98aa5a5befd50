//! A compiler for components out of Debian trixie's packages, unpacked in the cache. Nothing is installed, and apt's own
//! state is not touched: it gets a private one.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use crate::{
    paths,
    run::{ask, capture, during, quietly, say},
};

const SUITE: &str = "trixie";
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
const PACKAGES: [&str; 2] = ["rustc", "libstd-rust-dev-wasm32"];

/// The C toolchain, on which Debian's rustc depends for linking native programs; the machine has its own.
const NOT_NEEDED: &[&str] = &[
    "binutils",
    "cpp",
    "gcc",
    "libasan",
    "libatomic",
    "libbinutils",
    "libc-dev-bin",
    "libc6-dev",
    "libcc1",
    "libcrypt",
    "libctf",
    "libgcc-1",
    "libgmp",
    "libgomp",
    "libgprofng",
    "libhwasan",
    "libisl",
    "libitm",
    "libjansson",
    "liblsan",
    "libmpc",
    "libmpfr",
    "libquadmath",
    "libsframe",
    "libtsan",
    "libubsan",
    "linux-libc-dev",
    "rpcsvc-proto",
];

/// How a machine's architecture is called by Debian, in library paths and by Rust, and its program loader.
struct Machine {
    debian: &'static str,
    libraries: &'static str,
    triple: &'static str,
    loader: &'static str,
}

const MACHINES: [Machine; 2] = [
    Machine {
        debian: "amd64",
        libraries: "x86_64-linux-gnu",
        triple: "x86_64-unknown-linux-gnu",
        loader: "ld-linux-x86-64.so.2",
    },
    Machine {
        debian: "arm64",
        libraries: "aarch64-linux-gnu",
        triple: "aarch64-unknown-linux-gnu",
        loader: "ld-linux-aarch64.so.1",
    },
];

/// The compiler, unpacked now unless it was before. `sysroot` is the active toolchain's, whose linkers it uses.
pub(crate) fn rustc(sysroot: &Path) -> Result<PathBuf> {
    let machine = machine()?;
    let parent = paths::cache()?.join("guest-toolchain");
    let dir = parent.join(format!("debian-{SUITE}-{}", machine.debian));
    if !dir.join("rustc").is_file() {
        fs::create_dir_all(&parent).with_context(|| format!("cannot make {}", parent.display()))?;
        say(&format!(
            "The compiler for components comes from Debian {SUITE}'s packages: some 200 MB to fetch, 800 MB in {}",
            dir.display()
        ));
        // Complete or not there: a build that was cut short leaves only the temporary directory.
        let temporary = tempfile::Builder::new().prefix(".new-").tempdir_in(&parent)?;
        unpack(&machine, temporary.path())?;
        write_wrapper(&machine, temporary.path())?;
        let made = temporary.keep();
        if fs::rename(&made, &dir).is_err() {
            fs::remove_dir_all(&made)?;
        }
    }
    link_linkers(&machine, sysroot, &dir)?;
    let rustc = dir.join("rustc");
    if ask(Command::new(&rustc).arg("-vV")).is_none() {
        bail!("{} does not run: delete {} and try again", rustc.display(), dir.display());
    }
    Ok(rustc)
}

fn machine() -> Result<Machine> {
    for program in ["apt-get", "dpkg", "dpkg-deb"] {
        if paths::find_program(program).is_none() {
            bail!("MINT_GUEST_TOOLCHAIN=debian needs `{program}`: it is for Debian and Ubuntu");
        }
    }
    if !Path::new(KEYRING).is_file() {
        bail!("{KEYRING} is missing: `apt-get install debian-archive-keyring`");
    }
    let found = ask(Command::new("dpkg").arg("--print-architecture")).unwrap_or_default();
    MACHINES.into_iter().find(|machine| machine.debian == found).with_context(|| {
        format!("Debian's compiler for components is not known for `{found}`: unset MINT_GUEST_TOOLCHAIN to use rustup")
    })
}

/// Fetches the packages and what they need into `dir/root`.
fn unpack(machine: &Machine, dir: &Path) -> Result<()> {
    let apt = dir.join("apt");
    for folder in ["etc", "state/lists/partial", "cache/archives/partial", "packages"] {
        fs::create_dir_all(apt.join(folder))?;
    }
    fs::write(apt.join("state/status"), "")?;
    let source = format!("deb [signed-by={KEYRING}] {} {SUITE} main\n", mirror()?);
    fs::write(apt.join("etc/sources.list"), source)?;
    fs::write(apt.join("apt.conf"), apt_configuration(&apt))?;
    let apt_get = || {
        let mut command = Command::new("apt-get");
        command.env("APT_CONFIG", apt.join("apt.conf")).current_dir(apt.join("packages"));
        command
    };

    quietly(&format!("Reading Debian {SUITE}'s package lists"), apt_get().arg("update"))?;
    let plan = quietly(
        "Working out which packages are needed",
        apt_get().args(["install", "--simulate", "--no-install-recommends"]).args(PACKAGES),
    )?;
    let plan = String::from_utf8_lossy(&plan.stdout);
    let names = plan.lines().filter_map(|line| line.strip_prefix("Inst ")?.split(' ').next());
    let needed: Vec<&str> = names.filter(|name| !NOT_NEEDED.iter().any(|prefix| name.starts_with(prefix))).collect();
    quietly(&format!("Fetching {} packages", needed.len()), apt_get().arg("download").args(&needed))?;

    let root = dir.join("root");
    let step = "Unpacking them";
    during(step, || {
        for entry in fs::read_dir(apt.join("packages"))? {
            capture(step, Command::new("dpkg-deb").arg("--extract").arg(entry?.path()).arg(&root))?;
        }
        Ok(())
    })?;
    fs::remove_dir_all(&apt)?;
    let std = root.join("usr/lib/rustlib/wasm32-wasip2/lib");
    if !std.is_dir() || !root.join("usr/lib").join(machine.libraries).join(machine.loader).is_file() {
        bail!("Debian {SUITE}'s packages no longer hold what is expected: {} is missing", std.display());
    }
    Ok(())
}

/// The Debian mirror that this machine uses.
fn mirror() -> Result<String> {
    let uris = ask(Command::new("apt-get").args(["update", "--print-uris"])).unwrap_or_default();
    uris.lines()
        .filter_map(|line| line.strip_prefix('\'')?.split_once("/dists/").map(|(base, _)| base))
        .find(|base| base.ends_with("/debian"))
        .map(str::to_owned)
        .context("apt has no Debian mirror among its sources: add one, or unset MINT_GUEST_TOOLCHAIN to use rustup")
}

fn apt_configuration(apt: &Path) -> String {
    let apt = apt.display();
    format!(
        "Dir::Etc \"{apt}/etc\";\nDir::Etc::sourcelist \"{apt}/etc/sources.list\";\nDir::Etc::sourceparts \"-\";\n\
         Dir::State \"{apt}/state\";\nDir::State::status \"{apt}/state/status\";\nDir::Cache \"{apt}/cache\";\n\
         APT::Sandbox::User \"root\";\nAcquire::Languages \"none\";\n"
    )
}

/// Starts the compiler by its own loader with its own libraries, for those of the machine may be older.
fn write_wrapper(machine: &Machine, dir: &Path) -> Result<()> {
    let wrapper = dir.join("rustc");
    let text = format!(
        "#!/bin/sh\nhere=$(dirname \"$(readlink -f \"$0\")\")\nlib=\"$here/root/usr/lib/{}\"\n\
         exec \"$lib/{}\" --library-path \"$lib\" \"$here/root/usr/bin/rustc\" --sysroot \"$here/root/usr\" \"$@\"\n",
        machine.libraries, machine.loader
    );
    fs::write(&wrapper, text)?;
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// Debian packs no linkers for components; the active toolchain has them. Linked anew each time, for toolchains move.
fn link_linkers(machine: &Machine, sysroot: &Path, dir: &Path) -> Result<()> {
    let from = sysroot.join("lib/rustlib").join(machine.triple).join("bin");
    let to = dir.join("root/usr/lib/rustlib").join(machine.triple).join("bin");
    fs::create_dir_all(&to)?;
    for (program, link) in [("rust-lld", "rust-lld"), ("rust-lld", "wasm-ld"), ("wasm-component-ld", "wasm-component-ld")] {
        let (program, link) = (from.join(program), to.join(link));
        if !program.is_file() {
            bail!("{} is missing: the active Rust toolchain must be one of rustup's", program.display());
        }
        if fs::read_link(&link).ok().as_ref() != Some(&program) {
            if link.symlink_metadata().is_ok() {
                fs::remove_file(&link)?;
            }
            symlink(&program, &link).with_context(|| format!("cannot link {}", link.display()))?;
        }
    }
    Ok(())
}
