//! Having a person type the name of what will be lost.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use anyhow::bail;

use crate::output::Output;

/// Has a plugin's slug typed before `what` is lost.
pub(super) fn typed(plugin: &str, what: &str, output: Output) -> anyhow::Result<String> {
    if output.json || !std::io::stdin().is_terminal() {
        let what = what.strip_prefix("What").map_or_else(|| what.to_owned(), |rest| format!("what{rest}"));
        bail!("{what} would be lost: say that it is meant by --confirm {plugin}");
    }
    let mut stderr = std::io::stderr();
    write!(stderr, "{what} will be lost. Type the name {plugin} to go on: ")?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    if answer.trim() != plugin {
        bail!("nothing was changed");
    }
    Ok(plugin.to_owned())
}
