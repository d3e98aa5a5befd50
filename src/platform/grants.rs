//! What a plugin may do, changed while it is installed. What is taken away is refused from the next call on; what is given
//! is there when the plugin was started again, beside the one that answers meanwhile.

use std::sync::Arc;

use mint_context::Result;
use mint_domain::{Capability, Grants, OperationId, Permission, Refusal};
use mint_store::installations;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::{Caller, Platform, install::Reload, launch::Begun};

/// What an administrator decides.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GrantEdits {
    /// Capabilities to grant.
    #[schema(value_type = Vec<String>)]
    pub grant: Vec<Capability>,
    /// Capabilities to take away.
    #[schema(value_type = Vec<String>)]
    pub revoke: Vec<Capability>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct GrantsSet {
    /// What is granted now.
    pub grants: Grants,
    /// The operation that starts the plugin again with them; none where nothing changed, or it does not run.
    pub operation: Option<OperationId>,
}

impl Platform {
    /// Grants capabilities to a plugin, and takes others away.
    ///
    /// # Errors
    /// `VALIDATION_ERROR` for what was not granted, or is granted and taken away at once; `CONFLICT` while an operation on the
    /// plugin runs; `NOT_FOUND`, `PERMISSION_DENIED`.
    pub async fn set_grants(self: &Arc<Self>, caller: Caller, slug: &str, edits: &GrantEdits) -> Result<GrantsSet> {
        let _permit = caller.call(self.services()).permit_person(Permission::PluginsConfigure)?;
        let (found, _) = self.find_installation(&caller, slug).await?;
        let held = self.hold_terms().await;
        let mut tx = self.services().db.begin().await?;
        let row = self.lock_unchanging(&mut tx, &caller, &found).await?;
        let grants = edited(&row.grants, edits)?;
        if grants == row.grants {
            return Ok(GrantsSet { grants, operation: None });
        }
        let now = self.services().clock.now();
        installations::set_grants(&mut tx, caller.tenant, row.id, &grants, now).await?;
        let details = json!({ "grant": edits.grant, "revoke": edits.revoke });
        self.note_change(&mut tx, &caller, "plugin.grants", &format!("plugin:{slug}"), &details).await?;
        tx.commit().await?;
        let mut changed = row;
        changed.grants = grants.clone();
        self.follow_terms(&changed, &self.limits_of(caller.tenant).await?);
        drop(held);
        let operation = if changed.state.serves() { self.start_with_terms(caller, slug).await? } else { None };
        Ok(GrantsSet { grants, operation })
    }

    /// Begins to start a plugin again with other terms, beside the one that answers meanwhile.
    ///
    /// # Errors
    /// `CONFLICT` while another operation on it runs.
    pub async fn start_with_terms(self: &Arc<Self>, caller: Caller, slug: &str) -> Result<Option<OperationId>> {
        match self.begin_reload(caller, slug, Reload::default()).await? {
            Begun::Runs(operation) => Ok(Some(operation)),
            Begun::Would(_) => Ok(None),
        }
    }
}

fn edited(grants: &Grants, edits: &GrantEdits) -> Result<Grants, Refusal> {
    if let Some(both) = edits.grant.iter().find(|capability| edits.revoke.contains(capability)) {
        return Err(Refusal::invalid(format!("`{both}` cannot be granted and taken away at once.")));
    }
    if let Some(missing) = edits.revoke.iter().find(|capability| !grants.iter().any(|granted| granted == *capability)) {
        let granted: Vec<_> = grants.iter().map(ToString::to_string).collect();
        return Err(Refusal::invalid(format!("`{missing}` was not granted. Granted are: {}.", granted.join(", "))));
    }
    let kept = grants.iter().filter(|granted| !edits.revoke.contains(granted));
    Ok(Grants::new(kept.chain(&edits.grant).cloned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capabilities(names: &[&str]) -> Vec<Capability> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn exactly_what_is_said_changes() {
        let grants = Grants::new(capabilities(&["files", "objects"]));
        let edits = |grant: &[&str], revoke: &[&str]| GrantEdits { grant: capabilities(grant), revoke: capabilities(revoke) };
        let changed = edited(&grants, &edits(&["users:read"], &["files"])).unwrap();
        assert_eq!(changed, Grants::new(capabilities(&["objects", "users:read"])));
        assert_eq!(edited(&grants, &edits(&["files"], &[])).unwrap(), grants);
        for bad in [edits(&["files"], &["files"]), edits(&[], &["database"])] {
            assert!(edited(&grants, &bad).is_err(), "{bad:?}");
        }
    }
}
