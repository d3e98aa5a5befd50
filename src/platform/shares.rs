//! What a laboratory may take of a server, as its people see it and as the operator says it.

use std::collections::BTreeMap;

use mint_context::Result;
use mint_domain::{
    Permission, Refusal, RequestId, Slug,
    share::{PARTS, Share},
};
use mint_store::{audit, tenants};
use rand::Rng as _;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::{
    Accounts, Caller, Platform,
    admission::{Laboratories, parts},
};

/// What the operator says of a share, by name; none says nothing of a part any more.
pub type ShareEdits = BTreeMap<String, Option<u64>>;

/// A part of a laboratory's share of a server, and what is in use of it there.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ShareStatus {
    /// Its name.
    pub name: &'static str,
    /// What it bounds.
    pub about: &'static str,
    /// Its value.
    pub value: u64,
    /// Who said so: `platform`, or `operator` where this laboratory has a share of its own.
    pub from: &'static str,
    /// Its greatest value.
    pub max: u64,
    /// In use now; null where it is about a time.
    pub current: Option<u64>,
    /// The most that was in use since the server started.
    pub peak: u64,
    /// How often something was refused because of it, since the server started.
    pub reached: u64,
}

impl Platform {
    /// The share of the caller's laboratory, and what its plugins use of it on this server.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`.
    pub async fn laboratory_share(&self, caller: &Caller) -> Result<Vec<ShareStatus>> {
        let _permit = caller.call(self.services()).permit_person(Permission::PluginsView)?;
        let row = tenants::get(&mut self.services().db.read().await?, caller.tenant).await?;
        let row = row.ok_or_else(|| Refusal::not_found("laboratory", caller.tenant))?;
        self.laboratories().obey(caller.tenant, &row.share);
        Ok(self.shares(caller, |part| Laboratories::source(&row.share, part)))
    }

    /// The same without who says so. Asks no database.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`.
    pub fn metered_share(&self, caller: &Caller) -> Result<Vec<ShareStatus>> {
        let _permit = caller.call(self.services()).permit_person(Permission::PlatformViewLogs)?;
        Ok(self.shares(caller, |_| "platform"))
    }

    fn shares(&self, caller: &Caller, from: impl Fn(&str) -> &'static str) -> Vec<ShareStatus> {
        let laboratory = self.laboratories().of(caller.tenant);
        let status = |(part, value, used): (&'static mint_domain::share::Part, u64, crate::admission::PartUse)| ShareStatus {
            name: part.name,
            about: part.about.trim(),
            value,
            from: from(part.name),
            max: part.max,
            current: used.current,
            peak: used.peak,
            reached: used.reached,
        };
        parts(&laboratory).map(status).collect()
    }
}

impl Accounts {
    /// Changes what the operator says of a laboratory's share. Servers that run follow within seconds.
    ///
    /// # Errors
    /// `NOT_FOUND` for the laboratory; `VALIDATION_ERROR` by the part's name.
    pub async fn set_share(&self, slug: &Slug, edits: &ShareEdits) -> Result<mint_domain::share::ShareChanges> {
        let services = self.services();
        let mut tx = services.db.begin().await?;
        let found = tenants::find(&mut tx, slug.as_str()).await?.ok_or_else(|| Refusal::not_found("laboratory", slug))?;
        let row = tenants::lock(&mut tx, found.id).await?.ok_or_else(|| Refusal::not_found("laboratory", slug))?;
        let mut share = row.share;
        for (name, value) in edits {
            if !share.set(name, *value) {
                let known: Vec<_> = PARTS.iter().map(|part| part.name).collect();
                return Err(Refusal::invalid(format!("A share has no `{name}`. It has {}.", known.join(", "))).into());
            }
        }
        Share::default().merged(&share).map_err(|error| Refusal::invalid(error.to_string()))?;
        tenants::set_share(&mut tx, row.id, &share).await?;
        let operator = Caller::system(row.id, row.slug.clone(), RequestId::from_bits(rand::rng().random()));
        let entry = audit::Entry {
            actor: &operator.actor.label(),
            action: "laboratory.share",
            entity: "laboratory",
            request_id: operator.request_id.as_str(),
            details: &json!(edits),
        };
        audit::record(&mut tx, row.id, &entry, services.clock.now()).await?;
        tx.commit().await?;
        Ok(share)
    }
}
