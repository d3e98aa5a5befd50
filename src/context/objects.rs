//! Files of experiments, streamed.

use bytes::Bytes;
use futures_util::Stream;
use mint_domain::{Capability, ExperimentId, Kind, ObjectKey, Refusal, Slug, limit::Limit};
use mint_store::{
    artifacts,
    objects::{self, NewObject, PLATFORM_OWNER},
};
use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::{Call, Error, Result, blobs::BlobWriter, experiments, file_results::writable_owner};

/// Most characters of a file's name.
const FILENAME_LENGTH_MAX: usize = 255;

/// What is known of a file.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct ObjectInfo {
    /// `mint-object://experiments/{id}/plugins/{plugin}/{key}`.
    pub uri: String,
    /// Its experiment.
    pub experiment_id: i64,
    /// Slug of the plugin that put it, or `platform` for a person's upload.
    pub plugin_id: String,
    /// Its name within (experiment, plugin).
    pub key: String,
    /// Its name where it came from, else the last part of the key.
    pub filename: Option<String>,
    /// Media type.
    pub content_type: Option<String>,
    /// Bytes.
    pub size: u64,
    /// A JSON object of texts.
    pub metadata: Value,
    /// SHA-256 of the bytes in hexadecimal.
    pub sha256: String,
    /// When it was put.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

/// A file being written. Dropped without [`ObjectWriter::finish`], it leaves nothing behind.
#[derive(Debug)]
pub struct ObjectWriter {
    call: Call,
    experiment: ExperimentId,
    owner: String,
    key: ObjectKey,
    filename: Option<String>,
    content_type: Option<String>,
    metadata: Value,
    blob: BlobWriter,
    bytes_max: u64,
    limit: &'static str,
    /// Whether a file of the same key may go.
    replaces: bool,
    /// Most bytes of all files of the owner, where that is limited.
    total_bytes_max: Option<u64>,
}

impl From<objects::Object> for ObjectInfo {
    fn from(row: objects::Object) -> Self {
        Self {
            uri: format!("mint-object://experiments/{}/plugins/{}/{}", row.experiment_id, row.plugin, row.key),
            experiment_id: row.experiment_id.0,
            plugin_id: row.plugin,
            filename: Some(row.filename.unwrap_or_else(|| row.key.filename().to_owned())),
            key: row.key.into(),
            content_type: row.content_type,
            size: row.size.unsigned_abs(),
            metadata: row.metadata,
            sha256: row.sha256,
            created_at: row.created_at,
        }
    }
}

/// Files whose key begins with `prefix`, by key: people's uploads and the plugin's own. A person sees everybody's.
///
/// # Errors
/// `NOT_FOUND` for the experiment, `PERMISSION_DENIED`.
pub async fn list(call: &Call, experiment: ExperimentId, prefix: &str) -> Result<Vec<ObjectInfo>> {
    let _permit = call.permit_plugin(&Capability::Objects)?;
    let mut tx = call.services.db.read().await?;
    experiments::require(&mut tx, call, experiment).await?;
    let rows = objects::list(&mut tx, call.tenant, experiment).await?;
    let readable = |row: &objects::Object| match &call.plugin {
        None => true,
        Some(plugin) => row.plugin == PLATFORM_OWNER || row.plugin == plugin.slug().as_str(),
    };
    Ok(rows.into_iter().filter(|row| readable(row) && row.key.as_str().starts_with(prefix)).map(Into::into).collect())
}

/// Files of `owner` whose key begins with `prefix`, by key, where that may be read.
///
/// # Errors
/// `NOT_FOUND` for the experiment, `PERMISSION_DENIED`.
pub async fn list_of(call: &Call, experiment: ExperimentId, owner: &Slug, prefix: &str) -> Result<Vec<ObjectInfo>> {
    let _permit = call.permit_plugin(&Capability::Objects)?;
    permit_owner(call, owner)?;
    let mut tx = call.services.db.read().await?;
    experiments::require(&mut tx, call, experiment).await?;
    let rows = objects::list(&mut tx, call.tenant, experiment).await?;
    let wanted = |row: &objects::Object| row.plugin == owner.as_str() && row.key.as_str().starts_with(prefix);
    Ok(rows.into_iter().filter(wanted).map(Into::into).collect())
}

/// One file: the plugin's own, else a person's upload of the same key; or of `owner` where that may be read.
///
/// # Errors
/// `NOT_FOUND`, `PERMISSION_DENIED`.
pub async fn info(call: &Call, experiment: ExperimentId, owner: Option<&Slug>, key: &str) -> Result<ObjectInfo> {
    find(call, experiment, owner, key).await.map(Into::into)
}

/// Whether there is such a file. The choice of the file is that of [`info`].
///
/// # Errors
/// `PERMISSION_DENIED`.
pub async fn exists(call: &Call, experiment: ExperimentId, owner: Option<&Slug>, key: &str) -> Result<bool> {
    match find(call, experiment, owner, key).await {
        Ok(_) => Ok(true),
        Err(Error::Refused(refusal)) if refusal.kind == Kind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// The bytes of one file, with what is known of it. The choice of the file is that of [`info`].
///
/// # Errors
/// `NOT_FOUND`, `PERMISSION_DENIED`; the storage's also in the stream.
pub async fn get(
    call: &Call,
    experiment: ExperimentId,
    owner: Option<&Slug>,
    key: &str,
) -> Result<(ObjectInfo, impl Stream<Item = Result<Bytes>> + Send + use<>)> {
    let row = find(call, experiment, owner, key).await?;
    let stream = call.services.blobs.read(&row.blob).await?;
    Ok((row.into(), stream))
}

/// Begins to write a file, as the plugin's own or as a person's upload.
///
/// # Errors
/// `NOT_FOUND` for the experiment, `VALIDATION_ERROR`, `QUOTA_EXCEEDED`, `PERMISSION_DENIED`.
pub async fn put(
    call: &Call,
    experiment: ExperimentId,
    key: &str,
    content_type: Option<String>,
    metadata: Value,
) -> Result<ObjectWriter> {
    let _permit = call.permit_plugin(&Capability::Objects)?;
    let mut tx = call.services.db.read().await?;
    experiments::require_editable(&mut tx, call, experiment).await?;
    let key: ObjectKey = key.parse().map_err(|e| Refusal::invalid(format!("{e}")).with(json!({ "field": "key" })))?;
    if content_type.as_deref().is_some_and(|text| text.len() > 255 || text.chars().any(char::is_control)) {
        return Err(Refusal::invalid("A content type has at most 255 bytes and no control characters.").into());
    }
    if !metadata.as_object().is_some_and(|map| map.values().all(Value::is_string)) {
        return Err(Refusal::invalid("Object metadata must be a JSON object of texts.").into());
    }
    let limits = call.limits();
    let (owner, bytes_max, limit) = match &call.plugin {
        Some(plugin) => {
            let used = objects::bytes_of(&mut tx, call.tenant, plugin.slug().as_str()).await?;
            (plugin.slug().as_str(), limits.objects_bytes_max.saturating_sub(used), "objects_bytes_max")
        }
        None => (PLATFORM_OWNER, limits.request_body_bytes_max, "request_body_bytes_max"),
    };
    let blob = call.services.blobs.write(call.tenant);
    Ok(ObjectWriter {
        call: call.clone(),
        experiment,
        owner: owner.to_owned(),
        key,
        filename: None,
        content_type,
        metadata,
        blob,
        bytes_max,
        limit,
        replaces: true,
        total_bytes_max: call.plugin.as_ref().map(|_| limits.objects_bytes_max),
    })
}

/// Begins to write a file of another plugin, where that may be done. A file that is there is not replaced.
///
/// # Errors
/// As [`put`]; `CONFLICT` for a key that is taken.
pub async fn put_for(
    call: &Call,
    experiment: ExperimentId,
    owner: &Slug,
    key: &str,
    content_type: Option<String>,
    metadata: Value,
) -> Result<ObjectWriter> {
    let owner = writable_owner(call, Some(owner))?;
    let writer = put(call, experiment, key, content_type, metadata).await?;
    if call.through_plugin()?.slug() == &owner {
        return Ok(writer);
    }
    let mut tx = call.services.db.read().await?;
    if objects::get(&mut tx, call.tenant, experiment, owner.as_str(), key).await?.is_some() {
        return Err(taken(key).into());
    }
    Ok(ObjectWriter { owner: owner.into(), replaces: false, total_bytes_max: None, ..writer })
}

/// Deletes a file of another plugin, where that may be done and none of its results refers to it. False when there was none.
///
/// # Errors
/// `CONFLICT` for a file that is referred to, `PERMISSION_DENIED`.
pub async fn delete_for(call: &Call, experiment: ExperimentId, owner: &Slug, key: &str) -> Result<bool> {
    let _permit = call.permit_plugin(&Capability::Objects)?;
    let owner = writable_owner(call, Some(owner))?;
    let mut tx = call.services.db.begin().await?;
    experiments::require_editable(&mut tx, call, experiment).await?;
    if call.through_plugin()?.slug() != &owner
        && artifacts::refers_to(&mut tx, call.tenant, experiment, owner.as_str(), key).await?
    {
        return Err(Refusal::conflict("object", "key", format!("A result of `{owner}` refers to the file `{key}`.")).into());
    }
    let deleted = objects::delete(&mut tx, call.tenant, experiment, owner.as_str(), key, call.services.clock.now()).await?;
    tx.commit().await?;
    Ok(deleted)
}

/// Deletes one of the plugin's files, or a person's upload. False when there was none.
///
/// # Errors
/// `PERMISSION_DENIED`.
pub async fn delete(call: &Call, experiment: ExperimentId, key: &str) -> Result<bool> {
    let _permit = call.permit_plugin(&Capability::Objects)?;
    let owner = call.plugin.as_ref().map_or(PLATFORM_OWNER, |plugin| plugin.slug().as_str());
    let mut tx = call.services.db.begin().await?;
    experiments::require_editable(&mut tx, call, experiment).await?;
    let deleted = objects::delete(&mut tx, call.tenant, experiment, owner, key, call.services.clock.now()).await?;
    tx.commit().await?;
    Ok(deleted)
}

/// Deletes blobs that no row names any more, a few at a time. Gives how many were deleted.
///
/// # Errors
/// The database's or the storage's; what was deleted stays deleted, the rest is tried again.
pub async fn sweep(services: &crate::Services) -> Result<usize> {
    let marked = objects::marked(&mut services.db.read().await?, 100).await?;
    for blob in &marked {
        services.blobs.delete(blob).await?;
        let mut tx = services.db.begin().await?;
        objects::unmark(&mut tx, blob).await?;
        tx.commit().await?;
    }
    Ok(marked.len())
}

async fn find(call: &Call, experiment: ExperimentId, owner: Option<&Slug>, key: &str) -> Result<objects::Object> {
    let _permit = call.permit_plugin(&Capability::Objects)?;
    let candidates: Vec<&str> = match (&call.plugin, owner) {
        (Some(plugin), None) => vec![plugin.slug().as_str(), PLATFORM_OWNER],
        (Some(_), Some(other)) => {
            permit_owner(call, other)?;
            vec![other.as_str()]
        }
        (None, owner) => vec![owner.map_or(PLATFORM_OWNER, Slug::as_str)],
    };
    let mut tx = call.services.db.read().await?;
    experiments::require(&mut tx, call, experiment).await?;
    for candidate in candidates {
        if let Some(row) = objects::get(&mut tx, call.tenant, experiment, candidate, key).await? {
            return Ok(row);
        }
    }
    Err(Refusal::not_found("object", format!("`{key}` on experiment {experiment}")).into())
}

/// Passes if the plugin, where there is one, may read the files of `owner`.
fn permit_owner(call: &Call, owner: &Slug) -> Result<(), Refusal> {
    match &call.plugin {
        Some(plugin) if plugin.slug() != owner && owner.as_str() != PLATFORM_OWNER && !plugin.grants().read_results_of(owner) => {
            let capability = Capability::ResultsReadOthers(owner.clone());
            let message = format!("Reading the files of `{owner}` needs the grant `{capability}`.");
            Err(Refusal::denied(&capability.to_string(), message))
        }
        Some(_) | None => Ok(()),
    }
}

fn taken(key: &str) -> Refusal {
    Refusal::conflict("object", "key", format!("There is a file `{key}` already."))
}

impl ObjectWriter {
    /// Notes the name that the file has where it comes from, if it is one: without directories, 1 to 255 characters.
    pub fn named(&mut self, filename: &str) {
        let name = filename.rsplit(['/', '\\']).next().unwrap_or_default().trim();
        let is_name = !name.is_empty() && name.chars().count() <= FILENAME_LENGTH_MAX && !name.chars().any(char::is_control);
        self.filename = (is_name && name != self.key.filename()).then(|| name.to_owned());
    }

    /// Adds bytes, waiting while the storage is slower.
    ///
    /// # Errors
    /// `QUOTA_EXCEEDED` as soon as the file would be too big; the storage's.
    pub async fn write(&mut self, bytes: Bytes) -> Result<()> {
        if self.blob.size() + bytes.len() as u64 > self.bytes_max {
            let message = format!("No more than {} further bytes may be stored here.", self.bytes_max);
            return Err(Refusal::quota(self.limit, message).into());
        }
        self.blob.write(bytes).await
    }

    /// Makes the file visible, in the place of one of the same key.
    ///
    /// # Errors
    /// `NOT_FOUND` when the experiment was deleted meanwhile; `QUOTA_EXCEEDED`; the storage's.
    pub async fn finish(self) -> Result<ObjectInfo> {
        let Self {
            call, experiment, owner, key, filename, content_type, metadata, blob, replaces, total_bytes_max, limit, ..
        } = self;
        let written = blob.finish().await?;
        let recorded = async {
            let mut tx = call.services.db.begin().await?;
            experiments::require_editable(&mut tx, &call, experiment).await?;
            if !replaces && objects::get(&mut tx, call.tenant, experiment, &owner, key.as_str()).await?.is_some() {
                return Err(taken(key.as_str()).into());
            }
            let new = NewObject {
                plugin: &owner,
                key: &key,
                filename: filename.as_deref(),
                content_type: content_type.as_deref(),
                metadata: &metadata,
                size: i64::try_from(written.size).unwrap_or(i64::MAX),
                sha256: &written.sha256,
                blob: &written.name,
                created_by: call.actor.user().map(|user| user.id.0),
            };
            let row = objects::replace(&mut tx, call.tenant, experiment, &new, call.services.clock.now()).await?;
            // Others may have been written at the same time.
            if let Some(max) = total_bytes_max
                && objects::bytes_of(&mut tx, call.tenant, &owner).await? > max
            {
                return Err(Refusal::quota(limit, format!("All files together would have more than {max} bytes.")).into());
            }
            if let Some(plugin) = &call.plugin {
                plugin.meters.set(Limit::objects_bytes_max, objects::bytes_of(&mut tx, call.tenant, &owner).await?);
            }
            tx.commit().await?;
            Ok(ObjectInfo::from(row))
        };
        let recorded: Result<_> = recorded.await;
        if recorded.is_err()
            && let Err(error) = call.services.blobs.delete(&written.name).await
        {
            tracing::warn!(blob = written.name, error = %error, "a blob that no row names could not be deleted");
        }
        recorded
    }
}
