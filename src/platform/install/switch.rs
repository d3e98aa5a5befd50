//! Writes that the plugin is Ready, puts the new generation in the place of the old, and lets the old one finish.

use futures_util::future::BoxFuture;
use mint_domain::State;

use super::{Install, out_of_order};
use crate::operation::{Step, Stop, nothing_to_undo, said};

pub(super) const STEP: Step<Install> = Step {
    name: "switch",
    run,
    undo: nothing_to_undo,
    would: |_| said("lets it answer; an earlier start of it finishes what it has begun, and ends"),
    may_be_cut: false,
};

fn run(install: &mut Install) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        install.advance(State::toward_ready).await?;
        let active = install.started.take().ok_or_else(|| out_of_order("start"))?;
        install.old = install.platform.put_up(&active);
        let Some(old) = install.old.take() else { return Ok("ready".to_owned()) };
        install.platform.drain(old).await;
        Ok("ready; the old generation has ended".to_owned())
    })
}
