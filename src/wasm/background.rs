//! Threads for what nobody waits for. What computes there gives way to whatever serves requests, however long it goes on.

use std::{
    fmt, io,
    sync::{Mutex, PoisonError},
};

use rustix::process::setpriority_process;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio_util::task::AbortOnDropHandle;

/// How nice these threads are: beside one that serves requests, such a thread gets a tenth of a processor, and all of an idle one.
const NICENESS: i32 = 10;

/// The threads, started when they are first wanted.
#[derive(Default)]
pub(crate) struct Background(Mutex<Option<Runtime>>);

impl Background {
    /// Goes on with `work` on these threads, until what this gives is dropped.
    ///
    /// # Errors
    /// When no threads can be started.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> io::Result<AbortOnDropHandle<T>> {
        Ok(AbortOnDropHandle::new(self.threads()?.spawn(work)))
    }

    fn threads(&self) -> io::Result<Handle> {
        let mut threads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(threads) = &*threads {
            return Ok(threads.handle().clone());
        }
        let started = Builder::new_multi_thread().thread_name("mint-jobs").on_thread_start(give_way).enable_all().build()?;
        let handle = started.handle().clone();
        *threads = Some(started);
        Ok(handle)
    }
}

/// Makes the thread that calls this a nice one. On Linux a priority is a thread's own.
fn give_way() {
    if let Err(error) = setpriority_process(None, NICENESS) {
        tracing::warn!(%error, "a thread for jobs cannot be made to give way to requests");
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // Whoever drops this may be one of another runtime's tasks, where nobody can wait.
        if let Some(threads) = self.0.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            threads.shutdown_background();
        }
    }
}

impl fmt::Debug for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Background")
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::getpriority_process;

    use super::*;

    #[tokio::test]
    async fn what_runs_there_gives_way_and_ends_when_nobody_wants_it() {
        let background = Background::default();
        let niceness = background.spawn(async { getpriority_process(None).unwrap() }).unwrap().await.unwrap();
        assert_eq!((niceness, getpriority_process(None).unwrap()), (NICENESS, 0));
        let (sender, mut dropped) = tokio::sync::mpsc::channel::<()>(1);
        let task = background
            .spawn(async move {
                let _held = sender;
                std::future::pending::<()>().await;
            })
            .unwrap();
        drop(task);
        assert_eq!(dropped.recv().await, None);
    }
}
