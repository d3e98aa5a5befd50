//! Compares what the bundle asks for with what the administrator grants.

use futures_util::future::BoxFuture;
use mint_domain::{Grants, Kind, Limits, Refusal, limit::LimitChanges};
use serde_json::json;

use super::Install;
use crate::operation::{Step, Stop, nothing_to_undo};

pub(super) const STEP: Step<Install> = Step { name: "approve", run, undo: nothing_to_undo, would: run, may_be_cut: false };

fn run(install: &mut Install) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        let manifest = install.release()?.manifest.clone();
        let decision = &install.decision;
        let requested = manifest.requested().filter(|_| decision.grant_requested).cloned();
        // What was granted before stays granted.
        let grants = Grants::new(install.grants.iter().chain(&decision.grants).cloned().chain(requested));
        let missing = grants.missing(manifest.requested());
        if !missing.is_empty() {
            let wants: Vec<_> = manifest.capabilities.iter().filter(|wanted| missing.contains(&wanted.name)).collect();
            let lines: Vec<_> = wants.iter().map(|wanted| format!("{} ({})", wanted.name, wanted.why)).collect();
            let message =
                format!("The plugin asks for what was not granted: {}. Grant it, or do not install it.", lines.join("; "));
            return Err(Stop::Refused(
                Refusal::new(Kind::Conflict, "plugin.grants_missing", message).with(json!({ "missing": wants })),
            ));
        }
        // What the author suggests counts where the administrator says nothing; both are checked against the bounds.
        let limits = Limits::in_force(&manifest.limits, &LimitChanges::default(), &decision.limits);
        limits.map_err(|e| Refusal::invalid(e.to_string()))?;
        let granted: Vec<_> = grants.iter().map(ToString::to_string).collect();
        let note = if granted.is_empty() { "nothing granted".to_owned() } else { format!("granted {}", granted.join(", ")) };
        install.grants = grants;
        Ok(note)
    })
}
