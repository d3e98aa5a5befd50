//! What a plugin's class says of itself, and nothing else does: the name by which it calls, and where its routes stand.
//!
//! Both are known only once the class is loaded, so that is done when the venv is built, in a process of its own that does
//! nothing else. A class that cannot be loaded is left for the start to tell of.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use mint_domain::Limits;
use serde::{Deserialize, Serialize};

use crate::{
    exit::Exit,
    run::{self, Ended},
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
    /// Where its front-end stands, from the directory of its distribution, where it does not leave that to its SDK.
    #[serde(default)]
    pub(crate) frontend: Option<String>,
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
        removable: Vec::new(),
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
        input: None,
        bounds: Bounds::of(&limits, false),
        confinement: Some(Confinement { sandbox: Arc::clone(sandbox), allowance }),
    };
    let untold = |why: &dyn std::fmt::Display| {
        tracing::info!(venv = %venv.display(), error = %why, "a plugin did not describe itself; its start will tell why");
        None
    };
    match run::to_its_end(spawner, program, timeout, LINES).await {
        Ok(Ended { exit: Exit::Code(0), stdout, .. }) => {
            stdout.iter().rev().find_map(|line| serde_json::from_str(line.strip_prefix(MARK)?).ok())
        }
        Ok(Ended { exit, .. }) => untold(&format_args!("its process {exit}")),
        Err(broken) => untold(&broken),
    }
}
