//! Design data: one document for each experiment, owned by the plugin that saved it first.

use mint_domain::{Capability, ExperimentId, Kind, Refusal, policy::Write};
use mint_store::designs;
use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::{Call, Result, experiments, followers::SaveEvent, results::check_document, schema};

/// A design, with the keys of the compatibility document.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Design {
    /// Identifier.
    pub id: i64,
    /// Its experiment.
    pub experiment_id: i64,
    /// Slug of the plugin that owns it.
    pub plugin_id: String,
    /// The document.
    pub data: Value,
    /// Version of the document's schema.
    pub schema_version: String,
    /// When it was first saved.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was last saved.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

impl From<designs::Design> for Design {
    fn from(row: designs::Design) -> Self {
        Self {
            id: row.id,
            experiment_id: row.experiment_id.0,
            plugin_id: row.plugin,
            data: row.data,
            schema_version: row.schema_version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// The design of an experiment, whoever owns it.
///
/// # Errors
/// `NOT_FOUND`, `PERMISSION_DENIED`.
pub async fn load(call: &Call, experiment: ExperimentId) -> Result<Design> {
    let _permit = call.permit_plugin(&Capability::ExperimentsRead)?;
    let mut tx = call.services.db.read().await?;
    experiments::require(&mut tx, call, experiment).await?;
    designs::get(&mut tx, call.tenant, experiment)
        .await?
        .map(Into::into)
        .ok_or_else(|| Refusal::new(Kind::NotFound, "NOT_FOUND", format!("Experiment {experiment} has no design data.")).into())
}

/// Saves the plugin's design of an experiment, after asking whoever follows, and tells them.
///
/// # Errors
/// `DESIGN_DATA_OWNERSHIP_CONFLICT`, `EXPERIMENT_TYPE_NOT_ALLOWED`, `VALIDATION_ERROR` from the plugin's `design_schema`, `EVENT_VETO`, `NOT_FOUND`,
/// `PERMISSION_DENIED`.
pub async fn save(call: &Call, experiment: ExperimentId, data: Value, schema_version: Option<&str>) -> Result<Design> {
    let _permit = call.permit_plugin(&Capability::DesignsWrite)?;
    let _permit = call.permit_write(Write::Design)?;
    let plugin = call.through_plugin()?;
    let slug = plugin.slug();
    refuse_foreign(call, experiment).await?;
    let event = SaveEvent { experiment, plugin: slug.clone(), data };
    let data = call.services.followers.before_save(call, event).await?;
    check_document(call, "design", &data)?;
    if let Some(design_schema) = &plugin.manifest.design_schema {
        schema::check(design_schema, &data, "design")?;
    }
    let mut tx = call.services.db.begin().await?;
    experiments::require_writable(&mut tx, call, experiment).await?;
    let now = call.services.clock.now();
    let row =
        designs::upsert(&mut tx, call.tenant, experiment, slug.as_str(), &data, schema_version.unwrap_or("1.0"), now).await?;
    tx.commit().await?;
    let Some(row) = row else {
        // Another plugin was quicker than the check above; say whose it is.
        refuse_foreign(call, experiment).await?;
        return Err(Refusal::conflict("design", "plugin_id", "The design changed meanwhile. Load it again.").into());
    };
    call.services.followers.after_save(call, SaveEvent { experiment, plugin: slug.clone(), data }).await;
    Ok(row.into())
}

/// Deletes the plugin's design. False when there was none.
///
/// # Errors
/// `DESIGN_DATA_OWNERSHIP_CONFLICT`, `PERMISSION_DENIED`.
pub async fn delete(call: &Call, experiment: ExperimentId) -> Result<bool> {
    let _permit = call.permit_plugin(&Capability::DesignsWrite)?;
    let _permit = call.permit_write(Write::Design)?;
    let plugin = call.through_plugin()?;
    refuse_foreign(call, experiment).await?;
    let mut tx = call.services.db.begin().await?;
    let deleted = designs::delete(&mut tx, call.tenant, experiment, plugin.slug().as_str()).await?;
    tx.commit().await?;
    Ok(deleted)
}

/// Passes if the actor may work on the experiment, and its design is not another plugin's.
async fn refuse_foreign(call: &Call, experiment: ExperimentId) -> Result<()> {
    let requested = call.through_plugin()?.slug();
    let mut tx = call.services.db.read().await?;
    experiments::require_editable(&mut tx, call, experiment).await?;
    match designs::get(&mut tx, call.tenant, experiment).await? {
        Some(design) if design.plugin != requested.as_str() => Err(Refusal::new(
            Kind::Conflict,
            "DESIGN_DATA_OWNERSHIP_CONFLICT",
            format!("The design of experiment {experiment} belongs to plugin `{}`.", design.plugin),
        )
        .with(json!({
            "experiment_id": experiment.0,
            "current_owner_plugin_id": design.plugin,
            "requested_owner_plugin_id": requested,
        }))
        .into()),
        Some(_) | None => Ok(()),
    }
}
