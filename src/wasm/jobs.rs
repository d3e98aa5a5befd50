//! What a component does when nobody waits: its export `mint:plugin/jobs`.

use std::{sync::Arc, time::Duration};

use mint_context::{
    Call,
    runtime::{Fault, Work, Worked},
};

use crate::guest::Guests;

/// Longest wait for a place to run in.
const PLACE_PATIENCE: Duration = Duration::from_secs(30);

/// Does a job. Its time is the caller's affair: it is cut off by dropping this.
///
/// # Errors
/// The fault of the guest; [`Fault::Full`] when no place became free.
pub(crate) async fn run(guests: &Arc<Guests>, call: Call, work: Work) -> Result<Worked, Fault> {
    if guests.instances.exports.jobs.is_none() {
        return Ok(Worked::no_jobs());
    }
    let engine = guests.instances.engine().clone();
    let (guests, instances) = (Arc::clone(guests), Arc::clone(&guests.instances));
    let worked = async move {
        let run = guests.run_at_length(call, PLACE_PATIENCE, move |instance| {
            Box::pin(async move {
                let Some(exported) = &instances.exports.jobs else { return Ok(Worked::no_jobs()) };
                let exported = exported.load(&mut instance.store, &instance.inner)?;
                let worked = exported.call_run(&mut instance.store, &work.kind, &work.payload).await?;
                Ok(match worked {
                    Ok(outcome) => Worked::Done(outcome),
                    Err(failure) => Worked::Failed { message: failure.message, is_final: failure.is_final },
                })
            })
        });
        run.await
    };
    let host = |error: &dyn std::error::Error| Fault::Host(format!("a job could not be run: {error}"));
    let running = engine.background().spawn(worked).map_err(|error| host(&error))?;
    running.await.map_err(|error| host(&error))?
}
