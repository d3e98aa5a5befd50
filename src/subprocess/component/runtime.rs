//! Shared mode for bundles that have pure wheels only.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use mint_context::runtime::{Activation, Generation, Migrations, Release, Runtime};
use mint_domain::{Grants, lifecycle::Failure};

use super::Workshop;

/// Runs components, and makes those that a bundle lacks of its wheels.
#[derive(Debug)]
pub struct ComponentRuntime {
    components: Arc<dyn Runtime>,
    /// None where an administrator wants none to be made.
    workshop: Option<Workshop>,
}

impl ComponentRuntime {
    pub(crate) fn new(components: Arc<dyn Runtime>, workshop: Option<Workshop>) -> Self {
        Self { components, workshop }
    }

    async fn complete(&self, release: &Release) -> Result<Release, Failure> {
        match &self.workshop {
            Some(workshop) => workshop.complete(release).await,
            None => Ok(release.clone()),
        }
    }
}

#[async_trait]
impl Runtime for ComponentRuntime {
    async fn makes_components(&self) -> Result<(), String> {
        match &self.workshop {
            Some(workshop) => workshop.open().await.map_err(|failure| failure.reason),
            None => Err("The configuration wants none to be made (plugins.components.make).".to_owned()),
        }
    }

    async fn stage(&self, release: &Release, grants: &Grants) -> Result<(), Failure> {
        self.components.stage(&self.complete(release).await?, grants).await
    }

    async fn tidy(&self, unused_for: Duration) -> std::io::Result<usize> {
        // What was made of wheels stands with the other things of isolated mode, whose runtime tidies them.
        self.components.tidy(unused_for).await
    }

    async fn migrations(&self, activation: Activation) -> Result<Option<Box<dyn Migrations>>, Failure> {
        let release = Arc::new(self.complete(&activation.release).await?);
        self.components.migrations(Activation { release, ..activation }).await
    }

    async fn start(&self, activation: Activation) -> Result<Arc<dyn Generation>, Failure> {
        // The cache may have been emptied since the release was staged.
        let release = Arc::new(self.complete(&activation.release).await?);
        self.components.start(Activation { release, ..activation }).await
    }
}
