//! Tenants and their people.

use std::sync::Arc;

use mint_context::{Result, Services};
use mint_domain::{RequestId, Slug};
use mint_store::{
    tenants::{self, Tenant},
    users::{self, User},
};
use rand::Rng as _;
use secrecy::SecretString;

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
        let new = NewUser {
            username: username.to_owned(),
            password: None,
            role: role.to_owned(),
            email: None,
            shortname: None,
            first_name: None,
            last_name: None,
        };
        let hash = passwords::hash(password).await?;
        let operator = Caller::system(tenant.id, tenant.slug.clone(), RequestId::from_bits(rand::rng().random()));
        let mut tx = self.services.db.begin().await?;
        let user = people::insert(&mut tx, &operator, &new, Some(&hash), self.services.clock.now()).await?;
        tx.commit().await?;
        Ok(user)
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
