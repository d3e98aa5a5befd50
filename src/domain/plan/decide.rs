//! The decision.

use std::collections::BTreeSet;

use super::{
    Findings, ForcedBy, Plan, Question, Refused,
    look::{look, refused_requirement},
    session::lacking,
};
use crate::{Mode, requirement::Clash};

/// Decides.
///
/// # Errors
/// [`Refused`] when nothing of the bundle can run where it must, or anywhere.
pub fn decide(question: &Question<'_>) -> Result<Plan, Box<Refused>> {
    let mut findings = question.python.map_or_else(Findings::default, |python| look(python, question));
    let forced = question.configured.or(question.decided);
    findings.forced_by = match (question.configured, question.decided) {
        (Some(_), _) => Some(ForcedBy::Configuration),
        (None, Some(_)) => Some(ForcedBy::Decision),
        (None, None) => None,
    };
    if let (Some(mode), Some(other)) = (question.configured, question.decided)
        && mode != other
    {
        let reason = format!("The mode {other} is asked for, but {mode} is forced{}. Leave the mode open.", by(question));
        return Err(Box::new(Refused { reason, findings }));
    }
    if let Some(wrong) = question.python.and_then(|python| refused_requirement(python, question)) {
        return Err(Box::new(Refused { reason: wrong, findings }));
    }
    let no_shared = why_not_shared(question, &findings);
    let no_isolated = why_not_isolated(question, &findings);
    let chosen = match (forced, &no_shared, &no_isolated) {
        (None | Some(Mode::Shared), None, _) => Ok(Mode::Shared),
        (None | Some(Mode::Isolated), _, None) => Ok(Mode::Isolated),
        (Some(Mode::Shared), Some(why), _) => {
            Err(format!("Shared mode is forced{}, but {why} {}", by(question), way_out(question)))
        }
        (Some(Mode::Isolated), _, Some(why)) => {
            Err(format!("Isolated mode is forced{}, but {why} {}", by(question), way_out(question)))
        }
        // A component or an executable alone always has a mode: these are wheels.
        (None, Some(_), Some(why)) => Err(format!("The plugin cannot run: {why}")),
    };
    match chosen {
        Ok(mode) => {
            findings.builds_component = mode == Mode::Shared && question.manifest.component.is_none();
            if mode == Mode::Isolated {
                findings.added = question.python.map_or_else(Vec::new, |python| lacking(python, question));
            }
            Ok(Plan { mode, reason: reason(mode, question, &findings), findings })
        }
        Err(reason) => Err(Box::new(Refused { reason, findings })),
    }
}

fn way_out(question: &Question<'_>) -> &'static str {
    match question.configured {
        Some(Mode::Shared) => "Take it off plugins.forceShared.",
        Some(Mode::Isolated) => "Take it off plugins.forceIsolated.",
        None => "Leave the mode open.",
    }
}

fn by(question: &Question<'_>) -> &'static str {
    match question.configured {
        Some(Mode::Shared) => " by plugins.forceShared",
        Some(Mode::Isolated) => " by plugins.forceIsolated",
        None => "",
    }
}

fn reason(mode: Mode, question: &Question<'_>, findings: &Findings) -> String {
    let (forced, component) = (by(question), question.manifest.component.is_some());
    match (mode, findings.forced_by) {
        (Mode::Shared, Some(_)) if component => {
            format!("An administrator forced shared mode{forced}; the bundle has a component.")
        }
        (Mode::Shared, _) if component => "The bundle has a component.".to_owned(),
        (Mode::Shared, _) => {
            format!(
                "{}Its wheels are pure Python and fit what a component carries, so one is built of them at install.",
                forced_shared(findings, forced)
            )
        }
        (Mode::Isolated, Some(_)) => format!("An administrator forced isolated mode{forced}."),
        (Mode::Isolated, None) if question.manifest.wheels.is_none() => {
            "The bundle has a native executable, which runs in a process of its own.".to_owned()
        }
        (Mode::Isolated, None) => {
            let begin = "The bundle has Python wheels and no component";
            match (kept_out(question, findings), question.not_made) {
                (Some(why), _) => format!("{begin}: {why} It runs in a process and venv of its own."),
                (None, Some(why)) => format!("{begin}. {why} It runs in a process and venv of its own."),
                (None, None) => format!("{begin}, so it runs in a process and venv of its own."),
            }
        }
    }
}

fn forced_shared(findings: &Findings, forced: &str) -> String {
    findings.forced_by.map(|_| format!("An administrator forced shared mode{forced}. ")).unwrap_or_default()
}

/// Why wheels cannot become a component, whoever makes it.
fn kept_out(question: &Question<'_>, findings: &Findings) -> Option<String> {
    const NAMED: usize = 5;
    // What a component imports is what it asks for.
    if question.manifest.format_version == 1 {
        return Some("a bundle of MINT's own format does not say what it asks for, as a component must.".to_owned());
    }
    if let Some(clash) = findings.clashes.iter().find(|clash| clash.rules_out.contains(&Mode::Shared)) {
        return Some(clash.in_words());
    }
    let packages: BTreeSet<&str> = findings.not_carried.iter().map(|missing| missing.package.as_str()).collect();
    let named: Vec<&str> = packages.iter().copied().take(NAMED).collect();
    let more = if packages.len() > NAMED { ", …" } else { "" };
    let verb = if packages.len() == 1 { "is" } else { "are" };
    (!named.is_empty()).then(|| format!("{}{more} {verb} not in what the platform's Python components carry.", named.join(", ")))
}

fn why_not_shared(question: &Question<'_>, findings: &Findings) -> Option<String> {
    let manifest = question.manifest;
    if manifest.component.is_some() {
        return None;
    }
    if manifest.wheels.is_none() {
        return Some("the bundle has no component: it is a native executable, which is never loaded into the server.".to_owned());
    }
    match kept_out(question, findings) {
        Some(why) => Some(format!("the bundle has no component, and none can be made of its wheels: {why}")),
        None => question.not_made.map(|why| format!("the bundle has no component. {why}")),
    }
}

fn why_not_isolated(question: &Question<'_>, findings: &Findings) -> Option<String> {
    let manifest = question.manifest;
    if manifest.wheels.is_none() && manifest.process.is_none() {
        return Some("the bundle has neither wheels nor an executable.".to_owned());
    }
    let clashes: Vec<String> =
        findings.clashes.iter().filter(|clash| clash.rules_out.contains(&Mode::Isolated)).map(Clash::in_words).collect();
    (!clashes.is_empty())
        .then(|| format!("no venv can hold what it wants. {} Ask the plugin's author for a new bundle.", clashes.join(" ")))
}
