//! The whole look.

use std::{sync::Arc, time::Duration};

use mint_context::{Result, Services};
use mint_domain::Refusal;
use mint_store::{replicas, tables};

use super::Finding;
use crate::layout::Layout;

/// A server that said something in this time may be writing what has no row yet.
const SILENCE: Duration = crate::replicas::SILENCE_MAX;

/// How much is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thoroughness {
    /// Names and sizes of experiment files, everything of the rest.
    Sizes,
    /// Every byte.
    Contents,
}

/// A look at the data of the platform.
#[derive(Debug)]
pub struct Fsck {
    pub(super) services: Arc<Services>,
    pub(super) layout: Layout,
    pub(super) thoroughness: Thoroughness,
    pub(super) repair: bool,
    pub(super) findings: Vec<Finding>,
}

impl Fsck {
    /// A look at these data; with `repair`, what can be mended is.
    pub fn new(services: Arc<Services>, layout: Layout, thoroughness: Thoroughness, repair: bool) -> Self {
        Self { services, layout, thoroughness, repair, findings: Vec::new() }
    }

    /// Looks at everything.
    ///
    /// # Errors
    /// `CONFLICT` while a server works on these data; that the database or the storage does not answer.
    pub async fn run(mut self) -> Result<Vec<Finding>> {
        let then = self.services.clock.now() - SILENCE;
        if let Some(server) = replicas::since(&mut self.services.db.read().await?, then).await?.first() {
            let message = format!("The server at {} works on these data. End all servers first.", server.address);
            return Err(Refusal::conflict("fsck", "replica", message).into());
        }
        for problem in self.services.db.problems().await? {
            self.findings.push(Finding::lasting("database", "mint.sqlite", problem));
        }
        self.releases().await?;
        self.objects().await?;
        self.snapshots().await?;
        self.tables().await?;
        self.files_home().await?;
        self.archives().await?;
        for (file, problem) in tables::damaged(self.layout.plugin_tables()).await? {
            self.findings.push(Finding::lasting("tables", file.display().to_string(), problem));
        }
        Ok(self.findings)
    }

    /// Notes something that can be mended, and mends it where that is wanted.
    pub(super) async fn mend(&mut self, finding: Finding, remedy: impl Future<Output = Result<()>>) -> Result<()> {
        let finding = match self.repair {
            true => {
                remedy.await?;
                finding.done()
            }
            false => finding,
        };
        self.findings.push(finding);
        Ok(())
    }
}
