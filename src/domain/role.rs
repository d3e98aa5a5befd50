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

/// How far what a role allows on projects, and on the experiments in them, goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProjectReach {
    /// To everything, whatever else is restricted: an administrator's.
    Whole,
    /// To every project.
    All,
    /// To every project; but only those that are one's own are deleted, and shared with others.
    Owned,
    /// To what one made, or was given a part in.
    Assigned,
}

impl ProjectReach {
    /// What a role of a tenant says: `all` or `assigned`.
    pub fn of_scope(is_assigned: bool) -> Self {
        if is_assigned { Self::Assigned } else { Self::All }
    }

    /// How a role shows it.
    pub fn scope(self) -> &'static str {
        match self {
            Self::Whole | Self::All | Self::Owned => "all",
            Self::Assigned => "assigned",
        }
    }

    /// Whether a role with this reach has the permission for whatever it reaches.
    pub fn has_outright(self, permission: Permission) -> bool {
        self != Self::Owned || !matches!(permission, Permission::ProjectsDelete | Permission::ProjectsManageMembers)
    }
}

/// What somebody may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rights {
    /// In the order of [`Permission::ALL`].
    pub permissions: Vec<Permission>,
    /// With which plugins.
    pub plugin_access: PluginAccess,
    /// In which projects.
    pub project_reach: ProjectReach,
}

impl Rights {
    /// None at all, as of a role that is gone.
    pub fn none() -> Self {
        Self {
            permissions: Vec::new(),
            plugin_access: PluginAccess::Listed(BTreeSet::new()),
            project_reach: ProjectReach::Assigned,
        }
    }

    /// What `other` has beyond these: who gives something to another must have it. What nothing is behind yet, no role of a
    /// tenant has, and it keeps nobody from giving one that shows it; an administrator's reach is for administrators to give.
    pub fn lacks(&self, other: &Self) -> Option<&'static str> {
        let has =
            |rights: &Self, permission| rights.permissions.contains(&permission) && rights.project_reach.has_outright(permission);
        let missing = other
            .permissions
            .iter()
            .filter(|permission| permission.is_enforced() || other.project_reach == ProjectReach::Whole)
            .find(|permission| !self.permissions.contains(permission) || (has(other, **permission) && !has(self, **permission)));
        match missing {
            Some(permission) => Some(permission.as_str()),
            None if !self.plugin_access.covers(&other.plugin_access) => Some("plugin_access"),
            None if self.project_reach == ProjectReach::Assigned && other.project_reach != ProjectReach::Assigned => {
                Some("project_scope")
            }
            None => None,
        }
    }
}

impl From<SystemRole> for Rights {
    fn from(role: SystemRole) -> Self {
        let project_reach = match role {
            SystemRole::Admin => ProjectReach::Whole,
            SystemRole::Member => ProjectReach::Owned,
            SystemRole::Viewer => ProjectReach::All,
        };
        Self { permissions: role.permissions(), plugin_access: PluginAccess::All, project_reach }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rights(permissions: &[Permission], plugins: Option<&[&str]>) -> Rights {
        let plugin_access = plugins.map_or(PluginAccess::All, |plugins| {
            PluginAccess::Listed(plugins.iter().map(|plugin| plugin.parse().unwrap()).collect())
        });
        Rights { permissions: permissions.to_vec(), plugin_access, project_reach: ProjectReach::All }
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
        let assigned = Rights { project_reach: ProjectReach::Assigned, ..manager.clone() };
        assert_eq!((manager.lacks(&assigned), assigned.lacks(&manager)), (None, Some("project_scope")));
        // Members delete what is their own, and do not let others delete more.
        let member = Rights::from(SystemRole::Member);
        assert_eq!(member.lacks(&SystemRole::Member.into()), None);
        assert_eq!(member.lacks(&rights(&[Permission::ProjectsDelete], None)), Some("projects.delete"));
        assert_eq!(member.lacks(&rights(&[Permission::ProjectsEdit], None)), None);
        // Who has all that a role can be made of makes members, and no administrators.
        let all: Vec<Permission> = Permission::ALL.iter().copied().filter(|one| one.is_enforced()).collect();
        let manager = rights(&all, None);
        assert_eq!(manager.lacks(&member), None);
        assert_eq!(manager.lacks(&SystemRole::Admin.into()), Some("platform.configure"));
    }
}
