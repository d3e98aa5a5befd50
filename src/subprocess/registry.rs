//! Which processes may call back, for whom, and on whose behalf right now.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::{Duration, Instant},
};

use http::HeaderValue;
use mint_context::Call;
use mint_domain::{Actor, Digest, Slug, Unsealed, User, UserId};
use serde_json::Value;
use subtle::ConstantTimeEq;

use crate::{activity::Activity, served::Served};

/// Who a person is may be a second old when a request begins; a role that the plugin itself gave must not be.
const NEWS_OF_ROLES: Duration = Duration::from_secs(5);

/// The live processes by the hash of their tokens. One for the whole platform.
#[derive(Debug, Default)]
pub struct Registry {
    live: RwLock<HashMap<Digest, Bearer>>,
}

/// Who has a token.
#[derive(Clone, Debug)]
pub(crate) struct Bearer {
    /// The generation that the process belongs to.
    pub(crate) session: Arc<Session>,
    /// Whom the process served.
    pub(crate) served: Arc<Served>,
    /// What the process does.
    pub(crate) activity: Arc<Activity>,
    /// Settings that it is started to try, before they are stored.
    pub(crate) trial_settings: Option<Arc<Unsealed>>,
}

/// The secret of one start of a process: 64 hexadecimal digits.
pub(crate) struct Token(String);

/// What all starts of one generation share: what they may do, and whose requests they serve.
pub(crate) struct Session {
    /// A call without a person, for the plugin itself.
    call: Call,
    slug: Slug,
    name: String,
    takes_new_keys: Option<bool>,
    in_flight: Mutex<HashMap<UserId, InFlight>>,
    new_roles: Mutex<HashMap<UserId, NewRole>>,
    own_change: Mutex<Option<Value>>,
}

/// A role that the plugin gave or took away a moment ago.
struct NewRole {
    role: Option<String>,
    since: Instant,
}

struct InFlight {
    user: Arc<User>,
    requests: usize,
}

/// Makes a token known; forgets it when dropped.
#[derive(Debug)]
pub(crate) struct Registration {
    registry: Arc<Registry>,
    hash: Digest,
}

/// Believes a plugin that it acts for a person; ends when dropped.
#[derive(Debug)]
pub(crate) struct ActsFor {
    session: Arc<Session>,
    user: Option<UserId>,
}

impl Token {
    /// A token of 32 random bytes.
    pub(crate) fn random() -> Self {
        Self(hex::encode(rand::random::<[u8; 32]>()))
    }

    /// The digits.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The digits for a header, which is not to be shown.
    pub(crate) fn header(&self) -> HeaderValue {
        let mut value = HeaderValue::from_str(&self.0).unwrap_or_else(|_| HeaderValue::from_static(""));
        value.set_sensitive(true);
        value
    }
}

impl Registry {
    /// An empty registry.
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// Makes `token` stand for `bearer`, until the registration is dropped.
    pub(crate) fn register(self: &Arc<Self>, token: &Token, bearer: Bearer) -> Registration {
        let hash = Digest::of(token.as_str().as_bytes());
        self.live.write().unwrap_or_else(PoisonError::into_inner).insert(hash, bearer);
        Registration { registry: Arc::clone(self), hash }
    }

    /// The bearer of a token, if the plugin also gives its own name. The token is looked up by its hash, so that the
    /// time it takes tells nothing of those that exist.
    pub(crate) fn find(&self, token: &[u8], name: &[u8]) -> Option<Bearer> {
        let hash = Digest::of(token);
        let bearer = self.live.read().unwrap_or_else(PoisonError::into_inner).get(&hash).cloned()?;
        bool::from(bearer.session.name.as_bytes().ct_eq(name)).then_some(bearer)
    }
}

impl Registration {
    /// Ends the trial: from now on the process reads the settings that are stored.
    pub(crate) fn end_trial(&self) {
        if let Some(bearer) = self.registry.live.write().unwrap_or_else(PoisonError::into_inner).get_mut(&self.hash) {
            bearer.trial_settings = None;
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.registry.live.write().unwrap_or_else(PoisonError::into_inner).remove(&self.hash);
    }
}

impl Session {
    /// A session whose calls are made from `call`, which must come through a plugin. `name` is the one by which it calls,
    /// where that is not its slug; `takes_new_keys` is whether its client does, where that is known.
    pub(crate) fn new(call: Call, slug: Slug, name: Option<&str>, takes_new_keys: Option<bool>) -> Arc<Self> {
        let name = name.unwrap_or(slug.as_str()).to_owned();
        Arc::new(Self {
            call,
            slug,
            name,
            takes_new_keys,
            in_flight: Mutex::default(),
            new_roles: Mutex::default(),
            own_change: Mutex::default(),
        })
    }

    /// A call of the plugin on its own account.
    pub(crate) fn call(&self) -> &Call {
        &self.call
    }

    /// The plugin.
    pub(crate) fn slug(&self) -> &Slug {
        &self.slug
    }

    /// The name by which the plugin calls; mostly its slug.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether its client takes answers with keys that it does not know. None where only its calls can tell.
    pub(crate) fn takes_new_keys(&self) -> Option<bool> {
        self.takes_new_keys
    }

    /// Notes that a request of `actor` is being served.
    pub(crate) fn enter(self: &Arc<Self>, actor: &Actor) -> ActsFor {
        if let Actor::User(user) = actor {
            let newest = self.with_new_role(user);
            let mut in_flight = self.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
            // A request may last for hours; who the person is was found out anew for this one.
            let entry = in_flight.entry(user.id).or_insert_with(|| InFlight { user: Arc::clone(&newest), requests: 0 });
            entry.requests += 1;
            // A call back does not tell to which of a person's requests it belongs: what one of them may not, none may meanwhile.
            entry.user = match (&entry.user.bound, &newest.bound) {
                (None, None) => newest,
                _ => Arc::new(User::clone(&newest).both(&entry.user)),
            };
        }
        ActsFor { session: Arc::clone(self), user: actor.user().map(|user| user.id) }
    }

    /// The person `id`, if a request of theirs is being served right now.
    pub(crate) fn person(&self, id: UserId) -> Option<Actor> {
        let in_flight = self.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
        in_flight.get(&id).map(|entry| Actor::User(entry.user.clone()))
    }

    /// Notes a person's new role inside the plugin: for the requests being served, and for those that come before whoever
    /// signs people in has heard of it.
    pub(crate) fn note_role(&self, id: UserId, role: Option<&str>) {
        let mut new_roles = self.new_roles.lock().unwrap_or_else(PoisonError::into_inner);
        new_roles.retain(|_, new| new.since.elapsed() < NEWS_OF_ROLES);
        new_roles.insert(id, NewRole { role: role.map(str::to_owned), since: Instant::now() });
        drop(new_roles);
        let mut in_flight = self.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = in_flight.get_mut(&id) {
            entry.user = self.with_new_role(&entry.user);
        }
    }

    fn with_new_role(&self, user: &Arc<User>) -> Arc<User> {
        let mut user = Arc::clone(user);
        let new_roles = self.new_roles.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(new) = new_roles.get(&user.id).filter(|new| user.bound.is_none() && new.since.elapsed() < NEWS_OF_ROLES) {
            let roles = &mut Arc::make_mut(&mut user).plugin_roles;
            match &new.role {
                Some(role) => roles.insert(self.slug.to_string(), role.clone()),
                None => roles.remove(self.slug.as_str()),
            };
        }
        user
    }

    /// Notes that the plugin itself is storing `values`, or has ended doing so.
    pub(crate) fn set_own_change(&self, values: Option<Value>) {
        *self.own_change.lock().unwrap_or_else(PoisonError::into_inner) = values;
    }

    /// Whether new settings are those that the plugin itself is storing: it knows them already.
    pub(crate) fn is_own_change(&self, settings: &Value) -> bool {
        let own = self.own_change.lock().unwrap_or_else(PoisonError::into_inner);
        let own = own.as_ref().and_then(Value::as_object);
        own.is_some_and(|own| own.iter().all(|(name, value)| settings.get(name) == Some(value)))
    }
}

impl Drop for ActsFor {
    fn drop(&mut self) {
        let Some(id) = self.user else { return };
        let mut in_flight = self.session.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
        let done = in_flight.get_mut(&id).is_some_and(|entry| {
            entry.requests -= 1;
            entry.requests == 0
        });
        if done {
            in_flight.remove(&id);
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({})", self.slug)
    }
}
