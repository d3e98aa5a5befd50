//! Tasks that end with their owner.

use tokio_util::task::AbortOnDropHandle;

/// Runs `future` until it ends or the handle is dropped.
#[expect(clippy::disallowed_methods, reason = "the handle that is returned aborts the task when it is dropped")]
pub(crate) fn owned<F>(future: F) -> AbortOnDropHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    AbortOnDropHandle::new(tokio::spawn(future))
}
