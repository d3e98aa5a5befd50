//! Who acts.

use std::{collections::BTreeMap, sync::Arc};

use crate::{Permission, PluginAccess, Rights, Slug, UserId};

/// A signed-in person, as the credential and the database say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Identifier.
    pub id: UserId,
    /// Name to sign in with.
    pub username: String,
    /// Slug of the role.
    pub role: String,
    /// What the role allows.
    pub permissions: Vec<Permission>,
    /// The plugins that the role lets the person see and use.
    pub plugin_access: PluginAccess,
    /// Roles inside plugins, by the plugin's slug. Free text that the plugin understands.
    pub plugin_roles: BTreeMap<String, String>,
}

impl User {
    /// Whether this is a platform administrator.
    pub fn is_admin(&self) -> bool {
        self.role.eq_ignore_ascii_case("admin")
    }

    /// What the person may do.
    pub fn rights(&self) -> Rights {
        Rights { permissions: self.permissions.clone(), plugin_access: self.plugin_access.clone() }
    }
}

/// Who acts in a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A person, directly or through a plugin.
    User(Arc<User>),
    /// A plugin on its own account: no person's request is being served.
    Plugin(Slug),
    /// The platform itself.
    System,
    /// Nobody who signed in.
    Anonymous,
}

impl Actor {
    /// The person, where one acts.
    pub fn user(&self) -> Option<&User> {
        match self {
            Self::User(user) => Some(user),
            Self::Plugin(_) | Self::System | Self::Anonymous => None,
        }
    }

    /// Whether the actor's own rights include `permission`. A plugin's own rights are its grants, checked apart.
    pub fn may(&self, permission: Permission) -> bool {
        match self {
            Self::User(user) => user.permissions.contains(&permission),
            Self::Plugin(_) | Self::System => true,
            Self::Anonymous => false,
        }
    }

    /// Whether the plugin is one that the actor may know of.
    pub fn sees_plugin(&self, plugin: &str) -> bool {
        match self {
            Self::User(user) => user.plugin_access.allows(plugin),
            Self::Plugin(_) | Self::System => true,
            Self::Anonymous => false,
        }
    }

    /// Short form for logs and audit.
    pub fn label(&self) -> String {
        match self {
            Self::User(user) => format!("user:{}", user.username),
            Self::Plugin(slug) => format!("plugin:{slug}"),
            Self::System => "system".to_owned(),
            Self::Anonymous => "anonymous".to_owned(),
        }
    }
}
