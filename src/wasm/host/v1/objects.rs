//! `mint:platform/objects`.

use mint_context::objects;
use mint_domain::{ExperimentId, Refusal};
use serde_json::json;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream};

use super::{
    convert::{Answer, answer, timestamp},
    object_stream::{ObjectInput, ObjectOutput, Slot},
};
use crate::{
    bindings::mint::platform::{
        objects::{Host, HostWriter, ObjectInfo},
        types,
    },
    store::State,
};

/// The resource `writer`: an object that is being written.
#[derive(Debug)]
#[expect(unreachable_pub, reason = "the generated bindings export it under the name of the resource")]
pub struct Writer {
    slot: Slot,
    body_taken: bool,
}

impl From<objects::ObjectInfo> for ObjectInfo {
    fn from(info: objects::ObjectInfo) -> Self {
        Self {
            experiment_id: info.experiment_id,
            plugin_id: info.plugin_id,
            key: info.key,
            filename: info.filename,
            content_type: info.content_type,
            size: info.size,
            sha256: info.sha256,
            created_at: timestamp(info.created_at),
        }
    }
}

impl Host for State {
    async fn list(&mut self, experiment_id: types::Id, prefix: String) -> Answer<Vec<ObjectInfo>> {
        let found = objects::list(&self.call, ExperimentId(experiment_id), &prefix).await;
        answer(&self.call, found.map(|objects| objects.into_iter().map(Into::into).collect()))
    }

    async fn info(&mut self, experiment_id: types::Id, key: String) -> Answer<ObjectInfo> {
        answer(&self.call, objects::info(&self.call, ExperimentId(experiment_id), None, &key).await.map(Into::into))
    }

    async fn exists(&mut self, experiment_id: types::Id, key: String) -> Answer<bool> {
        answer(&self.call, objects::exists(&self.call, ExperimentId(experiment_id), None, &key).await)
    }

    async fn get(&mut self, experiment_id: types::Id, key: String) -> Answer<Resource<DynInputStream>> {
        match objects::get(&self.call, ExperimentId(experiment_id), None, &key).await {
            Ok((_, bytes)) => {
                let stream: DynInputStream = Box::new(ObjectInput::new(bytes));
                Ok(Ok(self.table.push(stream)?))
            }
            Err(error) => answer(&self.call, Err(error)),
        }
    }

    async fn put(&mut self, experiment_id: types::Id, key: String, content_type: Option<String>) -> Answer<Resource<Writer>> {
        match objects::put(&self.call, ExperimentId(experiment_id), &key, content_type, json!({})).await {
            Ok(writer) => Ok(Ok(self.table.push(Writer { slot: Slot::new(writer), body_taken: false })?)),
            Err(error) => answer(&self.call, Err(error)),
        }
    }

    async fn delete(&mut self, experiment_id: types::Id, key: String) -> Answer<bool> {
        answer(&self.call, objects::delete(&self.call, ExperimentId(experiment_id), &key).await)
    }
}

impl HostWriter for State {
    async fn body(&mut self, writer: Resource<Writer>) -> Answer<Resource<DynOutputStream>> {
        let writer = self.table.get_mut(&writer)?;
        if writer.body_taken {
            return answer(&self.call, Err(Refusal::invalid("The body of this object was taken before.").into()));
        }
        writer.body_taken = true;
        let stream: DynOutputStream = Box::new(ObjectOutput::new(writer.slot.clone()));
        Ok(Ok(self.table.push(stream)?))
    }

    async fn finish(&mut self, writer: Resource<Writer>) -> Answer<ObjectInfo> {
        let finished = match self.table.delete(writer)?.slot.take() {
            Ok(writer) => writer.finish().await,
            Err(error) => Err(error),
        };
        answer(&self.call, finished.map(Into::into))
    }

    async fn drop(&mut self, writer: Resource<Writer>) -> wasmtime::Result<()> {
        self.table.delete(writer)?;
        Ok(())
    }
}
