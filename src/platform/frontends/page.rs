//! What the page of a front-end may know of the plugin that it is of.

use mint_context::{Result, settings::ALLOWED_TYPES};
use mint_domain::{Permission, manifest::PluginInfo};
use mint_store::{installations, releases};
use serde_json::Value;

use super::Visitor;
use crate::{Caller, Platform, operation::not_installed};

/// A plugin, as its own page knows it.
#[derive(Clone, Debug)]
pub struct Page {
    /// Of the active release.
    pub plugin: PluginInfo,
    /// The types of experiments that it may work on; null for all.
    pub allowed_experiment_types: Value,
}

impl Platform {
    /// The plugin whose origin this is.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`; `NOT_FOUND` when it was removed meanwhile.
    pub async fn page(&self, caller: &Caller, visitor: &Visitor) -> Result<Page> {
        let _permit = caller.call(self.services()).permit_person(Permission::PluginsUse)?;
        let gone = || not_installed(visitor.prefix.trim_start_matches('/'));
        let mut tx = self.services().db.read().await?;
        let installation = installations::get(&mut tx, caller.tenant, visitor.installation).await?.ok_or_else(gone)?;
        let release = releases::get(&mut tx, installation.release_id).await?.ok_or_else(gone)?;
        let allowed_experiment_types = installation.settings.get(ALLOWED_TYPES).cloned().unwrap_or_default();
        Ok(Page { plugin: release.manifest.plugin, allowed_experiment_types })
    }
}
