//! Who has which part in a project or in an experiment. People only: no plugin interface has it.
//!
//! **Invariant:** nobody gives a part, or takes one away, that allows what they may not do there themselves. A part of one's own
//! can always be given up.

use mint_domain::{Permission, Refusal, Standing, User, UserId, access::Ties};
use mint_store::{
    Page, Tx, audit,
    parts::{self, Shared},
    users,
};
use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::{Call, Result, access, call::Permit};

/// Most people who have a part in one thing.
const PARTS_MAX: i64 = 1_000;

/// Somebody's part in a project or an experiment.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Part {
    /// Who.
    pub user_id: i64,
    /// Name to sign in with.
    pub username: String,
    /// `viewer`, `editor` or `owner`.
    #[schema(value_type = String)]
    pub role: Standing,
    /// Since when they have had one.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// Since when it has been this one.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

impl From<parts::Part> for Part {
    fn from(row: parts::Part) -> Self {
        Self {
            user_id: row.user_id.0,
            username: row.username,
            role: row.role,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// Everybody who has a part, by name, for whoever sees what it is in.
///
/// # Errors
/// `NOT_FOUND`, `PERMISSION_DENIED`.
pub async fn list(call: &Call, shared: Shared, page: Page) -> Result<Vec<Part>> {
    let mut tx = call.services.db.read().await?;
    let _permit = see(&mut tx, call, shared).await?;
    Ok(parts::list(&mut tx, call.tenant, shared, page).await?.into_iter().map(Into::into).collect())
}

/// Gives somebody of the tenant a part, in the place of the one that they have.
///
/// # Errors
/// `NOT_FOUND`, `VALIDATION_ERROR` for a role that is none, `QUOTA_EXCEEDED`, `PERMISSION_DENIED`.
pub async fn set(call: &Call, shared: Shared, user: UserId, role: &str) -> Result<Part> {
    let role = Standing::parse(role)
        .ok_or_else(|| Refusal::invalid("`role` is `viewer`, `editor` or `owner`.").with(json!({ "field": "role" })))?;
    let now = call.services.clock.now();
    let mut tx = call.services.db.begin().await?;
    let _permit = see(&mut tx, call, shared).await?;
    let before = parts::find(&mut tx, call.tenant, shared, user).await?;
    may_change(&mut tx, call, shared, [Some(role), before]).await?;
    let person = users::get(&mut tx, call.tenant, user).await?.ok_or_else(|| Refusal::not_found("user", user))?;
    parts::set(&mut tx, call.tenant, shared, user, role, now).await?;
    if parts::count(&mut tx, call.tenant, shared).await? > PARTS_MAX {
        return Err(Refusal::quota("parts_max", format!("At most {PARTS_MAX} people have a part in one thing.")).into());
    }
    let details = json!({ "user": person.username, "before": before, "after": role });
    note(&mut tx, call, shared, "set", &details).await?;
    let page = Page::new(0, Page::LIMIT_MAX);
    let made = parts::list(&mut tx, call.tenant, shared, page).await?.into_iter().find(|part| part.user_id == user);
    tx.commit().await?;
    made.map(Into::into).ok_or_else(|| Refusal::not_found("user", user).into())
}

/// Takes somebody's part away.
///
/// # Errors
/// `NOT_FOUND`, also for somebody without one, `PERMISSION_DENIED`.
pub async fn remove(call: &Call, shared: Shared, user: UserId) -> Result<()> {
    let mut tx = call.services.db.begin().await?;
    let _permit = see(&mut tx, call, shared).await?;
    let before = parts::find(&mut tx, call.tenant, shared, user).await?;
    let gives_up = before.is_some() && call.actor.user().is_some_and(|acting| acting.id == user);
    if !gives_up {
        may_change(&mut tx, call, shared, [before, None]).await?;
    }
    if !parts::remove(&mut tx, call.tenant, shared, user).await? {
        return Err(Refusal::not_found("part of user", user).into());
    }
    note(&mut tx, call, shared, "remove", &json!({ "user": user, "before": before })).await?;
    Ok(tx.commit().await?)
}

async fn see(tx: &mut Tx, call: &Call, shared: Shared) -> Result<Permit> {
    match shared {
        Shared::Project(id) => access::project(tx, call, id, Permission::ProjectsView).await,
        Shared::Experiment(id) => access::experiment(tx, call, id, Permission::ExperimentsView).await,
    }
}

/// Passes if the person may say who has a part, and may do all that these parts allow.
async fn may_change(tx: &mut Tx, call: &Call, shared: Shared, roles: [Option<Standing>; 2]) -> Result<()> {
    let Some(user) = call.actor.user() else { return Ok(()) };
    let (ties, may_share, required) = match shared {
        Shared::Project(id) => {
            let ties = parts::in_project(tx, call.tenant, id, user.id).await?.unwrap_or_default();
            (ties, user.covers(ties, &[Permission::ProjectsManageMembers]), Permission::ProjectsManageMembers)
        }
        Shared::Experiment(id) => {
            let ties = parts::in_experiment(tx, call.tenant, id, user.id).await?.unwrap_or_default();
            (ties, user.may_share_experiment(call.services.visibility, ties), Permission::ExperimentsEdit)
        }
    };
    if !may_share {
        let message = "Who has a part here is for an owner to say, or for an administrator.";
        return Err(Refusal::denied(required.as_str(), message).into());
    }
    for role in roles.into_iter().flatten() {
        covers(user, ties, shared, role)?;
    }
    Ok(())
}

fn covers(user: &User, ties: Ties, shared: Shared, role: Standing) -> Result<(), Refusal> {
    let allows = match shared {
        Shared::Project(_) => role.in_project(),
        Shared::Experiment(_) => role.on_experiment(),
    };
    match allows.iter().find(|permission| !user.covers(ties, &[**permission])) {
        None => Ok(()),
        Some(lacking) => {
            let message = format!(
                "`{}` lets people do what you may not do here yourself, such as `{lacking}`. Ask an owner.",
                role.as_str()
            );
            Err(Refusal::denied(lacking.as_str(), message))
        }
    }
}

async fn note(tx: &mut Tx, call: &Call, shared: Shared, what: &str, details: &Value) -> Result<()> {
    let (noun, entity) = match shared {
        Shared::Project(id) => ("project.member", format!("project:{id}")),
        Shared::Experiment(id) => ("experiment.collaborator", format!("experiment:{id}")),
    };
    let entry = audit::Entry {
        actor: &call.actor.label(),
        action: &format!("{noun}.{what}"),
        entity: &entity,
        request_id: call.request_id.as_str(),
        details,
    };
    Ok(audit::record(tx, call.tenant, &entry, call.services.clock.now()).await?)
}
