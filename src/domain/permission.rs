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
            /// Every permission, in the order of the compatibility document: the 18 of MINT 1.0, then what 1.3 added.
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
    /// See instruments, and how they are doing.
    InstrumentsView = "instruments.view",
    /// Add and change instruments.
    InstrumentsEdit = "instruments.edit",
    /// See everybody's jobs. Plugins ask for it: they keep their jobs themselves.
    JobsReadAll = "jobs.read_all",
    /// Cancel and remove everybody's jobs. Plugins ask for it.
    JobsManageAll = "jobs.manage_all",
    /// Look for files in directories of the server.
    FilesystemBrowse = "filesystem.browse",
    /// Be told of what is important to others.
    NotificationsReceiveImportant = "notifications.receive_important",
    /// See everybody's events in the calendar.
    CalendarReadAll = "calendar.read_all",
    /// Tell something to the whole laboratory.
    NoticesPublish = "notices.publish",
}

impl Permission {
    /// Whether it allows nothing but looking, and asking plugins, whose changes need permissions of their own.
    pub fn is_looking(self) -> bool {
        use Permission as P;
        match self {
            P::ProjectsView | P::ExperimentsView | P::PluginsView | P::PluginsUse | P::UsersView | P::PlatformViewLogs => true,
            P::InstrumentsView | P::JobsReadAll | P::FilesystemBrowse | P::NotificationsReceiveImportant | P::CalendarReadAll => {
                true
            }
            P::ProjectsCreate | P::ProjectsEdit | P::ProjectsDelete | P::ProjectsManageMembers => false,
            P::ExperimentsCreate | P::ExperimentsEdit | P::ExperimentsDelete => false,
            P::PluginsConfigure | P::PluginsInstall | P::UsersInvite | P::UsersManage | P::PlatformConfigure => false,
            P::InstrumentsEdit | P::JobsManageAll | P::NoticesPublish => false,
        }
    }

    /// Whether members lack it: what runs the platform, and what reaches into the work of others or speaks for the laboratory.
    fn is_of_administrators(self) -> bool {
        use Permission as P;
        matches!(
            self,
            P::UsersManage
                | P::PlatformConfigure
                | P::PluginsInstall
                | P::InstrumentsEdit
                | P::JobsReadAll
                | P::JobsManageAll
                | P::NotificationsReceiveImportant
                | P::NoticesPublish
        )
    }

    /// Whether anything is behind it yet. System roles show all names, as programs expect them; a custom role is made of these.
    pub fn is_enforced(self) -> bool {
        !matches!(self, Self::PlatformConfigure | Self::FilesystemBrowse | Self::NoticesPublish)
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
            Self::Member => !permission.is_of_administrators(),
            Self::Viewer => matches!(
                permission,
                P::ProjectsView | P::ExperimentsView | P::PluginsView | P::UsersView | P::PluginsUse | P::InstrumentsView
            ),
        };
        Permission::ALL.iter().copied().filter(allowed).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every permission: what members and viewers have of it, what a credential that only reads keeps, and what is behind it.
    const TABLE: [(&str, bool, bool, bool, bool); 26] = [
        ("projects.view", true, true, true, true),
        ("projects.create", true, false, false, true),
        ("projects.edit", true, false, false, true),
        ("projects.delete", true, false, false, true),
        ("projects.manage_members", true, false, false, true),
        ("experiments.view", true, true, true, true),
        ("experiments.create", true, false, false, true),
        ("experiments.edit", true, false, false, true),
        ("experiments.delete", true, false, false, true),
        ("plugins.view", true, true, true, true),
        ("plugins.use", true, true, true, true),
        ("plugins.configure", true, false, false, true),
        ("plugins.install", false, false, false, true),
        ("users.view", true, true, true, true),
        ("users.invite", true, false, false, true),
        ("users.manage", false, false, false, true),
        ("platform.configure", false, false, false, false),
        ("platform.view_logs", true, false, true, true),
        ("instruments.view", true, true, true, true),
        ("instruments.edit", false, false, false, true),
        ("jobs.read_all", false, false, true, true),
        ("jobs.manage_all", false, false, false, true),
        ("filesystem.browse", true, false, true, false),
        ("notifications.receive_important", false, false, true, true),
        ("calendar.read_all", true, false, true, true),
        ("notices.publish", false, false, false, false),
    ];

    #[test]
    fn names_round_trip_and_the_roles_of_the_system_have_what_the_table_says() {
        let (admin, member, viewer) =
            (SystemRole::Admin.permissions(), SystemRole::Member.permissions(), SystemRole::Viewer.permissions());
        assert_eq!(admin, Permission::ALL);
        let told: Vec<_> = Permission::ALL
            .iter()
            .map(|one| (one.as_str(), member.contains(one), viewer.contains(one), one.is_looking(), one.is_enforced()))
            .collect();
        assert_eq!(told, TABLE);
        for permission in Permission::ALL {
            assert_eq!(permission.as_str().parse(), Ok(*permission));
        }
        assert!(viewer.iter().all(|one| member.contains(one) && one.is_looking()));
    }
}
