//! What a plugin's class says of itself, and nothing else does: the name by which it calls, and where its routes stand.
//!
//! Both are known only once the class is loaded, so that is done when the venv is built, in a process of its own that does
//! nothing else. A class that cannot be loaded is left for the start to tell of.

use std::{collections::BTreeMap, io, path::Path, sync::Arc, time::Duration};

use mint_domain::Limits;
use rustix::process::Signal;
use serde::{Deserialize, Serialize};

use crate::{
    exit::Exit,
    output,
    sandbox::{Allowance, Network, Sandbox, of_interpreter},
    shim,
    spawn::{Bounds, Confinement, Program, Spawner},
};

/// Lines of the process that are looked at.
const LINES: usize = 50;
/// Begins the line with the facts.
const MARK: &str = "plugin=";

/// A plugin in its own words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Description {
    /// The name by which it calls the platform.
    pub(crate) name: String,
    /// Where its routes stand, with `/api`.
    pub(crate) public_prefix: String,
}

/// Asks the plugin of a venv. None when it does not say.
pub(crate) async fn ask(
    (spawner, sandbox): (&Spawner, &Arc<Sandbox>),
    venv: &Path,
    (distribution, entry_point): (&str, &str),
    directory: &Path,
    timeout: Duration,
) -> Option<Description> {
    let limits = Limits::default();
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let environment: BTreeMap<String, String> = [
        ("HOME", text(directory)),
        ("LANG", "C.UTF-8".to_owned()),
        ("MINT_PLUGIN_DISTRIBUTION", distribution.to_owned()),
        ("MINT_PLUGIN_ENTRY_POINT", entry_point.to_owned()),
        ("PYTHONNOUSERSITE", "1".to_owned()),
        ("TMPDIR", text(directory)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    let interpreter = venv.join("bin/python");
    let allowance = Allowance {
        programs: std::iter::once(venv.to_owned()).chain(of_interpreter(&interpreter)).collect(),
        readable: Vec::new(),
        writable: vec![directory.to_owned()],
        socket_directory: None,
        network: Network::Nobody,
        name: format!("describe-{:016x}", rand::random::<u64>()),
        memory_bytes_max: limits.process_memory_bytes_max,
        processes_max: limits.processes_max,
        home: None,
    };
    let program = Program {
        file: interpreter,
        args: ["-c", shim::TEXT, "describe"].map(Into::into).into(),
        environment,
        directory: directory.to_owned(),
        bounds: Bounds::of(&limits),
        confinement: Some(Confinement { sandbox: Arc::clone(sandbox), allowance }),
    };
    match run(spawner, program, timeout).await {
        Ok(lines) => lines.iter().rev().find_map(|line| serde_json::from_str(line.strip_prefix(MARK)?).ok()),
        Err(error) => {
            tracing::info!(venv = %venv.display(), %error, "a plugin did not describe itself; its start will tell why");
            None
        }
    }
}

async fn run(spawner: &Spawner, program: Program, timeout: Duration) -> io::Result<Vec<String>> {
    let mut child = spawner.start(program).await?;
    let (stdout, stderr) = child.output();
    let stdout = stdout.map(|pipe| output::last_lines(pipe, LINES)).transpose()?;
    let _discarded = stderr.map(|pipe| output::last_lines(pipe, 0)).transpose()?;
    if tokio::time::timeout(timeout, child.ended()).await.is_err() {
        child.signal_group(Signal::KILL);
        return Err(io::ErrorKind::TimedOut.into());
    }
    match (child.reap()?, stdout) {
        (Exit::Code(0), Some(lines)) => lines.await.map_err(io::Error::other),
        (exit, _) => Err(io::Error::other(format!("its process {exit}"))),
    }
}
