//! One venv per release, made whole or not at all.
//!
//! A marker inside says that it is complete.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use mint_context::runtime::Release;
use mint_domain::{
    Manifest,
    lifecycle::Failure,
    manifest::Wheels,
    plan::{promises_session, session_packages},
};
use serde::{Deserialize, Serialize};

use crate::{
    SubprocessConfig,
    description::{self, Description},
    file_url,
    launch::{Launch, PythonLaunch},
    once::Place,
    open_up::open_up,
    sandbox::Sandbox,
    sdk::Sdk,
    spawn::Spawner,
    uv::{PHASE, Uv},
    wheel::WheelInfo,
};

const MARKER: &str = "mint-release.json";
/// SDKs whose extra `server` brings the application server.
const SDKS: &[&str] = &["mint-sdk", "mint-guest-sdk"];

/// In a complete venv: what has to be known to start the plugin.
#[derive(Debug, Serialize, Deserialize)]
struct Marker {
    distribution: String,
    entry_point: String,
    #[serde(default)]
    description: Option<Description>,
}

/// Builds the venv of a release, unless it is there, and tells how to start the plugin. `has_tables`: it will be used with
/// tables of the plugin's own.
///
/// # Errors
/// A [`Failure`] with uv's explanation.
pub(crate) async fn ensure(
    config: &SubprocessConfig,
    spawner: &Spawner,
    sandbox: &Arc<Sandbox>,
    release: &Release,
    wheels: &Wheels,
    has_tables: bool,
) -> Result<Launch, Failure> {
    let parent = config.cache_directory.join("venvs").join(release.manifest.plugin.slug.as_str());
    let drivers = if has_tables { session_packages(config.tables_in_files) } else { &[] };
    let name = drivers.last().map_or_else(|| release.digest.hex(), |driver| format!("{}-{driver}", release.digest.hex()));
    let place = Place::new(parent, name);
    if let Some(launch) = complete(&place.path()) {
        return Ok(launch);
    }
    let unwritable = |error: io::Error| no_room(&place.path(), &error);
    let turn = place.turn().await.map_err(unwritable)?;
    if let Some(launch) = complete(&place.path()) {
        return Ok(launch);
    }
    build((config, spawner, sandbox), release, (wheels, drivers), turn.directory()).await?;
    let venv = turn.directory().join("venv");
    turn.put(&venv).map_err(unwritable)?;
    complete(&place.path()).ok_or_else(|| unwritable(io::ErrorKind::NotFound.into()))
}

/// Whether a venv can be used.
pub(crate) fn is_complete(venv: &Path) -> bool {
    complete(venv).is_some()
}

/// How to start the plugin of a venv, if it is complete.
fn complete(venv: &Path) -> Option<Launch> {
    let marker: Marker = serde_json::from_slice(&fs::read(venv.join(MARKER)).ok()?).ok()?;
    let interpreter = venv.join("bin/python");
    // The interpreter is a link out of the venv, and may be gone after an upgrade of the system.
    let exists = interpreter.exists();
    exists.then(|| {
        Launch::Python(PythonLaunch {
            interpreter,
            distribution: marker.distribution,
            entry_point: marker.entry_point,
            sdk: Sdk::of_venv(venv),
            description: marker.description,
        })
    })
}

async fn build(
    (config, spawner, sandbox): (&SubprocessConfig, &Spawner, &Arc<Sandbox>),
    release: &Release,
    (wheels, drivers): (&Wheels, &[&str]),
    building: &Path,
) -> Result<(), Failure> {
    let main = release.directory.join(&wheels.main);
    let read = main.clone();
    let info = tokio::task::spawn_blocking(move || WheelInfo::read(&read))
        .await
        .map_err(|error| unreadable(wheels, &error))?
        .map_err(|error| unreadable(wheels, &error))?;
    let venv = building.join("venv");
    let reads = vec![release.directory.clone()];
    let (directory, timeout) = (building.to_owned(), config.build_timeout);
    let uv = Uv { config, spawner, sandbox: Some(sandbox), directory, reads, timeout };
    let python = config.python.as_deref().or(info.requires_python.as_deref()).unwrap_or(">=3.10");
    let mut args = words(&["venv", "--no-config", "--no-python-downloads", "--no-project", "--relocatable", "--python", python]);
    args.push(venv.clone().into());
    uv.run(&format!("making a venv with Python {python}"), args).await?;

    let find_links = wheel_directories(release, wheels);
    let drivers = if promises_session(info.requires.iter().map(String::as_str)) { drivers } else { &[] };
    let requirements = match &wheels.requirements {
        Some(entry) => {
            let lock = release.directory.join(entry);
            let further = further(&uv, &venv, (drivers, &lock), &find_links).await?;
            std::iter::once(lock).chain(further).collect()
        }
        None => {
            let doing = match drivers {
                [] => "choosing versions of the plugin's requirements".to_owned(),
                _ => format!("choosing versions of the plugin's requirements, and {}", of_session(drivers)),
            };
            vec![compile(&uv, &doing, &venv, &requirements_in(&info, release, wheels, drivers), &find_links).await?]
        }
    };
    let mut args = words(&["pip", "install", "--no-config", "--require-hashes", "--compile-bytecode"]);
    args.extend(words(uv.wheels_only()));
    args.extend(uv.sources());
    args.extend(find_links);
    args.extend(["--python".into(), venv.join("bin/python").into()]);
    args.extend(requirements.into_iter().flat_map(|file| ["-r".into(), file.into()]));
    uv.run("installing the packages of the bundle", args).await?;
    if config.source_builds {
        let made = venv.clone();
        let opened =
            tokio::task::spawn_blocking(move || open_up(&made)).await.map_err(io::Error::other).and_then(|opened| opened);
        opened.map_err(|error| no_room(&venv, &error))?;
    }

    let mut marker = marker(&release.manifest, wheels, &info);
    let names = (marker.distribution.as_str(), marker.entry_point.as_str());
    let scratch = building.join("home");
    fs::create_dir(&scratch).map_err(|error| no_room(&scratch, &error))?;
    marker.description = description::ask((spawner, sandbox), &venv, names, &scratch, config.start_timeout).await;
    let json = serde_json::to_vec(&marker).map_err(|error| unreadable(wheels, &error))?;
    fs::write(venv.join(MARKER), json).map_err(|error| no_room(&venv, &error))
}

/// Locks the requirements of a bundle that has no lock of its own, as MINT's bundles do.
async fn compile(uv: &Uv<'_>, doing: &str, venv: &Path, requirements: &str, find_links: &[OsString]) -> Result<PathBuf, Failure> {
    let building = &uv.directory;
    let (wanted, locked) = (building.join("requirements.in"), building.join("requirements.txt"));
    fs::write(&wanted, requirements).map_err(|error| no_room(building, &error))?;
    let mut args = words(&["pip", "compile", "--no-config", "--quiet", "--generate-hashes"]);
    args.extend(words(uv.wheels_only()));
    args.extend(uv.sources());
    args.extend(find_links.iter().cloned());
    args.extend(["--python".into(), venv.join("bin/python").into()]);
    args.extend(["--output-file".into(), locked.clone().into(), wanted.into()]);
    uv.run(doing, args).await?;
    Ok(locked)
}

/// Locks what a bundle with a lock of its own lacks, as far as its lock allows.
async fn further(
    uv: &Uv<'_>,
    venv: &Path,
    (wanted, lock): (&[&str], &Path),
    find_links: &[OsString],
) -> Result<Option<PathBuf>, Failure> {
    if wanted.is_empty() {
        return Ok(None);
    }
    let mut sources = find_links.to_vec();
    sources.extend(["--constraint".into(), lock.into()]);
    let doing = format!("choosing versions {}, beside the bundle's lock", of_session(wanted));
    compile(uv, &doing, venv, &(wanted.join("\n") + "\n"), &sources).await.map(Some)
}

fn of_session(packages: &[&str]) -> String {
    format!("of {}, which a session of the plugin's tables takes", packages.join(", "))
}

/// The wheels of the bundle, and the application server, through the SDK's extra where there is an SDK.
fn requirements_in(info: &WheelInfo, release: &Release, wheels: &Wheels, drivers: &[&str]) -> String {
    let sdks = SDKS.iter().filter(|sdk| info.requires.iter().any(|required| required == *sdk));
    let main = bundled(&release.directory, &wheels.main).unwrap_or_else(|| format!("{}=={}", info.name, info.version));
    let mut lines = vec![main];
    lines.extend(wheels.dependencies.iter().filter_map(|entry| bundled(&release.directory, entry)));
    lines.push("uvicorn".to_owned());
    lines.extend(sdks.map(|sdk| format!("{sdk}[server]")));
    lines.extend(drivers.iter().map(|driver| (*driver).to_owned()));
    lines.join("\n") + "\n"
}

/// Requires a bundled wheel itself, so that no index can put a package of the same name in its place. One that is made
/// for a platform may be for another than this, and is required by its version.
fn bundled(directory: &Path, entry: &str) -> Option<String> {
    let mut parts = entry.rsplit('/').next()?.split('-');
    let (name, version) = (parts.next()?, parts.next()?);
    if !entry.ends_with("-none-any.whl") {
        return Some(format!("{name}=={version}"));
    }
    Some(format!("{name} @ file://{}", file_url::encoded(&directory.join(entry))))
}

/// A manifest of format 1 does not say which distribution and entry point it means; the wheel does.
fn marker(manifest: &Manifest, wheels: &Wheels, info: &WheelInfo) -> Marker {
    let from_wheel = info.only_entry_point().filter(|_| manifest.format_version == 1);
    match from_wheel {
        Some(entry_point) => Marker { distribution: info.name.clone(), entry_point: entry_point.name.clone(), description: None },
        None => Marker { distribution: wheels.distribution.clone(), entry_point: wheels.entry_point.clone(), description: None },
    }
}

/// The directories in which bundled wheels stand.
fn wheel_directories(release: &Release, wheels: &Wheels) -> Vec<OsString> {
    let mut directories: Vec<PathBuf> = std::iter::once(&wheels.main)
        .chain(&wheels.dependencies)
        .filter_map(|entry| release.directory.join(entry).parent().map(Path::to_owned))
        .collect();
    directories.sort();
    directories.dedup();
    directories.into_iter().flat_map(|directory| ["--find-links".into(), directory.into()]).collect()
}

fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

fn unreadable(wheels: &Wheels, error: &dyn std::error::Error) -> Failure {
    Failure::new(
        PHASE,
        format!("The wheel `{}` cannot be used: {error}.", wheels.main),
        "Ask the plugin's author for a new bundle.",
    )
}

pub(crate) fn no_room(path: &Path, error: &io::Error) -> Failure {
    let hint = if error.kind() == io::ErrorKind::StorageFull {
        "The disk is full. Make room, then reload the plugin."
    } else {
        "Make the cache directory writable for the platform's user, then reload the plugin."
    };
    Failure::new(PHASE, format!("`{}` cannot be written: {error}.", path.display()), hint)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::wheel::EntryPoint;

    #[test]
    fn a_bundle_without_a_lock_wants_the_sdks_server() {
        let wanted = |requires: &[&str], dependencies: &[&str]| {
            let requires = requires.iter().map(|name| (*name).to_owned()).collect();
            let info = WheelInfo { requires, ..WheelInfo::default() };
            let wheels = json!({ "main": "peaks-1.0-py3-none-any.whl", "dependencies": dependencies });
            let v1 = json!({ "format_version": 1, "plugin": { "name": "peaks", "version": "1" }, "wheels": wheels });
            let manifest = Arc::new(Manifest::parse(v1.to_string().as_bytes()).unwrap());
            let directory = PathBuf::from("/data dir/é");
            let release = Release { manifest: manifest.clone(), digest: mint_domain::Digest::of(b""), directory };
            requirements_in(&info, &release, manifest.wheels.as_ref().unwrap(), &[])
        };
        let peaks = "peaks @ file:///data%20dir/%C3%A9/peaks-1.0-py3-none-any.whl\nuvicorn\n";
        assert_eq!(wanted(&["mint-sdk", "numpy"], &[]), format!("{peaks}mint-sdk[server]\n"));
        assert_eq!(
            wanted(&[], &["w/a_b-2-py3-none-any.whl", "numpy-2.1-cp313-cp313-manylinux_2_28_x86_64.whl"]),
            peaks.replace("uvicorn", "a_b @ file:///data%20dir/%C3%A9/w/a_b-2-py3-none-any.whl\nnumpy==2.1\nuvicorn")
        );
    }

    #[test]
    fn the_wheel_names_the_entry_point_of_mints_bundles() {
        let v1 = json!({"format_version": 1, "plugin": {"name": "Peak Tools", "version": "1"}, "wheels": {"main": "p.whl"}});
        let v1 = v1.to_string().replace("Peak Tools", "peak-tools");
        let manifest = Manifest::parse(v1.as_bytes()).unwrap();
        let info = WheelInfo {
            name: "peak_tools".to_owned(),
            entry_points: vec![EntryPoint::of("peaks", "p:P")],
            ..WheelInfo::default()
        };
        let found = marker(&manifest, manifest.wheels.as_ref().unwrap(), &info);
        assert_eq!((found.distribution.as_str(), found.entry_point.as_str()), ("peak_tools", "peaks"));
    }
}
