//! What a role allows, and who may give it.

use std::collections::BTreeSet;

use crate::{Permission, Slug, permission::SystemRole};

/// Which plugins a person sees and uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PluginAccess {
    /// Every one that is installed.
    All,
    /// These.
    Listed(BTreeSet<Slug>),
}

impl PluginAccess {
    /// Whether the plugin is among them.
    pub fn allows(&self, plugin: &str) -> bool {
        match self {
            Self::All => true,
            Self::Listed(plugins) => plugins.iter().any(|listed| listed.as_str() == plugin),
        }
    }

    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, _) => true,
            (Self::Listed(_), Self::All) => false,
            (Self::Listed(own), Self::Listed(others)) => others.is_subset(own),
        }
    }
}

/// What somebody may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rights {
    /// In the order of [`Permission::ALL`].
    pub permissions: Vec<Permission>,
    /// With which plugins.
    pub plugin_access: PluginAccess,
}

impl Rights {
    /// None at all, as of a role that is gone.
    pub fn none() -> Self {
        Self { permissions: Vec::new(), plugin_access: PluginAccess::Listed(BTreeSet::new()) }
    }

    /// What `other` has beyond these: who gives something to another must have it.
    pub fn lacks(&self, other: &Self) -> Option<&'static str> {
        let missing = other.permissions.iter().find(|permission| !self.permissions.contains(permission));
        match missing {
            Some(permission) => Some(permission.as_str()),
            None if self.plugin_access.covers(&other.plugin_access) => None,
            None => Some("plugin_access"),
        }
    }
}

impl From<SystemRole> for Rights {
    fn from(role: SystemRole) -> Self {
        Self { permissions: role.permissions(), plugin_access: PluginAccess::All }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rights(permissions: &[Permission], plugins: Option<&[&str]>) -> Rights {
        let plugin_access = plugins.map_or(PluginAccess::All, |plugins| {
            PluginAccess::Listed(plugins.iter().map(|plugin| plugin.parse().unwrap()).collect())
        });
        Rights { permissions: permissions.to_vec(), plugin_access }
    }

    #[test]
    fn nobody_gives_what_they_lack() {
        use Permission::{PluginsUse, UsersManage, UsersView};
        let manager = rights(&[UsersView, UsersManage], Some(&["a", "b"]));
        for (other, lacking) in [
            (rights(&[UsersView], Some(&["a"])), None),
            (rights(&[], Some(&[])), None),
            (manager.clone(), None),
            (rights(&[PluginsUse], Some(&["a"])), Some("plugins.use")),
            (rights(&[UsersView], Some(&["c"])), Some("plugin_access")),
            (rights(&[UsersView], None), Some("plugin_access")),
            (SystemRole::Admin.into(), Some("projects.view")),
        ] {
            assert_eq!(manager.lacks(&other), lacking, "{other:?}");
            assert_eq!(Rights::from(SystemRole::Admin).lacks(&other), None);
        }
        assert_eq!(Rights::none().lacks(&manager), Some("users.view"));
    }
}
