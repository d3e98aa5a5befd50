//! `mint:platform/results`.

use mint_context::results;
use mint_domain::{ExperimentId, Refusal, experiment};

use super::convert::{Answer, answer, document, optional_slug, timestamp};
use crate::{
    bindings::mint::platform::{
        results::{Artifact, ArtifactStatus, Host, Input, Summary},
        types,
    },
    store::State,
};

impl From<results::Summary> for Summary {
    fn from(summary: results::Summary) -> Self {
        Self {
            id: summary.id,
            experiment_id: summary.experiment_id,
            plugin_id: summary.plugin_id,
            key: summary.artifact_key,
            display_name: summary.display_name,
            status: match summary.status {
                experiment::ArtifactStatus::Active => ArtifactStatus::Active,
                experiment::ArtifactStatus::Archived => ArtifactStatus::Archived,
            },
            result_keys: summary.result_keys,
            note: summary.note,
            created_at: timestamp(summary.created_at),
            updated_at: timestamp(summary.updated_at),
        }
    }
}

impl From<results::Artifact> for Artifact {
    fn from(artifact: results::Artifact) -> Self {
        Self { summary: artifact.summary.into(), result: artifact.result.to_string() }
    }
}

impl TryFrom<Input> for results::Input {
    type Error = Refusal;

    fn try_from(input: Input) -> Result<Self, Refusal> {
        Ok(Self {
            key: input.key,
            result: document("result", &input.result)?,
            display_name: input.display_name,
            note: input.note,
        })
    }
}

impl Host for State {
    async fn save(&mut self, experiment_id: types::Id, input: Input) -> Answer<Artifact> {
        let saved = async { results::save(&self.call, ExperimentId(experiment_id), input.try_into()?).await }.await;
        answer(&self.call, saved.map(Into::into))
    }

    async fn save_all(&mut self, experiment_id: types::Id, inputs: Vec<Input>) -> Answer<Vec<Artifact>> {
        let saved = async {
            let inputs = inputs.into_iter().map(TryInto::try_into).collect::<Result<_, Refusal>>()?;
            results::save_all(&self.call, ExperimentId(experiment_id), inputs).await
        };
        let saved = saved.await;
        answer(&self.call, saved.map(|artifacts| artifacts.into_iter().map(Into::into).collect()))
    }

    async fn load(
        &mut self,
        experiment_id: types::Id,
        key: String,
        plugin_id: Option<String>,
        fields: Option<Vec<String>>,
    ) -> Answer<Artifact> {
        let loaded = async {
            let owner = optional_slug(plugin_id.as_deref())?;
            results::load(&self.call, ExperimentId(experiment_id), owner.as_ref(), &key, fields.as_deref(), false).await
        };
        let loaded = loaded.await;
        answer(&self.call, loaded.map(Into::into))
    }

    async fn list(&mut self, experiment_id: types::Id, include_others: bool, include_archived: bool) -> Answer<Vec<Summary>> {
        let found = results::list(&self.call, ExperimentId(experiment_id), include_others, include_archived).await;
        answer(&self.call, found.map(|summaries| summaries.into_iter().map(Into::into).collect()))
    }

    async fn archive(&mut self, experiment_id: types::Id, key: String) -> Answer<Summary> {
        answer(&self.call, results::archive(&self.call, ExperimentId(experiment_id), &key).await.map(Into::into))
    }

    async fn restore(&mut self, experiment_id: types::Id, key: String) -> Answer<Summary> {
        answer(&self.call, results::restore(&self.call, ExperimentId(experiment_id), &key).await.map(Into::into))
    }

    async fn delete(&mut self, experiment_id: types::Id, key: String) -> Answer<bool> {
        answer(&self.call, results::delete(&self.call, ExperimentId(experiment_id), &key).await)
    }
}
