//! The laboratory's directory of instruments, and how each is doing.

use mint_domain::{Capability, InstrumentId, Permission, Refusal};
use mint_store::{Page, instruments};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use crate::{Call, Result, results::check_document, text};

/// Most parts of one instrument.
const COMPONENTS_MAX: usize = 100;

/// What is known of an instrument besides its name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
pub struct Details {
    /// Up to 4,000 characters.
    pub description: Option<String>,
    /// Free text, such as `orbitrap`.
    pub instrument_type: Option<String>,
    /// Who made it.
    pub manufacturer: Option<String>,
    /// Which model it is.
    pub model: Option<String>,
    /// Its serial number.
    pub serial_number: Option<String>,
    /// Where it stands.
    pub location: Option<String>,
    /// Its parts, up to 100.
    pub components: Vec<Component>,
}

/// A part of an instrument.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Component {
    /// What it is.
    pub kind: String,
    /// Its name.
    #[serde(default)]
    pub name: Option<String>,
    /// Who made it.
    #[serde(default)]
    pub manufacturer: Option<String>,
    /// Which model it is.
    #[serde(default)]
    pub model: Option<String>,
    /// Its serial number.
    #[serde(default)]
    pub serial_number: Option<String>,
}

/// A new instrument, or all of one that changes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Draft {
    /// Its id, where something refers to it already; by default a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<InstrumentId>,
    /// Name shown to people.
    pub name: String,
    /// What else is known of it.
    #[serde(flatten)]
    pub details: Details,
    /// Whether it is in use.
    #[serde(default = "yes")]
    pub is_active: bool,
}

/// An instrument, with the keys of the compatibility document.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Instrument {
    /// Identifier: a UUID.
    #[schema(value_type = String)]
    pub id: InstrumentId,
    /// Name shown to people.
    pub name: String,
    /// What else is known of it.
    #[serde(flatten)]
    pub details: Details,
    /// Whether it is in use.
    pub is_active: bool,
    /// When the record was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

/// What a monitor reports of an instrument.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// What the instrument does.
    pub state: InstrumentState,
    /// The method in use.
    #[serde(default)]
    pub active_method: Option<String>,
    /// The sample being measured.
    #[serde(default)]
    pub current_sample: Option<Value>,
    /// How far the sequence is.
    #[serde(default)]
    pub sequence_progress: Option<Value>,
    /// Whether there are alerts that nobody has seen.
    #[serde(default)]
    pub has_unacknowledged_alerts: bool,
    /// Whether one of them is critical.
    #[serde(default)]
    pub has_unacknowledged_critical: bool,
}

/// What an instrument does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InstrumentState {
    /// Nothing.
    Idle,
    /// It measures.
    Running,
    /// It waits.
    Standby,
    /// It can be reached.
    Connected,
    /// It cannot be reached.
    Disconnected,
    /// Something is wrong.
    Error,
}

/// A report as it was taken, with the keys of the compatibility document.
#[derive(Clone, Debug, Serialize)]
pub struct LiveStatus {
    /// The instrument.
    pub instrument_id: InstrumentId,
    /// What was reported.
    #[serde(flatten)]
    pub report: Report,
    /// When the report came.
    #[serde(with = "time::serde::rfc3339")]
    pub last_seen: OffsetDateTime,
    /// Since when the instrument is in its state.
    #[serde(with = "time::serde::rfc3339")]
    pub state_since: OffsetDateTime,
    /// Slug of the plugin that reported.
    pub reported_by: String,
    /// Where that plugin is found.
    pub reporter: Reporter,
}

/// A plugin that reports.
#[derive(Clone, Debug, Serialize)]
pub struct Reporter {
    /// Its slug.
    pub name: String,
    /// Its name shown to people.
    pub display_name: String,
    /// Where its routes stand, without `/api`.
    pub route_prefix: String,
    /// Whether it has MINT's routes for alerts.
    pub serves_instrument_alerts: bool,
}

fn yes() -> bool {
    true
}

impl From<instruments::Instrument> for Instrument {
    fn from(row: instruments::Instrument) -> Self {
        // Written by this file only; what cannot be read any more shows as nothing known.
        let details = serde_json::from_value(row.details).unwrap_or_default();
        Self {
            id: row.id,
            name: row.name,
            details,
            is_active: row.is_active,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// Instruments by name.
///
/// # Errors
/// `PERMISSION_DENIED`.
pub async fn list(call: &Call, active_only: bool) -> Result<Vec<Instrument>> {
    let _permit = call.permit(Permission::InstrumentsView, &Capability::InstrumentsRead)?;
    let mut tx = call.services.db.read().await?;
    let rows = instruments::list(&mut tx, call.tenant, active_only, Page::new(0, Page::LIMIT_MAX)).await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// One instrument.
///
/// # Errors
/// `NOT_FOUND`, `PERMISSION_DENIED`.
pub async fn get(call: &Call, id: &InstrumentId) -> Result<Instrument> {
    let _permit = call.permit(Permission::InstrumentsView, &Capability::InstrumentsRead)?;
    let mut tx = call.services.db.read().await?;
    instruments::get(&mut tx, call.tenant, id).await?.map(Into::into).ok_or_else(|| Refusal::not_found("instrument", id).into())
}

/// Makes an instrument.
///
/// # Errors
/// `VALIDATION_ERROR`, `CONFLICT` for an id that is taken, `PERMISSION_DENIED`.
pub async fn create(call: &Call, draft: Draft) -> Result<Instrument> {
    let _permit = call.permit(Permission::InstrumentsEdit, &Capability::InstrumentsWrite)?;
    let draft = draft.checked()?;
    let id = draft.id.unwrap_or_else(|| InstrumentId::from_bits(rand::random()));
    let now = call.services.clock.now();
    let mut tx = call.services.db.begin().await?;
    if instruments::get(&mut tx, call.tenant, &id).await?.is_some() {
        return Err(Refusal::conflict("instrument", "id", format!("There is an instrument {id} already.")).into());
    }
    let row = instruments::insert(&mut tx, call.tenant, &id, &draft.name, &json!(draft.details), draft.is_active, now).await?;
    tx.commit().await?;
    Ok(row.into())
}

/// Changes the fields that `changes` names; null empties one that may be empty.
///
/// # Errors
/// `VALIDATION_ERROR`, `NOT_FOUND`, `PERMISSION_DENIED`.
pub async fn update(call: &Call, id: &InstrumentId, changes: Map<String, Value>) -> Result<Instrument> {
    let _permit = call.permit(Permission::InstrumentsEdit, &Capability::InstrumentsWrite)?;
    let mut tx = call.services.db.begin().await?;
    let row = instruments::get(&mut tx, call.tenant, id).await?.ok_or_else(|| Refusal::not_found("instrument", id))?;
    let old = Instrument::from(row);
    let mut all = json!(Draft { id: None, name: old.name, details: old.details, is_active: old.is_active });
    for (field, value) in changes {
        match all.get_mut(&field) {
            Some(place) => *place = value,
            None => {
                return Err(Refusal::invalid(format!("An instrument has no field `{field}`."))
                    .with(json!({ "field": field }))
                    .into());
            }
        }
    }
    let draft: Draft = serde_json::from_value(all).map_err(|error| Refusal::invalid(format!("The change is wrong: {error}.")))?;
    let draft = draft.checked()?;
    let now = call.services.clock.now();
    let row = instruments::update(&mut tx, call.tenant, id, &draft.name, &json!(draft.details), draft.is_active, now).await?;
    tx.commit().await?;
    row.map(Into::into).ok_or_else(|| Refusal::not_found("instrument", id).into())
}

/// Stores how an instrument is doing, in the place of the last report.
///
/// # Errors
/// `NOT_FOUND`; `CONFLICT` for one that is not in use; `PERMISSION_DENIED` without a grant that names the instrument.
pub async fn report(call: &Call, id: &InstrumentId, report: Report) -> Result<LiveStatus> {
    let plugin = call.through_plugin()?;
    let _permit = call.permit_plugin(&Capability::InstrumentsReport(id.clone()))?;
    let status = json!(report);
    check_document(call, "report", &status)?;
    let mut tx = call.services.db.begin().await?;
    let known = instruments::get(&mut tx, call.tenant, id).await?.ok_or_else(|| Refusal::not_found("instrument", id))?;
    if !known.is_active {
        return Err(Refusal::conflict("instrument", "is_active", format!("Instrument {} is not in use.", known.name)).into());
    }
    let last = instruments::last_report(&mut tx, call.tenant, id).await?;
    let is_same_state = last.is_some_and(|last| last.get("state") == status.get("state"));
    let now = call.services.clock.now();
    let taken = instruments::report(&mut tx, call.tenant, id, plugin.slug().as_str(), &status, is_same_state, now).await?;
    tx.commit().await?;
    let taken = taken.ok_or_else(|| Refusal::not_found("instrument", id))?;
    let info = &plugin.manifest.plugin;
    let reporter = Reporter {
        name: info.slug.to_string(),
        display_name: if info.display_name.is_empty() { info.slug.to_string() } else { info.display_name.clone() },
        route_prefix: plugin.manifest.prefix().map(|prefix| prefix.as_str().to_owned()).unwrap_or_default(),
        serves_instrument_alerts: false,
    };
    Ok(LiveStatus {
        instrument_id: id.clone(),
        report,
        last_seen: taken.last_seen,
        state_since: taken.status_since,
        reported_by: info.slug.to_string(),
        reporter,
    })
}

impl Draft {
    fn checked(mut self) -> Result<Self, Refusal> {
        self.name = text::required("name", &self.name, 255)?;
        let details = &mut self.details;
        for (field, value, max) in [
            ("description", &mut details.description, 4_000),
            ("instrument_type", &mut details.instrument_type, 100),
            ("manufacturer", &mut details.manufacturer, 255),
            ("model", &mut details.model, 255),
            ("serial_number", &mut details.serial_number, 255),
            ("location", &mut details.location, 255),
        ] {
            *value = text::optional(field, value.as_deref(), max)?;
        }
        if details.components.len() > COMPONENTS_MAX {
            let message = format!("An instrument has at most {COMPONENTS_MAX} components.");
            return Err(Refusal::invalid(message).with(json!({ "field": "components" })));
        }
        for component in &mut details.components {
            component.kind = text::required("components.kind", &component.kind, 100)?;
            for value in [&mut component.name, &mut component.manufacturer, &mut component.model, &mut component.serial_number] {
                *value = text::optional("components", value.as_deref(), 255)?;
            }
        }
        Ok(self)
    }
}
