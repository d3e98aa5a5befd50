//! Whether a process has something to do: requests and WebSockets that it serves, calls that it makes, and work of its own.

use std::{
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use crate::incarnation::Incarnation;

/// What one start of a process is asked and does.
#[derive(Debug)]
pub(crate) struct Activity {
    state: Mutex<State>,
    rest: Notify,
}

#[derive(Debug)]
struct State {
    uses: usize,
    last: Instant,
    /// It is to be stopped: nothing new begins.
    is_over: bool,
}

/// Something that is under way; it is over when this is dropped.
#[derive(Debug)]
pub(crate) struct Use(Arc<Activity>);

/// A process for as long as somebody uses it: it is not idle in the meantime.
#[derive(Debug)]
pub(crate) struct InUse {
    incarnation: Arc<Incarnation>,
    _use: Use,
}

impl Activity {
    /// Nothing yet.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State { uses: 0, last: Instant::now(), is_over: false }), rest: Notify::new() })
    }

    /// Notes that something begins; none when the process is about to be stopped.
    pub(crate) fn begin(self: &Arc<Self>) -> Option<Use> {
        let mut state = self.state();
        if state.is_over {
            return None;
        }
        state.uses += 1;
        Some(Use(Arc::clone(self)))
    }

    /// Notes that it did something of its own accord just now.
    pub(crate) fn note(&self) {
        self.state().last = Instant::now();
    }

    /// Waits until nothing was under way for `after`. From then on nothing begins.
    pub(crate) async fn idle(&self, after: Duration) {
        while let Some(earliest) = self.end_if_idle(after) {
            tokio::time::sleep_until(earliest).await;
        }
    }

    /// Lets nothing begin from now on, and waits until all that is under way has ended, for `most` at most.
    pub(crate) async fn over(&self, most: Duration) {
        self.state().is_over = true;
        let at_rest = async {
            while self.state().uses > 0 {
                self.rest.notified().await;
            }
        };
        // What takes longer is ended with the process.
        let _in_time = tokio::time::timeout(most, at_rest).await;
    }

    /// When to look again; none when it was idle for so long, and nothing begins from now on.
    fn end_if_idle(&self, after: Duration) -> Option<Instant> {
        let mut state = self.state();
        let now = Instant::now();
        let since = if state.uses > 0 { now } else { state.last };
        let earliest = since + after;
        if earliest > now {
            return Some(earliest);
        }
        state.is_over = true;
        None
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.uses -= 1;
        state.last = Instant::now();
        if state.is_over && state.uses == 0 {
            self.0.rest.notify_one();
        }
    }
}

impl InUse {
    /// Uses a process; none when it is about to be stopped.
    pub(crate) fn of(incarnation: &Arc<Incarnation>) -> Option<Self> {
        let begun = incarnation.activity.begin()?;
        Some(Self { incarnation: Arc::clone(incarnation), _use: begun })
    }
}

impl Deref for InUse {
    type Target = Incarnation;

    fn deref(&self) -> &Incarnation {
        &self.incarnation
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AFTER: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn it_is_idle_a_while_after_the_last_use_has_ended() {
        let activity = Activity::new();
        let began = Instant::now();
        let (first, second) = (activity.begin().unwrap(), activity.begin().unwrap());
        let uses = async {
            tokio::time::sleep(AFTER * 10).await;
            drop(first);
            tokio::time::sleep(AFTER / 2).await;
            drop(second);
        };
        tokio::join!(activity.idle(AFTER), uses);
        let idle_after = began.elapsed();
        assert!(idle_after >= AFTER * 11 + AFTER / 2 && idle_after <= AFTER * 12 + AFTER / 2, "{idle_after:?}");
        assert!(activity.begin().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn work_of_its_own_counts() {
        let activity = Activity::new();
        let began = Instant::now();
        let works = async {
            tokio::time::sleep(AFTER / 2).await;
            activity.note();
        };
        tokio::join!(activity.idle(AFTER), works);
        assert_eq!(began.elapsed(), AFTER + AFTER / 2);
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_over_when_all_that_is_under_way_has_ended_or_took_too_long() {
        let activity = Activity::new();
        let (first, second) = (activity.begin().unwrap(), activity.begin().unwrap());
        let began = Instant::now();
        let uses = async {
            tokio::time::sleep(AFTER / 4).await;
            assert!(activity.begin().is_none(), "nothing begins meanwhile");
            drop(first);
            tokio::time::sleep(AFTER / 4).await;
            drop(second);
        };
        tokio::join!(activity.over(AFTER), uses);
        assert_eq!(began.elapsed(), AFTER / 2);

        let endless = Activity::new();
        let _use = endless.begin().unwrap();
        let began = Instant::now();
        endless.over(AFTER).await;
        assert_eq!(began.elapsed(), AFTER);
    }
}
