//! What the operator does at the machine, before anybody can sign in.

use std::sync::Arc;

use mint_context::{Result, Services};
use mint_domain::{Refusal, RequestId, Slug};
use mint_store::{
    audit,
    tenants::{self, Tenant},
    users::{self, User},
};
use rand::Rng as _;
use secrecy::SecretString;
use serde_json::json;

use crate::{
    Caller, Platform, passwords,
    people::{self, NewUser},
};

/// Makes tenants and people. All it needs is the data, so that an operator can use it without a server.
#[derive(Clone, Debug)]
pub struct Accounts {
    services: Arc<Services>,
}

impl Accounts {
    /// On these data.
    pub fn new(services: Arc<Services>) -> Self {
        Self { services }
    }

    pub(crate) fn services(&self) -> &Services {
        &self.services
    }

    /// The tenant of a slug, made when missing.
    ///
    /// # Errors
    /// The database's.
    pub async fn ensure_tenant(&self, slug: &Slug, name: &str) -> Result<Tenant> {
        let mut tx = self.services.db.begin().await?;
        let tenant = match tenants::find(&mut tx, slug.as_str()).await? {
            Some(tenant) => tenant,
            None => tenants::insert(&mut tx, slug, name, self.services.clock.now()).await?,
        };
        tx.commit().await?;
        Ok(tenant)
    }

    /// Makes a user. For the operator at the machine, who needs no permission.
    ///
    /// # Errors
    /// `CONFLICT` when the name is taken; `VALIDATION_ERROR` for a bad name, role or password.
    pub async fn create_user(&self, tenant: &Tenant, username: &str, password: &SecretString, role: &str) -> Result<User> {
        let new = NewUser::named(username, role);
        let hash = passwords::hash(password).await?;
        let operator = Caller::system(tenant.id, tenant.slug.clone(), RequestId::from_bits(rand::rng().random()));
        let mut tx = self.services.db.begin().await?;
        let user = people::insert(&mut tx, &operator, &new, Some(&hash), self.services.clock.now()).await?;
        tx.commit().await?;
        Ok(user)
    }

    /// Says whether somebody looks after the whole installation. For the operator at the machine.
    ///
    /// # Errors
    /// `NOT_FOUND`.
    pub async fn appoint(&self, tenant: &Slug, username: &str, is_platform_admin: bool) -> Result<()> {
        let mut tx = self.services.db.begin().await?;
        let lab = tenants::find(&mut tx, tenant.as_str()).await?.ok_or_else(|| Refusal::not_found("tenant", tenant))?;
        if !users::set_platform_admin(&mut tx, lab.id, username, is_platform_admin).await? {
            return Err(Refusal::not_found("user", username).into());
        }
        let operator = Caller::system(lab.id, lab.slug, RequestId::from_bits(rand::rng().random()));
        let entry = audit::Entry {
            actor: &operator.actor.label(),
            action: "platform.appoint",
            entity: &format!("user:{username}"),
            request_id: operator.request_id.as_str(),
            details: &json!({ "after": is_platform_admin }),
        };
        audit::record(&mut tx, lab.id, &entry, self.services.clock.now()).await?;
        Ok(tx.commit().await?)
    }
}

impl Platform {
    /// Whether anybody could sign in.
    ///
    /// # Errors
    /// The database's.
    pub async fn has_users(&self) -> Result<bool> {
        let mut tx = self.services().db.read().await?;
        Ok(users::count_all(&mut tx).await? > 0)
    }
}
