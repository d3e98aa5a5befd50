//! Making, suspending and resuming laboratories, and beginning to delete one.

use mint_context::Result;
use mint_domain::{Kind, Refusal, Slug, permission::SystemRole};
use mint_store::{
    Tx, audit,
    tenants::{self, Tenant},
};
use secrecy::SecretString;
use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::{
    Caller, Platform, passwords,
    people::{self, NewUser},
};

/// Characters of a laboratory's name, and of why it is suspended.
const NAME_CHARACTERS_MAX: usize = 100;
const REASON_CHARACTERS_MAX: usize = 500;

/// A laboratory, as those see it who look after all of them.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Laboratory {
    /// Name in URLs and paths.
    #[schema(value_type = String)]
    pub slug: Slug,
    /// Name shown to people.
    pub name: String,
    /// `active`, `suspended`, or `deleting`.
    pub status: &'static str,
    /// Why nobody may use it now.
    pub reason: Option<String>,
    /// How many people it has.
    pub users: i64,
    /// How many plugins are installed.
    pub plugins: i64,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

/// A new laboratory.
#[derive(Debug)]
pub struct NewLaboratory {
    /// Name in URLs and paths.
    pub slug: Slug,
    /// Name shown to people.
    pub name: String,
    /// Who is to look after it: name and password.
    pub administrator: Option<(String, SecretString)>,
}

impl Platform {
    /// Every laboratory, the oldest first.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`.
    pub async fn list_tenants(&self, caller: &Caller) -> Result<Vec<Laboratory>> {
        expect_platform_admin(caller)?;
        let mut tx = self.services().db.read().await?;
        let mut shown = Vec::new();
        for tenant in tenants::list(&mut tx).await? {
            shown.push(show(&mut tx, tenant).await?);
        }
        Ok(shown)
    }

    /// One of them.
    ///
    /// # Errors
    /// `NOT_FOUND`, `PERMISSION_DENIED`.
    pub async fn tenant(&self, caller: &Caller, slug: &str) -> Result<Laboratory> {
        expect_platform_admin(caller)?;
        let mut tx = self.services().db.read().await?;
        let tenant = tenants::find(&mut tx, slug).await?.ok_or_else(|| unknown(slug))?;
        show(&mut tx, tenant).await
    }

    /// Makes a laboratory, and somebody who looks after it.
    ///
    /// # Errors
    /// `VALIDATION_ERROR`, `CONFLICT` when the slug is taken, `PERMISSION_DENIED`.
    pub async fn create_tenant(&self, caller: &Caller, new: NewLaboratory) -> Result<Laboratory> {
        expect_platform_admin(caller)?;
        people::expect_line("name", &new.name, NAME_CHARACTERS_MAX)?;
        let administrator = match new.administrator {
            Some((username, password)) => {
                Some((NewUser::named(username, SystemRole::Admin.as_str()), passwords::hash(&password).await?))
            }
            None => None,
        };
        let (services, now) = (self.services(), self.services().clock.now());
        let mut tx = services.db.begin().await?;
        let tenant = tenants::insert(&mut tx, &new.slug, &new.name, now).await?;
        if let Some((user, hash)) = administrator {
            let platform = Caller::system(tenant.id, tenant.slug.clone(), caller.request_id.clone());
            people::insert(&mut tx, &platform, &user, Some(&hash), now).await?;
        }
        note(&mut tx, caller, &tenant, "tenant.create", &json!({ "name": tenant.name }), now).await?;
        let shown = show(&mut tx, tenant).await?;
        tx.commit().await?;
        Ok(shown)
    }

    /// Lets nobody use a laboratory: people are told the reason, and its plugins end on every server. None lets them again.
    ///
    /// # Errors
    /// `VALIDATION_ERROR`, `NOT_FOUND`, `CONFLICT` for one's own and for one that is being deleted, `PERMISSION_DENIED`.
    pub async fn suspend_tenant(&self, caller: &Caller, slug: &str, reason: Option<&str>) -> Result<Laboratory> {
        expect_platform_admin(caller)?;
        if let Some(reason) = reason {
            people::expect_line("reason", reason, REASON_CHARACTERS_MAX)?;
        }
        let (services, now) = (self.services(), self.services().clock.now());
        let mut tx = services.db.begin().await?;
        let mut tenant = other(&mut tx, caller, slug).await?;
        tenants::set_suspended(&mut tx, tenant.id, reason).await?;
        let action = if reason.is_some() { "tenant.suspend" } else { "tenant.resume" };
        note(&mut tx, caller, &tenant, action, &json!({ "before": tenant.suspended, "after": reason }), now).await?;
        tenant.suspended = reason.map(str::to_owned);
        let shown = show(&mut tx, tenant).await?;
        tx.commit().await?;
        self.identities().invalidate_all();
        Ok(shown)
    }

    /// Begins to delete a laboratory with all that it has. `confirm` is its slug, to say that it is meant.
    ///
    /// # Errors
    /// As [`Platform::suspend_tenant`].
    pub async fn delete_tenant(&self, caller: &Caller, slug: &str, confirm: &str) -> Result<Laboratory> {
        expect_platform_admin(caller)?;
        let (services, now) = (self.services(), self.services().clock.now());
        let mut tx = services.db.begin().await?;
        let tenant = other(&mut tx, caller, slug).await?;
        if confirm != slug {
            let message = "All people, experiments, files and plugins of the laboratory are lost. Give its slug as `confirm`, to say that it is meant.";
            return Err(Refusal::invalid(message).into());
        }
        tenants::set_suspended(&mut tx, tenant.id, Some("It is being deleted.")).await?;
        tenants::set_leaving(&mut tx, tenant.id).await?;
        note(&mut tx, caller, &tenant, "tenant.delete", &json!({ "name": tenant.name }), now).await?;
        let leaving = tenants::get(&mut tx, tenant.id).await?.unwrap_or(tenant);
        let shown = show(&mut tx, leaving).await?;
        tx.commit().await?;
        self.identities().invalidate_all();
        Ok(shown)
    }
}

fn expect_platform_admin(caller: &Caller) -> Result<(), Refusal> {
    if caller.is_platform_admin {
        return Ok(());
    }
    let message = "This is for those who look after the whole installation, signed in with their password. `mint user appoint`, at \
                   the machine of the server, makes somebody one of them.";
    Err(Refusal::denied("platform administrator", message))
}

/// A laboratory that the caller does not belong to, and that is not being deleted. Nobody else changes it meanwhile.
async fn other(tx: &mut Tx, caller: &Caller, slug: &str) -> Result<Tenant> {
    let found = tenants::find(tx, slug).await?.ok_or_else(|| unknown(slug))?;
    let tenant = tenants::lock(tx, found.id).await?.ok_or_else(|| unknown(slug))?;
    if tenant.id == caller.tenant {
        let message = "You belong to this laboratory, and would end your own session. Ask somebody of another one.";
        return Err(Refusal::new(Kind::Conflict, "CONFLICT", message).into());
    }
    if tenant.is_leaving {
        return Err(Refusal::new(Kind::Conflict, "CONFLICT", format!("`{slug}` is being deleted.")).into());
    }
    Ok(tenant)
}

/// What was changed stands in the record of the laboratory itself, and in that of whoever did it, which outlives it.
async fn note(tx: &mut Tx, caller: &Caller, tenant: &Tenant, action: &str, details: &Value, now: OffsetDateTime) -> Result<()> {
    let (actor, entity) = (caller.actor.label(), format!("tenant:{}", tenant.slug));
    let entry = audit::Entry { actor: &actor, action, entity: &entity, request_id: caller.request_id.as_str(), details };
    // In one order, so that two who change each other's do not wait for one another.
    for record in [caller.tenant.min(tenant.id), caller.tenant.max(tenant.id)] {
        audit::record(tx, record, &entry, now).await?;
    }
    Ok(())
}

async fn show(tx: &mut Tx, tenant: Tenant) -> Result<Laboratory> {
    let (users, plugins) = tenants::counts(tx, tenant.id).await?;
    let status = match &tenant {
        Tenant { is_leaving: true, .. } => "deleting",
        Tenant { suspended: Some(_), .. } => "suspended",
        Tenant { .. } => "active",
    };
    let Tenant { slug, name, suspended, created_at, .. } = tenant;
    Ok(Laboratory { slug, name, status, reason: suspended, users, plugins, created_at })
}

fn unknown(slug: &str) -> Refusal {
    Refusal::not_found("tenant", slug)
}
