//! What a person may do. Never called capability: that is what a *plugin* may do.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// One right of a role, written `noun.verb` on the wire.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "&'static str", try_from = "String")]
        pub enum Permission { $($(#[$doc])* $name,)* }

        impl Permission {
            /// Every permission, in the order of the compatibility document.
            pub const ALL: &'static [Permission] = &[$(Permission::$name,)*];

            /// Its name on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Permission::$name => $text,)* }
            }
        }
    };
}

permissions! {
    /// See projects.
    ProjectsView = "projects.view",
    /// Create projects.
    ProjectsCreate = "projects.create",
    /// Change projects.
    ProjectsEdit = "projects.edit",
    /// Delete projects.
    ProjectsDelete = "projects.delete",
    /// Change who belongs to a project.
    ProjectsManageMembers = "projects.manage_members",
    /// See experiments, their design, results and files.
    ExperimentsView = "experiments.view",
    /// Create experiments.
    ExperimentsCreate = "experiments.create",
    /// Change experiments, upload files, run analyses that save.
    ExperimentsEdit = "experiments.edit",
    /// Delete experiments.
    ExperimentsDelete = "experiments.delete",
    /// See which plugins are installed.
    PluginsView = "plugins.view",
    /// Use plugins.
    PluginsUse = "plugins.use",
    /// Change settings, limits and grants of plugins.
    PluginsConfigure = "plugins.configure",
    /// Install, reload and uninstall plugins.
    PluginsInstall = "plugins.install",
    /// See users.
    UsersView = "users.view",
    /// Make users with rights that one has.
    UsersInvite = "users.invite",
    /// Create, change and remove users.
    UsersManage = "users.manage",
    /// Change the platform's configuration.
    PlatformConfigure = "platform.configure",
    /// Read who changed what.
    PlatformViewLogs = "platform.view_logs",
}

impl Permission {
    /// Whether it allows nothing but looking, and asking plugins, whose changes need permissions of their own.
    pub fn is_looking(self) -> bool {
        use Permission as P;
        matches!(self, P::ProjectsView | P::ExperimentsView | P::PluginsView | P::PluginsUse | P::UsersView | P::PlatformViewLogs)
    }

    /// Whether anything is behind it yet. System roles show all names, as programs expect them; a custom role is made of these.
    pub fn is_enforced(self) -> bool {
        !matches!(self, Self::PlatformConfigure)
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<Permission> for &'static str {
    fn from(permission: Permission) -> Self {
        permission.as_str()
    }
}

/// Not a permission of this platform.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown permission `{0}`")]
pub struct UnknownPermission(String);

impl FromStr for Permission {
    type Err = UnknownPermission;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|p| p.as_str() == text).ok_or_else(|| UnknownPermission(text.to_owned()))
    }
}

impl TryFrom<String> for Permission {
    type Error = UnknownPermission;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// The three system roles. Custom roles are subsets of [`Permission::ALL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SystemRole {
    /// Everything.
    Admin,
    /// Everything but running the platform.
    Member,
    /// Look, and use plugins.
    Viewer,
}

impl SystemRole {
    /// The slug on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Member => "member",
            Self::Viewer => "viewer",
        }
    }

    /// The role of a slug.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Admin, Self::Member, Self::Viewer].into_iter().find(|role| role.as_str() == text)
    }

    /// What the role allows.
    pub fn permissions(self) -> Vec<Permission> {
        use Permission as P;
        let allowed = |permission: &Permission| match self {
            Self::Admin => true,
            Self::Member => !matches!(permission, P::UsersManage | P::PlatformConfigure | P::PluginsInstall),
            Self::Viewer => {
                matches!(permission, P::ProjectsView | P::ExperimentsView | P::PluginsView | P::UsersView | P::PluginsUse)
            }
        };
        Permission::ALL.iter().copied().filter(allowed).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_roles_nest() {
        for permission in Permission::ALL {
            assert_eq!(permission.as_str().parse(), Ok(*permission));
        }
        let (admin, member, viewer) =
            (SystemRole::Admin.permissions(), SystemRole::Member.permissions(), SystemRole::Viewer.permissions());
        assert_eq!(admin.len(), 18);
        assert!(member.iter().all(|p| admin.contains(p)) && viewer.iter().all(|p| member.contains(p)));
        assert!(viewer.iter().all(|p| p.as_str().ends_with(".view") || *p == Permission::PluginsUse));
    }
}
