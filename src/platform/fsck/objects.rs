//! Rows of experiment files, and their bytes.

use std::collections::{HashMap, HashSet};

use futures_util::TryStreamExt as _;
use mint_context::Result;
use mint_store::objects::{self, Located};
use sha2::{Digest as _, Sha256};

use super::{Finding, Fsck, Thoroughness};

impl Fsck {
    pub(super) async fn objects(&mut self) -> Result<()> {
        let mut tx = self.services.db.read().await?;
        let rows = objects::located(&mut tx).await?;
        let marked: HashSet<String> = objects::marked(&mut tx, i64::MAX).await?.into_iter().collect();
        drop(tx);
        let stored: Vec<_> = self.services.blobs.list().try_collect().await?;
        let sizes: HashMap<String, u64> = stored.into_iter().map(|blob| (blob.name, blob.size)).collect();
        let named: HashSet<&str> = rows.iter().map(|row| row.blob.as_str()).collect();
        for row in &rows {
            self.object(row, sizes.get(&row.blob).copied()).await?;
        }
        for name in sizes.keys().filter(|name| !named.contains(name.as_str()) && !marked.contains(*name)) {
            let finding = Finding::mendable("blob", name, "no row names it", "removed");
            let (blobs, name) = (self.services.blobs.clone(), name.clone());
            self.mend(finding, async move { blobs.delete(&name).await }).await?;
        }
        for name in marked.iter().filter(|name| named.contains(name.as_str())) {
            let finding =
                Finding::mendable("blob", name, "it is marked for deletion, and a row names it", "the mark was removed");
            let (services, name) = (self.services.clone(), name.clone());
            self.mend(finding, async move {
                let mut tx = services.db.begin().await?;
                objects::unmark(&mut tx, &name).await?;
                Ok(tx.commit().await?)
            })
            .await?;
        }
        Ok(())
    }

    async fn object(&mut self, row: &Located, size: Option<u64>) -> Result<()> {
        let name = format!("experiment {}, {}, {}", row.experiment_id, row.plugin, row.key);
        let Some(size) = size else {
            let finding = Finding::mendable("object", name, "its bytes are gone", "its row was removed");
            let (services, row) = (self.services.clone(), row.clone());
            return self
                .mend(finding, async move {
                    let mut tx = services.db.begin().await?;
                    objects::forget(&mut tx, row.id, &row.blob).await?;
                    Ok(tx.commit().await?)
                })
                .await;
        };
        if size != row.size.unsigned_abs() {
            let problem = format!("it has {size} bytes, and had {} when it was put", row.size);
            self.findings.push(Finding::lasting("object", name, problem));
        } else if self.thoroughness == Thoroughness::Contents && self.hash(&row.blob).await? != row.sha256 {
            self.findings.push(Finding::lasting("object", name, "its bytes are not those that were put"));
        }
        Ok(())
    }

    async fn hash(&self, blob: &str) -> Result<String> {
        let mut hash = Sha256::new();
        let mut stream = std::pin::pin!(self.services.blobs.read(blob).await?);
        while let Some(chunk) = stream.try_next().await? {
            hash.update(&chunk);
        }
        Ok(hex::encode(hash.finalize()))
    }
}
