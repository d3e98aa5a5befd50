//! Who uses the platform: the first argument of every use case.

use std::{sync::Arc, time::Duration};

use mint_context::{Call, PluginAuthority, Services};
use mint_domain::{Actor, RequestId, Slug, TenantId};
use mint_store::{Tx, audit};
use serde_json::Value;
use time::OffsetDateTime;
use tokio::time::Instant;

/// Longest time that a call which is not a plugin request may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// Who acts, for which tenant, in which request.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who.
    pub actor: Actor,
    /// For whom.
    pub tenant: TenantId,
    /// Slug of the tenant.
    pub tenant_slug: Slug,
    /// In which request.
    pub request_id: RequestId,
    /// Hash of the token of the session by which the actor is known, where that is one.
    pub session: Option<Arc<str>>,
    /// Whether the actor looks after the whole installation, and came with a session.
    pub is_platform_admin: bool,
}

impl Caller {
    /// The platform itself, on behalf of a tenant.
    pub fn system(tenant: TenantId, tenant_slug: Slug, request_id: RequestId) -> Self {
        Self { actor: Actor::System, tenant, tenant_slug, request_id, session: None, is_platform_admin: false }
    }

    /// The context of a call that this caller makes without a plugin.
    pub fn call(&self, services: &Arc<Services>) -> Call {
        Call {
            services: services.clone(),
            tenant: self.tenant,
            actor: self.actor.clone(),
            plugin: None,
            service: None,
            job: None,
            request_id: self.request_id.clone(),
            deadline: Instant::now() + CALL_TIMEOUT,
        }
    }

    /// The context of a call that this caller makes through a plugin. For a program with a service token the plugin acts on its
    /// own account, as it does whenever it serves no person.
    pub fn call_through(&self, services: &Arc<Services>, plugin: Arc<PluginAuthority>, deadline: Instant) -> Call {
        let call = self.call(services);
        match &self.actor {
            Actor::Service(service) => {
                let actor = Actor::Plugin(plugin.slug().clone());
                Call { actor, service: Some(service.clone()), plugin: Some(plugin), deadline, ..call }
            }
            _ => Call { plugin: Some(plugin), deadline, ..call },
        }
    }

    /// Notes that this caller changed a plugin, in the transaction that does it.
    ///
    /// # Errors
    /// The database's.
    pub(crate) async fn note(
        &self,
        tx: &mut Tx,
        action: &str,
        plugin: &str,
        details: &Value,
        now: OffsetDateTime,
    ) -> mint_store::Result<()> {
        let (actor, entity) = (self.actor.label(), format!("plugin:{plugin}"));
        let request_id = self.request_id.as_str();
        audit::record(tx, self.tenant, &audit::Entry { actor: &actor, action, entity: &entity, request_id, details }, now).await
    }
}
