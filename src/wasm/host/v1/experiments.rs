//! `mint:platform/experiments`.

use mint_context::{Page, experiments};
use mint_domain::{ExperimentId, Refusal, experiment};

use super::convert::{Answer, answer, optional_document, timestamp};
use crate::{
    bindings::mint::platform::{
        experiments::{Draft, Experiment, ExperimentStatus, Filter, Host, IdChange, Patch, TextChange},
        types,
    },
    store::State,
};

impl From<experiment::ExperimentStatus> for ExperimentStatus {
    fn from(status: experiment::ExperimentStatus) -> Self {
        match status {
            experiment::ExperimentStatus::Planned => Self::Planned,
            experiment::ExperimentStatus::Ongoing => Self::Ongoing,
            experiment::ExperimentStatus::Completed => Self::Completed,
            experiment::ExperimentStatus::Cancelled => Self::Cancelled,
        }
    }
}

impl From<ExperimentStatus> for experiment::ExperimentStatus {
    fn from(status: ExperimentStatus) -> Self {
        match status {
            ExperimentStatus::Planned => Self::Planned,
            ExperimentStatus::Ongoing => Self::Ongoing,
            ExperimentStatus::Completed => Self::Completed,
            ExperimentStatus::Cancelled => Self::Cancelled,
        }
    }
}

impl From<experiments::Experiment> for Experiment {
    fn from(experiment: experiments::Experiment) -> Self {
        Self {
            id: experiment.id,
            name: experiment.name,
            experiment_type: experiment.experiment_type,
            status: experiment.status.into(),
            project: experiment.project,
            parent_experiment_id: experiment.parent_experiment_id,
            notes: experiment.notes,
            tags: experiment.tags.to_string(),
            custom_metadata: experiment.custom_metadata.to_string(),
            start_date: experiment.start_date,
            end_date: experiment.end_date,
            design_owner_plugin_id: experiment.design_owner_plugin_id,
            created_by: experiment.created_by,
            created_at: timestamp(experiment.created_at),
            updated_at: timestamp(experiment.updated_at),
        }
    }
}

impl From<Filter> for experiments::Filter {
    fn from(filter: Filter) -> Self {
        Self {
            status: filter.status.map(Into::into),
            experiment_type: filter.experiment_type,
            project: filter.project,
            created_by: filter.created_by,
            parent_experiment_id: filter.parent_experiment_id,
            search: filter.search,
            seen_by: None,
        }
    }
}

impl TryFrom<Draft> for experiments::Draft {
    type Error = Refusal;

    fn try_from(draft: Draft) -> Result<Self, Refusal> {
        Ok(Self {
            name: draft.name,
            experiment_type: draft.experiment_type,
            project: draft.project,
            parent_experiment_id: draft.parent_experiment_id,
            notes: draft.notes,
            tags: optional_document("tags", draft.tags.as_deref())?,
        })
    }
}

impl From<TextChange> for experiments::Change<String> {
    fn from(change: TextChange) -> Self {
        match change {
            TextChange::Keep => Self::Keep,
            TextChange::Clear => Self::Clear,
            TextChange::Set(text) => Self::Set(text),
        }
    }
}

impl From<IdChange> for experiments::Change<i64> {
    fn from(change: IdChange) -> Self {
        match change {
            IdChange::Keep => Self::Keep,
            IdChange::Clear => Self::Clear,
            IdChange::Set(id) => Self::Set(id),
        }
    }
}

impl TryFrom<Patch> for experiments::Patch {
    type Error = Refusal;

    fn try_from(patch: Patch) -> Result<Self, Refusal> {
        Ok(Self {
            name: patch.name,
            experiment_type: patch.experiment_type,
            status: None,
            project: patch.project.into(),
            parent_experiment_id: patch.parent_experiment_id.into(),
            notes: patch.notes.into(),
            tags: optional_document("tags", patch.tags.as_deref())?,
            custom_metadata: optional_document("custom-metadata", patch.custom_metadata.as_deref())?,
            start_date: patch.start_date.into(),
            end_date: patch.end_date.into(),
        })
    }
}

impl Host for State {
    async fn get(&mut self, id: types::Id) -> Answer<Experiment> {
        answer(&self.call, experiments::get(&self.call, ExperimentId(id)).await.map(Into::into))
    }

    async fn list(&mut self, filter: Filter, page: types::Page) -> Answer<(Vec<Experiment>, u64)> {
        let found = experiments::list(&self.call, &filter.into(), Page::new(page.skip, page.limit)).await;
        answer(&self.call, found.map(|(experiments, total)| (experiments.into_iter().map(Into::into).collect(), total)))
    }

    async fn create(&mut self, draft: Draft) -> Answer<Experiment> {
        let created = async { experiments::create(&self.call, draft.try_into()?).await }.await;
        answer(&self.call, created.map(Into::into))
    }

    async fn update(&mut self, id: types::Id, patch: Patch) -> Answer<Experiment> {
        let updated = async { experiments::update(&self.call, ExperimentId(id), patch.try_into()?).await }.await;
        answer(&self.call, updated.map(Into::into))
    }

    async fn set_status(&mut self, id: types::Id, status: ExperimentStatus) -> Answer<Experiment> {
        let patch = experiments::Patch { status: Some(status.into()), ..experiments::Patch::default() };
        answer(&self.call, experiments::update(&self.call, ExperimentId(id), patch).await.map(Into::into))
    }

    async fn delete(&mut self, id: types::Id) -> Answer<()> {
        answer(&self.call, experiments::delete(&self.call, ExperimentId(id)).await)
    }
}
