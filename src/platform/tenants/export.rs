//! All that a laboratory has, in one file: its rows as they were at one moment, and the bytes of its files. What plugins keep in
//! tables and directories of their own is in their snapshots.

use std::{
    collections::{BTreeMap, HashSet},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::TryStreamExt as _;
use mint_bundle::archive::{ArchiveWriter, EXPORT, Written};
use mint_context::{Result, secrets::shown};
use mint_domain::{Kind, Permission, Refusal, Slug, TenantId};
use mint_store::{
    audit,
    export::{self, BLOB, OBJECTS, PLUGINS, TABLES},
    tables::saved::{Part, Parts},
};
use serde::Serialize;
use serde_json::{Value, json};
use tempfile::TempDir;
use time::OffsetDateTime;
use tokio::{
    fs::File,
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, BufWriter},
    sync::mpsc,
};

use crate::{
    Caller, Platform,
    snapshots::{blocking, refused},
};

/// Rows, and pieces of files, on their way to the disk.
const PIECES: usize = 16;
/// Where the bytes of files stand in an export.
const FILES: &str = "files/";
/// Names of files that are told one by one where they were deleted meanwhile.
const MISSING_MAX: usize = 1_000;

/// Laboratories of which an export is being made or fetched here.
#[derive(Debug, Default)]
pub struct Exports(Mutex<HashSet<TenantId>>);

/// An export, which goes when this is dropped.
#[derive(Debug)]
pub struct Export {
    /// The file.
    pub path: PathBuf,
    /// Its digest and its bytes.
    pub written: Written,
    _directory: TempDir,
    _turn: Turn,
}

/// What an export says of itself.
#[derive(Debug, Serialize)]
struct About {
    laboratory: Slug,
    #[serde(with = "time::serde::rfc3339")]
    exported_at: OffsetDateTime,
    exported_by: String,
    /// Rows, by what they are of.
    rows: BTreeMap<&'static str, u64>,
    /// Entries of files that were deleted after the rows were read, and how many there are.
    missing: Vec<String>,
    missing_count: u64,
}

#[derive(Debug)]
struct Turn {
    platform: Arc<Platform>,
    tenant: TenantId,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.platform.exports().0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.tenant);
    }
}

impl Platform {
    /// Writes all that the caller's laboratory has into a file; one at a time.
    ///
    /// # Errors
    /// `PERMISSION_DENIED` for all but its administrators; `rate_limit.exceeded` while another one is made or fetched;
    /// `plugin.no_room`.
    pub async fn export_laboratory(self: &Arc<Self>, caller: &Caller) -> Result<Export> {
        let user = caller.actor.user().filter(|user| user.is_admin() && Permission::ALL.iter().all(|one| caller.actor.may(*one)));
        let user = user.ok_or_else(|| {
            let message =
                "Only an administrator of the laboratory exports it, by a session or by a token that may do all that they may.";
            Refusal::denied(Permission::UsersManage.as_str(), message)
        })?;
        let turn = self.begin_export(caller.tenant)?;
        let directory = tempfile::Builder::new().prefix("export-").tempdir_in(self.layout().uploads())?;
        let path = directory.path().join("export.zip");
        let (parts, received) = mpsc::channel(PIECES);
        let target = path.clone();
        let writing = blocking(move || receive(&target, received));
        let (writer, about) = tokio::join!(writing, self.gather(caller, &user.username, directory.path(), parts));
        // Why it was not written is the cause of why nothing more was handed out.
        let (writer, about) = (writer?.map_err(refused)?, about?);
        let rows = json!(about.rows);
        let written = blocking(move || writer.finish(about)).await?.map_err(refused)?;
        self.note_export(caller, &json!({ "rows": rows, "bytes": written.bytes, "digest": written.digest })).await?;
        Ok(Export { path, written, _directory: directory, _turn: turn })
    }

    fn begin_export(self: &Arc<Self>, tenant: TenantId) -> Result<Turn, Refusal> {
        if !self.exports().0.lock().unwrap_or_else(PoisonError::into_inner).insert(tenant) {
            let message = "An export of this laboratory is being made or fetched at this server. Try again when it has ended.";
            return Err(Refusal::new(Kind::QuotaExceeded, "rate_limit.exceeded", message).retry_after(30));
        }
        Ok(Turn { platform: self.clone(), tenant })
    }

    async fn gather(&self, caller: &Caller, username: &str, scratch: &Path, parts: Parts) -> Result<About> {
        let mut about = About {
            laboratory: caller.tenant_slug.clone(),
            exported_at: self.services().clock.now(),
            exported_by: username.to_owned(),
            rows: BTreeMap::new(),
            missing: Vec::new(),
            missing_count: 0,
        };
        let names = scratch.join("names");
        let mut blobs = BufWriter::new(File::create(&names).await?);
        let mut tx = self.services().db.read_at_one_moment().await?;
        for table in TABLES {
            send(&parts, Part::Entry(format!("{}.jsonl", table.name))).await?;
            let (sender, received) = mpsc::channel(PIECES);
            let reading = async {
                let read = export::rows(&mut tx, caller.tenant, table, &sender).await;
                drop(sender);
                read
            };
            let writing = async {
                // Gone with this, so that whoever reads is not left waiting.
                let (mut received, mut count) = (received, 0_u64);
                while let Some(row) = received.recv().await {
                    let row = fit(table.name, row);
                    if table.name == OBJECTS
                        && let Some(entry) = row.get(BLOB).and_then(Value::as_str)
                    {
                        blobs.write_all(format!("{entry}\n").as_bytes()).await?;
                    }
                    send(&parts, Part::Bytes(format!("{row}\n").into_bytes())).await?;
                    count += 1;
                }
                Ok::<_, mint_context::Error>(count)
            };
            let (read, written) = tokio::join!(reading, writing);
            read?;
            about.rows.insert(table.name, written?);
        }
        drop(tx);
        blobs.flush().await?;
        drop(blobs);
        self.gather_files(&names, &parts, &mut about).await?;
        Ok(about)
    }

    /// Bytes never change under a name, so that they are read when the rows are.
    async fn gather_files(&self, names: &Path, parts: &Parts, about: &mut About) -> Result<()> {
        let mut names = BufReader::new(File::open(names).await?).lines();
        while let Some(entry) = names.next_line().await? {
            let blob = entry.strip_prefix(FILES).unwrap_or(&entry);
            if self.services().blobs.find(blob).await?.is_none() {
                about.missing_count += 1;
                if about.missing.len() < MISSING_MAX {
                    about.missing.push(entry);
                }
                continue;
            }
            let mut bytes = std::pin::pin!(self.services().blobs.read(blob).await?);
            send(parts, Part::Entry(entry)).await?;
            while let Some(piece) = bytes.try_next().await? {
                send(parts, Part::Bytes(piece.to_vec())).await?;
            }
        }
        Ok(())
    }

    async fn note_export(&self, caller: &Caller, details: &Value) -> Result<()> {
        let entry = audit::Entry {
            actor: &caller.actor.label(),
            action: "laboratory.export",
            entity: &format!("laboratory:{}", caller.tenant_slug),
            request_id: caller.request_id.as_str(),
            details,
        };
        let mut tx = self.services().db.begin().await?;
        audit::record(&mut tx, caller.tenant, &entry, self.services().clock.now()).await?;
        Ok(tx.commit().await?)
    }
}

/// A row as it goes out: with references in the place of secrets, and the name of an entry in that of a blob.
fn fit(table: &str, mut row: Value) -> Value {
    let Some(members) = row.as_object_mut() else { return row };
    let manifest = if table == PLUGINS { members.remove("manifest") } else { None };
    let schema = manifest.as_ref().and_then(|manifest| manifest.get("settings_schema"));
    for name in ["settings", "fields"] {
        if let Some(value) = members.get_mut(name) {
            *value = shown(schema, value, |_| false);
        }
    }
    if table == OBJECTS
        && let Some(Value::String(blob)) = members.get_mut(BLOB)
    {
        blob.insert_str(0, FILES);
    }
    row
}

/// Fails where nobody writes any more, which is told by whoever wrote.
async fn send(parts: &Parts, part: Part) -> Result<()> {
    parts.send(part).await.map_err(|_| std::io::Error::from(std::io::ErrorKind::BrokenPipe).into())
}

/// Writes what comes, until nothing comes any more.
fn receive(path: &Path, mut received: mpsc::Receiver<Part>) -> mint_bundle::Result<ArchiveWriter> {
    let mut writer = ArchiveWriter::create_as(path, EXPORT)?;
    while let Some(part) = received.blocking_recv() {
        match part {
            Part::Entry(name) => writer.entry(&name)?,
            Part::Bytes(bytes) => writer.write(&bytes)?,
        }
    }
    Ok(writer)
}
