//! Snapshots, and their archives.

use std::collections::HashSet;

use futures_util::TryStreamExt as _;
use mint_context::Result;
use mint_store::snapshots::{self, Archive};

use super::{Finding, Fsck, files::digest};

impl Fsck {
    pub(super) async fn snapshots(&mut self) -> Result<()> {
        let rows = snapshots::archives(&mut self.services.db.read().await?).await?;
        let stored: Vec<_> = self.services.snapshots.list().try_collect().await?;
        let stored: HashSet<String> = stored.into_iter().map(|archive| archive.name).collect();
        for row in &rows {
            self.snapshot(row, stored.contains(&row.file)).await?;
        }
        let named: HashSet<&str> = rows.iter().map(|row| row.file.as_str()).collect();
        for name in stored.iter().filter(|name| !named.contains(name.as_str())) {
            let finding = Finding::mendable("snapshot", name, "no row names its archive", "removed");
            let (archives, name) = (self.services.snapshots.clone(), name.clone());
            self.mend(finding, async move { archives.delete(&name).await }).await?;
        }
        Ok(())
    }

    async fn snapshot(&mut self, row: &Archive, is_there: bool) -> Result<()> {
        let name = format!("snapshot {}", row.id);
        if !is_there {
            let finding = Finding::mendable("snapshot", name, "its archive is gone", "its row was removed");
            let (services, row) = (self.services.clone(), row.clone());
            return self
                .mend(finding, async move {
                    let mut tx = services.db.begin().await?;
                    snapshots::forget(&mut tx, &row).await?;
                    Ok(tx.commit().await?)
                })
                .await;
        }
        let scratch = self.scratch()?;
        let file = scratch.path().join("archive");
        self.services.snapshots.get_file(&row.file, &file).await?;
        if digest(&file)? != row.sha256 {
            self.findings.push(Finding::lasting("snapshot", name, "its archive was changed"));
        }
        Ok(())
    }
}
