//! `mint:platform/projects`.

use mint_context::{Page, projects};
use mint_domain::{ProjectId, experiment};

use super::convert::{Answer, answer, timestamp};
use crate::{
    bindings::mint::platform::{
        projects::{Host, Project, ProjectStatus},
        types,
    },
    store::State,
};

impl From<projects::Project> for Project {
    fn from(project: projects::Project) -> Self {
        Self {
            id: project.id,
            name: project.name,
            description: project.description,
            status: match project.status {
                experiment::ProjectStatus::Active => ProjectStatus::Active,
                experiment::ProjectStatus::Archived => ProjectStatus::Archived,
                experiment::ProjectStatus::Completed => ProjectStatus::Completed,
            },
            created_by: project.created_by,
            created_at: timestamp(project.created_at),
            updated_at: timestamp(project.updated_at),
        }
    }
}

impl Host for State {
    async fn get(&mut self, id: types::Id) -> Answer<Project> {
        answer(&self.call, projects::get(&self.call, ProjectId(id)).await.map(Into::into))
    }

    async fn list(&mut self, page: types::Page) -> Answer<(Vec<Project>, u64)> {
        let found = projects::list(&self.call, Page::new(page.skip, page.limit)).await;
        answer(&self.call, found.map(|(projects, total)| (projects.into_iter().map(Into::into).collect(), total)))
    }
}
