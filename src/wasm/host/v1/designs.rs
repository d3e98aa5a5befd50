//! `mint:platform/designs`.

use mint_context::designs;
use mint_domain::ExperimentId;

use super::convert::{Answer, answer, document, timestamp};
use crate::{
    bindings::mint::platform::{
        designs::{Design, Host},
        types,
    },
    store::State,
};

impl From<designs::Design> for Design {
    fn from(design: designs::Design) -> Self {
        Self {
            id: design.id,
            experiment_id: design.experiment_id,
            plugin_id: design.plugin_id,
            data: design.data.to_string(),
            schema_version: design.schema_version,
            created_at: timestamp(design.created_at),
            updated_at: timestamp(design.updated_at),
        }
    }
}

impl Host for State {
    async fn load(&mut self, experiment_id: types::Id) -> Answer<Design> {
        answer(&self.call, designs::load(&self.call, ExperimentId(experiment_id)).await.map(Into::into))
    }

    async fn save(&mut self, experiment_id: types::Id, data: types::Json, schema_version: Option<String>) -> Answer<Design> {
        let experiment = ExperimentId(experiment_id);
        let saved =
            async { designs::save(&self.call, experiment, document("data", &data)?, schema_version.as_deref()).await }.await;
        answer(&self.call, saved.map(Into::into))
    }

    async fn delete(&mut self, experiment_id: types::Id) -> Answer<bool> {
        answer(&self.call, designs::delete(&self.call, ExperimentId(experiment_id)).await)
    }
}
