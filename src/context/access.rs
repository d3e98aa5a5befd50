//! Whether the acting person may do something with a project or an experiment. What is looked up here is decided in
//! [`mint_domain::access`]; a plugin on its own account is bound by its grants alone.

use mint_domain::{Actor, ExperimentId, Permission, ProjectId, Refusal, User, UserId, access::Ties};
use mint_store::{Tx, experiments, parts, projects};

use crate::{Call, Result, call::Permit};

/// Passes if there is such an experiment for the person, and they may do with it what `wanted` is for.
///
/// # Errors
/// `NOT_FOUND`, `PERMISSION_DENIED`, `auth.required`.
pub(crate) async fn experiment(tx: &mut Tx, call: &Call, id: ExperimentId, wanted: Permission) -> Result<Permit> {
    let ties = match binding(call, wanted)? {
        Some(user) => parts::in_experiment(tx, call.tenant, id, user.id).await?,
        None => experiments::exists(tx, call.tenant, id).await?.then(Ties::default),
    };
    decide(call, ties, wanted, || Refusal::not_found("experiment", id))
}

/// Passes if there is such a project for the person, and they may do in it what `wanted` is for.
///
/// # Errors
/// `NOT_FOUND`, `PERMISSION_DENIED`, `auth.required`.
pub(crate) async fn project(tx: &mut Tx, call: &Call, id: ProjectId, wanted: Permission) -> Result<Permit> {
    let ties = match binding(call, wanted)? {
        Some(user) => parts::in_project(tx, call.tenant, id, user.id).await?,
        None => projects::get(tx, call.tenant, id).await?.map(|_| Ties::default()),
    };
    decide(call, ties, wanted, || Refusal::not_found("project", id))
}

/// Whose parts a list of experiments is bounded by; none where it is not.
///
/// # Errors
/// `PERMISSION_DENIED` for somebody who sees none, `auth.required`.
pub(crate) async fn sees_experiments(tx: &mut Tx, call: &Call) -> Result<Option<UserId>> {
    let Some(user) = binding(call, Permission::ExperimentsView)? else { return Ok(None) };
    let has_part = parts::any_experiment(tx, call.tenant, user.id).await?;
    sees(call, user, has_part, Permission::ExperimentsView)
}

/// Whose parts a list of projects is bounded by; none where it is not.
///
/// # Errors
/// `PERMISSION_DENIED` for somebody who sees none, `auth.required`.
pub(crate) async fn sees_projects(tx: &mut Tx, call: &Call) -> Result<Option<UserId>> {
    let Some(user) = binding(call, Permission::ProjectsView)? else { return Ok(None) };
    let has_part = parts::any_project(tx, call.tenant, user.id).await?;
    sees(call, user, has_part, Permission::ProjectsView)
}

fn sees(call: &Call, user: &User, has_part: bool, view: Permission) -> Result<Option<UserId>> {
    // Somebody with a part sees that much; the others as much as their role lets them.
    let ties = Ties { project: has_part.then_some(mint_domain::Standing::Viewer), ..Ties::default() };
    if has_part || !user.permissions.contains(&view) {
        let _permit = decide(call, Some(ties), view, || Refusal::not_found("project", ""))?;
    }
    Ok(Some(user.id))
}

/// The person whose parts count; none where nobody's do: a role allows it everywhere, or no person acts.
fn binding(call: &Call, wanted: Permission) -> Result<Option<&User>, Refusal> {
    match &call.actor {
        Actor::User(user) if !user.may_everywhere(call.services.visibility, wanted) => Ok(Some(user)),
        Actor::User(_) | Actor::Plugin(_) | Actor::System => Ok(None),
        Actor::Service(_) | Actor::Anonymous => call.permit_person(wanted).map(|_| None),
    }
}

fn decide(call: &Call, ties: Option<Ties>, wanted: Permission, missing: impl FnOnce() -> Refusal) -> Result<Permit> {
    match (&call.actor, ties) {
        (Actor::User(user), ties) => Ok(call.decided(user.decide(call.services.visibility, ties, wanted), wanted, missing)?),
        (_, None) => Err(missing().into()),
        (_, Some(_)) => Ok(call.permit_person(wanted)?),
    }
}
