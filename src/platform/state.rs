//! How an installation stands, changed by the one transition function.

use mint_context::Result;
use mint_domain::{
    InstallationId, Refusal, State, TenantId,
    lifecycle::{Event, Failure},
};
use mint_store::{Tx, installations};
use time::OffsetDateTime;

use crate::Platform;

impl Platform {
    /// Lets what `events` makes of the present state happen to an installation. Gives the state then; none when it is gone.
    ///
    /// # Errors
    /// `CONFLICT` for what cannot happen in its state; the database's.
    pub(crate) async fn advance(
        &self,
        tenant: TenantId,
        id: InstallationId,
        events: impl FnOnce(&State) -> Vec<Event> + Send,
    ) -> Result<Option<State>> {
        let mut tx = self.services().db.begin().await?;
        let state = advance(&mut tx, tenant, id, events, self.services().clock.now()).await?;
        tx.commit().await?;
        Ok(state)
    }

    /// Writes that an installation does not answer any more. That it could not be written is for the operator.
    pub(crate) async fn fault(&self, tenant: TenantId, id: InstallationId, failure: Failure) {
        if let Err(error) = self.advance(tenant, id, |_| vec![Event::Faulted(failure)]).await {
            tracing::error!(installation.id = %id, error = %error, "the state of a failed plugin could not be written");
        }
    }
}

/// [`Platform::advance`] within a transaction.
///
/// # Errors
/// As there.
pub(crate) async fn advance(
    tx: &mut Tx,
    tenant: TenantId,
    id: InstallationId,
    events: impl FnOnce(&State) -> Vec<Event>,
    now: OffsetDateTime,
) -> Result<Option<State>> {
    let Some(row) = installations::lock(tx, tenant, id).await? else { return Ok(None) };
    let events = events(&row.state);
    if events.is_empty() {
        return Ok(Some(row.state));
    }
    let state = row.state.after_all(events).map_err(|error| {
        let message = format!("Plugin `{}` cannot be changed now: {error}.", row.slug);
        Refusal::conflict("installation", "state", message)
    })?;
    installations::set_state(tx, tenant, id, &state, now).await?;
    Ok(Some(state))
}
