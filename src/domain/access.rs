//! What a person may do in one project, or with one experiment: the one place that decides.
//!
//! Whatever the system role, the role in the project, or the part in the experiment allows, is allowed: rights add up. A
//! credential that is bounded takes away from all of them. A role may say that it counts only where one was given a part; whatever
//! lies beyond is not there. Where the operator says that experiments are seen by few, that holds for every role but an
//! administrator's, of experiments.

use serde::Deserialize;

use crate::{Permission, ProjectReach, Standing, User};

/// Who sees an experiment among those who may see experiments. The operator says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// Everybody.
    #[default]
    Open,
    /// Who made it, who has a part in it or in its project, and administrators.
    Restricted,
}

/// What somebody is to a project, or to an experiment that lies in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ties {
    /// In the project.
    pub project: Option<Standing>,
    /// In the experiment.
    pub experiment: Option<Standing>,
    /// Whether they made the experiment.
    pub is_maker: bool,
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Yes.
    Allowed,
    /// No, and it can be said.
    Denied,
    /// For this person it is not there.
    Hidden,
}

impl Standing {
    /// What it allows within a project.
    pub fn in_project(self) -> &'static [Permission] {
        use Permission as P;
        match self {
            Self::Viewer => &[P::ProjectsView, P::ExperimentsView],
            Self::Editor => &[P::ProjectsView, P::ExperimentsView, P::ExperimentsCreate, P::ExperimentsEdit],
            Self::Owner => &[
                P::ProjectsView,
                P::ProjectsEdit,
                P::ProjectsDelete,
                P::ProjectsManageMembers,
                P::ExperimentsView,
                P::ExperimentsCreate,
                P::ExperimentsEdit,
                P::ExperimentsDelete,
            ],
        }
    }

    /// What it allows with one experiment.
    pub fn on_experiment(self) -> &'static [Permission] {
        use Permission as P;
        match self {
            Self::Viewer => &[P::ExperimentsView],
            Self::Editor => &[P::ExperimentsView, P::ExperimentsEdit],
            Self::Owner => &[P::ExperimentsView, P::ExperimentsEdit, P::ExperimentsDelete],
        }
    }
}

impl Ties {
    /// Whether there are any.
    pub fn any(self) -> bool {
        self != Self::default()
    }

    /// Whether they allow what the permission is for.
    fn allow(self, wanted: Permission) -> bool {
        self.project.is_some_and(|standing| standing.in_project().contains(&wanted))
            || self.experiment.is_some_and(|standing| standing.on_experiment().contains(&wanted))
            // Who made an experiment goes on seeing it; in a project of which they are an editor, they may delete it.
            || (self.is_maker && wanted == Permission::ExperimentsView)
            || (self.is_maker && self.project >= Some(Standing::Editor) && wanted == Permission::ExperimentsDelete)
    }
}

impl User {
    /// Whether the role alone, whatever else the person is, allows this in every project.
    pub fn may_everywhere(&self, visibility: Visibility, wanted: Permission) -> bool {
        !self.is_confined(visibility, wanted) && self.has_outright(wanted)
    }

    /// Whether the person may do what `wanted` is for, which `ties` bind to the project or experiment; none where there is no such.
    pub fn decide(&self, visibility: Visibility, ties: Option<Ties>, wanted: Permission) -> Verdict {
        let looks = view_of(wanted);
        // A part in an experiment is none in its project.
        let ties = ties
            .map(|ties| if looks == Permission::ProjectsView { Ties { project: ties.project, ..Ties::default() } } else { ties });
        let is_confined = self.is_confined(visibility, wanted);
        match ties.filter(|ties| ties.any() || !is_confined) {
            Some(ties) if self.may_with(ties, wanted) => Verdict::Allowed,
            Some(_) => Verdict::Denied,
            // Where the answer would be no for everything that is not one's own, it tells nothing.
            None if self.has_outright(wanted) => Verdict::Hidden,
            None if is_confined && self.permissions.contains(&looks) => Verdict::Hidden,
            None => Verdict::Denied,
        }
    }

    /// Whether the person may say who has a part in the experiment.
    pub fn may_share_experiment(&self, visibility: Visibility, ties: Ties) -> bool {
        let has_part = ties.project >= Some(Standing::Editor)
            || ties.experiment == Some(Standing::Owner)
            || (ties.is_maker && self.permissions.contains(&Permission::ExperimentsEdit))
            || (self.has_outright(Permission::ProjectsManageMembers)
                && (ties.any() || !self.is_confined(visibility, Permission::ExperimentsView)));
        has_part && self.bound.as_ref().is_none_or(|bound| bound.allows(Permission::ExperimentsEdit))
    }

    /// Whether the person may do all of this, and so may let others do it.
    pub fn covers(&self, ties: Ties, permissions: &[Permission]) -> bool {
        permissions.iter().all(|permission| self.may_with(ties, *permission))
    }

    /// Whether, of what the permission is about, only that is there for the person which they made or have a part in.
    fn is_confined(&self, visibility: Visibility, wanted: Permission) -> bool {
        use Permission as P;
        match self.project_reach {
            ProjectReach::Whole => false,
            ProjectReach::Assigned => true,
            ProjectReach::All | ProjectReach::Owned => {
                // A new one is put into a project, which is there for them.
                let is_of_experiment = matches!(wanted, P::ExperimentsView | P::ExperimentsEdit | P::ExperimentsDelete);
                visibility == Visibility::Restricted && is_of_experiment
            }
        }
    }

    fn has_outright(&self, wanted: Permission) -> bool {
        self.permissions.contains(&wanted) && self.project_reach.has_outright(wanted)
    }

    fn may_with(&self, ties: Ties, wanted: Permission) -> bool {
        self.has_outright(wanted) || (ties.allow(wanted) && self.bound.as_ref().is_none_or(|bound| bound.allows(wanted)))
    }
}

/// What it takes to see what the permission is about.
fn view_of(wanted: Permission) -> Permission {
    use Permission as P;
    match wanted {
        P::ProjectsView | P::ProjectsCreate | P::ProjectsEdit | P::ProjectsDelete | P::ProjectsManageMembers => P::ProjectsView,
        _ => P::ExperimentsView,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{PluginAccess, Rights, UserId, permission::SystemRole};

    const NOBODY: Ties = Ties { project: None, experiment: None, is_maker: false };
    const ACTS: [Permission; 8] = [
        Permission::ProjectsView,
        Permission::ProjectsEdit,
        Permission::ProjectsDelete,
        Permission::ProjectsManageMembers,
        Permission::ExperimentsView,
        Permission::ExperimentsCreate,
        Permission::ExperimentsEdit,
        Permission::ExperimentsDelete,
    ];

    fn user(rights: Rights) -> User {
        let Rights { permissions, plugin_access, project_reach } = rights;
        let (username, role) = ("ada".to_owned(), "x".to_owned());
        let plugin_roles = BTreeMap::new();
        User { id: UserId(1), username, role, permissions, plugin_access, project_reach, plugin_roles, bound: None }
    }

    fn custom(permissions: &[Permission], project_reach: ProjectReach) -> User {
        user(Rights { permissions: permissions.to_vec(), plugin_access: PluginAccess::All, project_reach })
    }

    /// What is allowed (`+`), refused (`-`) and not there (`.`), in the order of [`ACTS`], and sharing the experiment.
    fn row(user: &User, visibility: Visibility, ties: Ties) -> String {
        let sign = |act: &Permission| match user.decide(visibility, Some(ties), *act) {
            Verdict::Allowed => '+',
            Verdict::Denied => '-',
            Verdict::Hidden => '.',
        };
        ACTS.iter().map(sign).chain([if user.may_share_experiment(visibility, ties) { '+' } else { '-' }]).collect()
    }

    fn project(standing: Standing) -> Ties {
        Ties { project: Some(standing), ..NOBODY }
    }

    fn collaborator(standing: Standing) -> Ties {
        Ties { experiment: Some(standing), ..NOBODY }
    }

    /// The tables of roles, of roles in projects, and of collaborators, one for each way in which somebody can have a part; then what
    /// those without one may where experiments are seen by few. Whoever has a part may the same there.
    #[test]
    fn the_matrix_of_the_compatibility_document() {
        use Standing::{Editor, Owner, Viewer};
        let maker = Ties { is_maker: true, ..NOBODY };
        let ties = [
            NOBODY,
            project(Viewer),
            project(Editor),
            project(Owner),
            collaborator(Viewer),
            collaborator(Editor),
            collaborator(Owner),
            maker,
            Ties { is_maker: true, ..project(Editor) },
            Ties { experiment: Some(Owner), ..project(Viewer) },
        ];
        let works = [Permission::ProjectsView, Permission::ExperimentsView, Permission::ExperimentsEdit];
        // Projects: see, edit, delete, members. Experiments: see, create, edit, delete, share.
        let table: [(&str, User, [&str; 10], &str); 7] = [
            ("admin", user(SystemRole::Admin.into()), ["+++++++++"; 10], "+++++++++"),
            (
                "member",
                user(SystemRole::Member.into()),
                [
                    "++--++++-",
                    "++--++++-",
                    "++--+++++",
                    "+++++++++",
                    "++--++++-",
                    "++--++++-",
                    "++--+++++",
                    "++--+++++",
                    "++--+++++",
                    "++--+++++",
                ],
                "++--.+..-",
            ),
            (
                "viewer",
                user(SystemRole::Viewer.into()),
                [
                    "+---+----",
                    "+---+----",
                    "+---+++-+",
                    "+++++++++",
                    "+---+----",
                    "+---+-+--",
                    "+---+-+++",
                    "+---+----",
                    "+---+++++",
                    "+---+-+++",
                ],
                "+---.-..-",
            ),
            (
                "assigned member",
                user(Rights { project_reach: ProjectReach::Assigned, ..SystemRole::Member.into() }),
                [
                    "........-",
                    "+++++++++",
                    "+++++++++",
                    "+++++++++",
                    "....+++++",
                    "....+++++",
                    "....+++++",
                    "....+++++",
                    "+++++++++",
                    "+++++++++",
                ],
                "........-",
            ),
            (
                "assigned",
                custom(&works, ProjectReach::Assigned),
                [
                    "........-",
                    "+---+-+--",
                    "+---+++-+",
                    "+++++++++",
                    "....+-+--",
                    "....+-+--",
                    "....+-+++",
                    "....+-+-+",
                    "+---+++++",
                    "+---+-+++",
                ],
                "........-",
            ),
            (
                "custom",
                custom(&works, ProjectReach::All),
                [
                    "+---+-+--",
                    "+---+-+--",
                    "+---+++-+",
                    "+++++++++",
                    "+---+-+--",
                    "+---+-+--",
                    "+---+-+++",
                    "+---+-+-+",
                    "+---+++++",
                    "+---+-+++",
                ],
                "+---.-..-",
            ),
            (
                "none",
                user(Rights::none()),
                [
                    "---------",
                    "+---+----",
                    "+---+++-+",
                    "+++++++++",
                    "----+----",
                    "----+-+--",
                    "----+-+++",
                    "----+----",
                    "+---+++++",
                    "+---+-+++",
                ],
                "---------",
            ),
        ];
        for (name, user, rows, restricted) in table {
            for (ties, expected) in ties.into_iter().zip(rows) {
                assert_eq!(row(&user, Visibility::Open, ties), expected, "{name} {ties:?}");
                let expected = if ties == NOBODY { restricted } else { expected };
                assert_eq!(row(&user, Visibility::Restricted, ties), expected, "{name} {ties:?}");
            }
        }
    }

    /// Whatever somebody may not see is answered as what is not there; and no part takes anything away.
    #[test]
    fn what_is_hidden_is_as_if_it_were_not_and_parts_only_add() {
        let standings = [None, Some(Standing::Viewer), Some(Standing::Editor), Some(Standing::Owner)];
        let roles = [SystemRole::Admin, SystemRole::Member, SystemRole::Viewer].map(|role| user(role.into()));
        let bare = [ProjectReach::All, ProjectReach::Assigned].map(|reach| custom(&[], reach));
        let some = ACTS.map(|act| custom(&[act], ProjectReach::Assigned));
        let people = || roles.iter().chain(&bare).chain(&some);
        for (user, visibility) in people().flat_map(|user| [Visibility::Open, Visibility::Restricted].map(|one| (user, one))) {
            for act in ACTS {
                let none = user.decide(visibility, None, act);
                assert_ne!(none, Verdict::Allowed);
                let untied = user.decide(visibility, Some(NOBODY), act);
                if user.is_confined(visibility, act) || !user.permissions.contains(&view_of(act)) {
                    assert!(untied == none || untied == Verdict::Allowed, "{user:?} {act}");
                }
                assert!(!user.may_everywhere(visibility, act) || untied == Verdict::Allowed);
                for project in standings {
                    for (experiment, is_maker) in standings.into_iter().flat_map(|one| [(one, false), (one, true)]) {
                        let ties = Ties { project, experiment, is_maker };
                        let verdict = user.decide(visibility, Some(ties), act);
                        assert!(untied != Verdict::Allowed || verdict == Verdict::Allowed);
                        let has_part = ties.project.is_some() || (ties.any() && view_of(act) == Permission::ExperimentsView);
                        assert!(!has_part || verdict != Verdict::Hidden);
                        // A credential that only reads changes nothing, whatever its owner has a part in.
                        let reader = user.clone().bounded(true, None);
                        assert!(act.is_looking() || reader.decide(visibility, Some(ties), act) != Verdict::Allowed);
                        assert!(!reader.may_share_experiment(visibility, ties));
                        let other = user.clone().bounded(false, Some(&[Permission::PluginsUse]));
                        assert_ne!(other.decide(visibility, Some(ties), act), Verdict::Allowed);
                    }
                }
            }
        }
    }
}
