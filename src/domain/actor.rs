//! Who acts.

use std::{collections::BTreeMap, sync::Arc};

use crate::{InstrumentId, Permission, PluginAccess, ProjectReach, Rights, Slug, UserId, permission::SystemRole};

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
    /// The projects in which the role counts.
    pub project_reach: ProjectReach,
    /// Roles inside plugins, by the plugin's slug. Free text that the plugin understands.
    pub plugin_roles: BTreeMap<String, String>,
    /// Where the credential allows less than the role does.
    pub bound: Option<Bound>,
}

/// By what a credential allows less than its owner's role does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Whether it changes nothing.
    pub is_read_only: bool,
    /// What it allows at most; none for all.
    pub permissions: Option<Vec<Permission>>,
}

impl Bound {
    /// Whether it lets its owner do what the permission is for.
    pub fn allows(&self, permission: Permission) -> bool {
        self.permissions.as_ref().is_none_or(|bound| bound.contains(&permission))
            && (!self.is_read_only || permission.is_looking())
    }
}

impl User {
    /// Whether this is a platform administrator.
    pub fn is_admin(&self) -> bool {
        self.role.eq_ignore_ascii_case("admin")
    }

    /// The same person by a credential that allows less: nothing but looking, or at most `permissions`. An administrator's role
    /// would promise plugins what the credential does not allow, so that another one is shown in its place.
    #[must_use]
    pub fn bounded(mut self, is_read_only: bool, permissions: Option<&[Permission]>) -> Self {
        if !is_read_only && permissions.is_none() {
            return self;
        }
        let earlier = self.bound.take().unwrap_or(Bound { is_read_only: false, permissions: None });
        let permissions = match (earlier.permissions, permissions) {
            (Some(earlier), Some(more)) => Some(earlier.into_iter().filter(|held| more.contains(held)).collect()),
            (earlier, more) => earlier.or_else(|| more.map(<[Permission]>::to_vec)),
        };
        let bound = Bound { is_read_only: is_read_only || earlier.is_read_only, permissions };
        self.permissions.retain(|held| bound.allows(*held));
        if self.is_admin() {
            self.role = if is_read_only { SystemRole::Viewer } else { SystemRole::Member }.as_str().to_owned();
        }
        // Roles inside plugins are theirs to give rights by.
        self.plugin_roles.clear();
        self.bound = Some(bound);
        self
    }

    /// What two credentials of the same person both allow.
    #[must_use]
    pub fn both(self, other: &Self) -> Self {
        match &other.bound {
            Some(bound) => self.bounded(bound.is_read_only, bound.permissions.as_deref()),
            None => self,
        }
    }

    /// Whether the credential changes nothing.
    pub fn is_read_only(&self) -> bool {
        self.bound.as_ref().is_some_and(|bound| bound.is_read_only)
    }

    /// What the person may do.
    pub fn rights(&self) -> Rights {
        Rights {
            permissions: self.permissions.clone(),
            plugin_access: self.plugin_access.clone(),
            project_reach: self.project_reach,
        }
    }
}

/// A program, such as the one beside an instrument, that asks one plugin and is no person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Identifier of its token.
    pub token: i64,
    /// The plugin.
    pub plugin: Slug,
    /// The instruments that it stands for; at least one.
    pub instruments: Vec<InstrumentId>,
}

/// Who acts in a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A person, directly or through a plugin.
    User(Arc<User>),
    /// A plugin on its own account: no person's request is being served.
    Plugin(Slug),
    /// A program that asks a plugin, and may nothing else. What the plugin then does, it does on its own account.
    Service(Arc<Service>),
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
            Self::Plugin(_) | Self::Service(_) | Self::System | Self::Anonymous => None,
        }
    }

    /// Whether the actor's own rights include `permission`. A plugin's own rights are its grants, checked apart.
    pub fn may(&self, permission: Permission) -> bool {
        match self {
            Self::User(user) => user.permissions.contains(&permission),
            Self::Plugin(_) | Self::System => true,
            Self::Service(_) => permission == Permission::PluginsUse,
            Self::Anonymous => false,
        }
    }

    /// Whether the plugin is one that the actor may know of.
    pub fn sees_plugin(&self, plugin: &str) -> bool {
        match self {
            Self::User(user) => user.plugin_access.allows(plugin),
            Self::Service(service) => service.plugin.as_str() == plugin,
            Self::Plugin(_) | Self::System => true,
            Self::Anonymous => false,
        }
    }

    /// Short form for logs and audit.
    pub fn label(&self) -> String {
        match self {
            Self::User(user) => format!("user:{}", user.username),
            Self::Plugin(slug) => format!("plugin:{slug}"),
            Self::Service(service) => format!("service:{}", service.token),
            Self::System => "system".to_owned(),
            Self::Anonymous => "anonymous".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admin() -> User {
        User {
            id: UserId(1),
            username: "ada".to_owned(),
            role: "admin".to_owned(),
            permissions: SystemRole::Admin.permissions(),
            plugin_access: PluginAccess::All,
            project_reach: ProjectReach::All,
            plugin_roles: BTreeMap::from([("a".to_owned(), "admin".to_owned())]),
            bound: None,
        }
    }

    #[test]
    fn a_program_asks_its_plugin_and_may_nothing_else() {
        let (token, plugin) = (1, "a".parse().unwrap());
        let service = Actor::Service(Arc::new(Service { token, plugin, instruments: vec![InstrumentId::from_bits(1)] }));
        let allowed: Vec<_> = Permission::ALL.iter().filter(|one| service.may(**one)).collect();
        assert_eq!(allowed, [&Permission::PluginsUse]);
        assert!(service.sees_plugin("a") && !service.sees_plugin("b") && service.user().is_none());
    }

    #[test]
    fn a_credential_only_takes_away() {
        assert_eq!(admin().bounded(false, None), admin());
        let reader = admin().bounded(true, None);
        assert!(reader.permissions.iter().all(|permission| permission.is_looking()) && reader.is_read_only());
        assert_eq!((reader.role.as_str(), reader.is_admin(), reader.plugin_roles.len()), ("viewer", false, 0));
        let two = [Permission::ExperimentsView, Permission::ExperimentsEdit];
        let editor = admin().bounded(false, Some(&two));
        assert_eq!((editor.permissions.as_slice(), editor.role.as_str(), editor.is_read_only()), (&two[..], "member", false));
        // Whatever comes first, both bounds hold.
        for both in [editor.clone().both(&reader), reader.clone().both(&editor), admin().both(&editor).both(&reader)] {
            assert_eq!((both.permissions.as_slice(), both.is_read_only()), (&two[..1], true));
        }
        assert_eq!(editor.clone().both(&admin()), editor);
    }
}
