//! Whom one process may still act for when their requests have ended: what they began, such as a job, goes on.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use mint_domain::{Actor, UserId};

/// The people whom one start of a process served, and since when not any more.
#[derive(Debug)]
pub(crate) struct Served {
    acts_after: Duration,
    people: Mutex<HashMap<UserId, Instant>>,
    under_way: AtomicUsize,
}

/// A call for somebody whose request has ended; it is over when this is dropped.
#[derive(Debug)]
pub(crate) struct UnderWay(Arc<Served>);

impl Served {
    /// Nobody yet. People are remembered for `acts_after`, counted from when their last request began.
    pub(crate) fn new(acts_after: Duration) -> Arc<Self> {
        Arc::new(Self { acts_after, people: Mutex::default(), under_way: AtomicUsize::new(0) })
    }

    /// Notes that a request of `actor` begins.
    pub(crate) fn note(&self, actor: &Actor) {
        // Who they are is read anew then, without the bounds of the credential that they showed.
        let Some(user) = actor.user().filter(|user| user.bound.is_none()) else { return };
        let mut people = self.people.lock().unwrap_or_else(PoisonError::into_inner);
        if people.insert(user.id, Instant::now()).is_none() {
            people.retain(|_, since| since.elapsed() < self.acts_after);
        }
    }

    /// Whether it served a request of theirs not long ago.
    pub(crate) fn remembers(&self, id: UserId) -> bool {
        let people = self.people.lock().unwrap_or_else(PoisonError::into_inner);
        people.get(&id).is_some_and(|since| since.elapsed() < self.acts_after)
    }

    /// Notes that a call for one of them begins.
    pub(crate) fn begin(self: &Arc<Self>) -> UnderWay {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(Arc::clone(self))
    }

    /// Calls for them that are not over. A process that has some is at work, whether or not it serves a request.
    pub(crate) fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Relaxed)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use mint_domain::{PluginAccess, ProjectReach, User};

    use super::*;

    fn person(id: i64) -> Actor {
        let (username, role) = (format!("user {id}"), "member".to_owned());
        Actor::User(Arc::new(User {
            id: UserId(id),
            username,
            role,
            permissions: vec![],
            plugin_access: PluginAccess::All,
            project_reach: ProjectReach::All,
            plugin_roles: BTreeMap::new(),
            bound: None,
        }))
    }

    #[test]
    fn only_those_who_were_served_are_remembered_and_not_for_ever() {
        let served = Served::new(Duration::from_secs(60));
        served.note(&person(1));
        served.note(&Actor::Anonymous);
        assert!(served.remembers(UserId(1)) && !served.remembers(UserId(2)));
        let forgetful = Served::new(Duration::ZERO);
        forgetful.note(&person(1));
        assert!(!forgetful.remembers(UserId(1)));
    }

    #[test]
    fn calls_count_until_they_are_over() {
        let served = Served::new(Duration::ZERO);
        let (one, two) = (served.begin(), served.begin());
        drop(one);
        assert_eq!(served.under_way(), 1);
        drop(two);
        assert_eq!(served.under_way(), 0);
    }
}
