//! `mint:platform/settings`.

use mint_context::settings;

use super::convert::{Answer, answer, document};
use crate::{
    bindings::mint::platform::{
        settings::{Host, Snapshot},
        types,
    },
    store::State,
};

impl From<settings::Loaded> for Snapshot {
    fn from(loaded: settings::Loaded) -> Self {
        Self { revision: loaded.revision, values: loaded.settings.to_string() }
    }
}

impl Host for State {
    async fn load(&mut self) -> Answer<Snapshot> {
        answer(&self.call, settings::load(&self.call).await.map(Into::into))
    }

    async fn compare_and_swap(&mut self, revision: String, values: types::Json) -> Answer<Snapshot> {
        let swapped = async { settings::compare_and_swap(&self.call, &revision, document("values", &values)?).await }.await;
        answer(&self.call, swapped.map(Into::into))
    }
}
