//! What this server tells the others of itself, and what it knows of them. Their clocks must agree within a few seconds.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use mint_context::Result;
use mint_domain::{Clock, Digest, InstallationId, Kind, Refusal};
use mint_store::replicas::{self, Replica, Served};
use time::OffsetDateTime;
use tokio::time::Instant;

use crate::Platform;

/// Time between two looks at what there is to tell.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// Time after which a server that has nothing new to tell says that it is there.
const BEAT_INTERVAL: Duration = Duration::from_secs(3);
/// A server that has said nothing for so long is gone, as far as the others know. It knows that itself.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(15);
/// How much longer than what it has begun may go on, a server may take to let go of a plugin.
const TAKE_DOWN_TIMEOUT: Duration = Duration::from_secs(30);
/// Servers that are gone are forgotten after so long.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// When this server was last heard, as far as it knows.
#[derive(Debug)]
pub(crate) struct Presence {
    address: SocketAddr,
    started_at: OffsetDateTime,
    heard: Mutex<Heard>,
    told: tokio::sync::Mutex<Option<Told>>,
}

#[derive(Clone, Copy, Debug)]
struct Heard {
    at: Instant,
    /// Whether it was silent for so long that what it answers with may be what nobody should get any more.
    must_look: bool,
}

impl Presence {
    pub(crate) fn new(address: SocketAddr, clock: &dyn Clock) -> Self {
        let heard = Heard { at: Instant::now(), must_look: false };
        Self { address, started_at: clock.now(), heard: Mutex::new(heard), told: tokio::sync::Mutex::default() }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, at: Instant) {
        let mut heard = self.heard();
        heard.must_look |= heard.at.elapsed() > SILENCE_MAX;
        heard.at = at;
    }

    /// Whether what answers here may be what nobody should get any more.
    pub(crate) fn must_look(&self) -> bool {
        self.heard().must_look
    }

    /// What answers here is what the rows want, or nothing.
    pub(crate) fn looked(&self) {
        self.heard().must_look = false;
    }

    /// Whether the others may count on what this server last told them.
    pub(crate) fn is_present(&self) -> bool {
        let heard = *self.heard();
        !heard.must_look && heard.at.elapsed() <= SILENCE_MAX
    }
}

/// What was last told, and when.
#[derive(Debug)]
struct Told {
    serves: Vec<Served>,
    at: Instant,
}

impl Platform {
    /// Tells the others that this server is there, and with what it answers, until the platform ends.
    pub(crate) fn report(self: &Arc<Self>) {
        let platform = self.clone();
        self.spawn(async move {
            loop {
                if let Err(error) = platform.tell().await {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the other servers could not be told of this one");
                }
                tokio::time::sleep(LOOK_INTERVAL).await;
            }
        });
    }

    /// Tells the others what there is to tell now.
    ///
    /// # Errors
    /// The database's.
    pub(crate) async fn tell(&self) -> Result<()> {
        let mut told = self.presence().told.lock().await;
        let serves = self.serves();
        let is_new = told.as_ref().is_none_or(|told| told.serves != serves);
        if !is_new && told.as_ref().is_some_and(|told| told.at.elapsed() < BEAT_INTERVAL) {
            return Ok(());
        }
        let (began, now) = (Instant::now(), self.services().clock.now());
        let mut tx = self.services().db.begin().await?;
        let known = told.is_some() && replicas::seen(&mut tx, self.process_id(), is_new.then_some(&serves), now).await?;
        if !known {
            let introduced = Replica {
                id: self.process_id().to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                address: self.presence().address.to_string(),
                started_at: self.presence().started_at,
                seen_at: now,
                serves: serves.clone(),
            };
            replicas::insert(&mut tx, &introduced).await?;
            replicas::forget(&mut tx, now - FORGOTTEN_AFTER).await?;
        }
        tx.commit().await?;
        self.presence().note(began);
        *told = Some(Told { serves, at: began });
        Ok(())
    }

    /// What answers here or is being started, by installation.
    fn serves(&self) -> Vec<Served> {
        let here = self.running().answering().into_iter().filter(|active| active.developed.is_none()).map(|active| Served {
            installation: active.authority.installation,
            release: Some(active.release),
            generation: active.generation,
        });
        let starting = self.running().starting().into_iter();
        let starting = starting.map(|installation| Served { installation, release: None, generation: 0 });
        let mut serves: Vec<Served> = here.chain(starting).collect();
        serves.sort_by_key(|served| (served.installation, served.generation));
        serves
    }

    /// Whether requests can be served: the database answers, the others can count on this server, and it is not about to end.
    ///
    /// # Errors
    /// Why not.
    pub async fn ready(&self) -> Result<()> {
        if self.stopping().is_cancelled() {
            return Err(Refusal::new(Kind::Unavailable, "service.unavailable", "The server is ending.").retry_after(1).into());
        }
        self.services().db.ping().await?;
        self.expect_present()?;
        self.expect_files_of_all().await
    }

    /// Passes unless this server was silent for so long that the others have stopped to count on it.
    ///
    /// # Errors
    /// `service.unavailable`.
    pub(crate) fn expect_present(&self) -> Result<(), Refusal> {
        // Nobody counts on the only server of a database.
        match !self.services().db.is_shared() || self.presence().is_present() {
            true => Ok(()),
            false => {
                let message = "The server has lost touch with its database, and is finding out what has changed.";
                Err(Refusal::new(Kind::Unavailable, "service.unavailable", message).retry_after(2))
            }
        }
    }

    /// The servers that are there, this one among them.
    ///
    /// # Errors
    /// The database's.
    pub async fn replicas(&self) -> Result<Vec<Replica>> {
        let then = self.services().clock.now() - SILENCE_MAX;
        Ok(replicas::since(&mut self.services().db.read().await?, then).await?)
    }

    /// Whether no server that is there answers with another release of an installation than `release`, or is about to. What a server that is
    /// gone does not know counts for nothing: it answers nobody before it has looked again.
    ///
    /// # Errors
    /// The database's.
    pub async fn everyone_serves(&self, installation: InstallationId, release: &Digest) -> Result<bool> {
        let here = self.serves();
        let others = self.replicas().await?;
        let agrees = |served: &Served| served.installation != installation || served.release == Some(*release);
        let others = others.iter().filter(|other| other.id != self.process_id()).flat_map(|other| &other.serves);
        Ok(here.iter().chain(others).all(agrees))
    }

    /// Waits until no other server answers with an installation that was taken down here, or starts it.
    ///
    /// # Errors
    /// `CONFLICT` when one does not take it down; the database's.
    pub(crate) async fn taken_down_everywhere(&self, installation: InstallationId) -> Result<()> {
        let deadline = Instant::now() + self.drain_time() + TAKE_DOWN_TIMEOUT;
        loop {
            let others = self.replicas().await?;
            let mut serving = others.iter().filter(|other| other.id != self.process_id() && other.holds(installation));
            let Some(other) = serving.next() else { return Ok(()) };
            if Instant::now() > deadline {
                let message = format!("The server at {} does not let go of the plugin. Look at its log.", other.address);
                return Err(Refusal::conflict("installation", "replica", message).into());
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    /// Tells the others that this server is gone.
    pub(crate) async fn take_leave(&self) {
        let left = async {
            let mut tx = self.services().db.begin().await?;
            replicas::delete(&mut tx, self.process_id()).await?;
            tx.commit().await
        };
        if let Err(error) = left.await {
            tracing::warn!(error = %error, "the other servers could not be told that this one is gone");
        }
    }
}
