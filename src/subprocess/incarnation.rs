//! One start of a process: from the private directory to the last line of its output.

use std::{
    io,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use mint_context::{logs::PluginLog, runtime::Activation, settings};
use mint_domain::{Unsealed, lifecycle::Failure, limit::Limit};
use rustix::process::Signal;
use time::OffsetDateTime;
use tokio::{
    sync::{Semaphore, watch},
    time::Instant,
};

use crate::{
    SubprocessConfig,
    activity::Activity,
    begin::{self, Begun},
    census::{Census, Crowd},
    egress::WayOut,
    exit::Exit,
    footprint::{Footprint, Kept},
    fullness::Fullness,
    launch::Launch,
    leftovers,
    link::Pool,
    peer::Peer,
    registry::{Bearer, Registration, Registry, Session, Token},
    sandbox::{Level, Network, Sandbox},
    served::Served,
    shim::{self, About, NotTaken},
    spawn::Spawner,
    tables::Tables,
    unused::InUse,
    warm::{Place, Warm},
};

/// The phase of a failure while a process is started.
pub(crate) const PHASE: &str = "start";
/// Pause between two looks whether it answers.
const PROBE_PAUSE: Duration = Duration::from_millis(20);
/// Longest wait for the rest of the output of a process that has ended.
const REST_OF_OUTPUT: Duration = Duration::from_millis(500);
/// Longest wait for a process that was killed; the kernel may be busy with it.
const AFTER_KILL: Duration = Duration::from_secs(10);
/// Most characters of the last line in a reason.
const LAST_WORDS: usize = 300;
/// Log lines that go into a failure.
const EXCERPT_LINES: usize = 20;

/// What all starts of a generation have in common.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) config: Arc<SubprocessConfig>,
    pub(crate) spawner: Spawner,
    pub(crate) registry: Arc<Registry>,
    pub(crate) census: Arc<Census>,
    /// Places for starts, of all plugins of the server.
    pub(crate) starts: Arc<Semaphore>,
    pub(crate) launch: Launch,
    /// Keeps what is launched in the cache.
    pub(crate) _in_use: InUse,
    pub(crate) activation: Activation,
    pub(crate) session: Arc<Session>,
    pub(crate) sandbox: Arc<Sandbox>,
    /// Whom its processes reach, by its grants.
    pub(crate) network: Network,
    /// Their way to the hosts that were granted, if some were.
    pub(crate) way_out: Option<WayOut>,
    /// What its processes are held to.
    pub(crate) level: Level,
    /// What its processes are copied from.
    pub(crate) warm: Warm,
    /// `/api` and the plugin's prefix.
    pub(crate) public_prefix: String,
    /// What the plugin has, once it has answered.
    pub(crate) about: OnceLock<About>,
}

/// A process as those see it who talk to it.
#[derive(Debug)]
pub(crate) struct Incarnation {
    /// Counts the starts of a generation, from 1.
    pub(crate) number: u32,
    /// Its process id.
    pub(crate) pid: i32,
    /// When it was started.
    pub(crate) started_at: OffsetDateTime,
    /// Whom it served.
    pub(crate) served: Arc<Served>,
    /// What it is asked and does.
    pub(crate) activity: Arc<Activity>,
    tasks: Arc<AtomicU64>,
    peer: Arc<Peer>,
}

/// A process as its supervisor has it. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Running {
    incarnation: Arc<Incarnation>,
    begun: Begun,
    crowd: Crowd,
    fullness: Option<Fullness>,
    footprint: Footprint,
    exit: watch::Sender<Option<Exit>>,
    registration: Registration,
    /// What it was started to try.
    trial_settings: Option<Arc<Unsealed>>,
    log: Arc<PluginLog>,
}

impl Incarnation {
    /// Its end of the connections.
    pub(crate) fn peer(&self) -> &Arc<Peer> {
        &self.peer
    }

    /// Processes and threads of it and its children at the last look; none before the first.
    pub(crate) fn tasks(&self) -> Option<u64> {
        Some(self.tasks.load(Ordering::Relaxed)).filter(|tasks| *tasks > 0)
    }
}

impl Running {
    /// Starts the process and waits until it answers.
    ///
    /// # Errors
    /// A [`Failure`] with its last lines. Nothing is left running.
    pub(crate) async fn start(setup: &Setup, number: u32, trial_settings: Option<Arc<Unsealed>>) -> Result<Self, Failure> {
        // Never closed.
        let _place = setup.starts.acquire().await.ok();
        let running = Self::spawn(setup, number, trial_settings).await?;
        let deadline = Instant::now() + setup.config.start_timeout;
        let incarnation = Arc::clone(&running.incarnation);
        let answers = async {
            // Everything that is not HTTP counts as not yet.
            let about = loop {
                match shim::probe(incarnation.peer(), setup).await {
                    Ok((_, about)) => break about,
                    Err(_not_yet) => tokio::time::sleep(PROBE_PAUSE).await,
                }
            };
            running.hand_over_settings(setup, setup.about.get_or_init(|| about)).await
        };
        tokio::select! {
            biased;
            () = running.begun.child.ended() => {
                let exit = running.finish().await;
                let reason = format!("The plugin's process {exit} before it answered.");
                Err(failure(setup, reason, "Its last lines are in the log excerpt."))
            }
            handed_over = answers => match handed_over {
                Ok(()) => {
                    running.registration.end_trial();
                    Ok(running)
                }
                Err(words) => {
                    running.stop(Duration::ZERO).await;
                    let reason = format!("The plugin did not take its settings: {words}");
                    Err(failure(setup, reason, "Change its settings, and reload it."))
                }
            },
            () = tokio::time::sleep_until(deadline) => {
                running.begun.child.signal_group(Signal::KILL);
                running.stop(Duration::ZERO).await;
                let reason = format!("The plugin did not answer on its socket within {} s.", setup.config.start_timeout.as_secs_f32());
                Err(failure(setup, reason, "Its last lines are in the log excerpt. It must serve HTTP/1.1 on the socket it is given."))
            }
        }
    }

    /// Gives the plugin its settings where its SDK does not read them.
    async fn hand_over_settings(&self, setup: &Setup, about: &About) -> Result<(), String> {
        let settings = match &self.trial_settings {
            _ if !about.awaits_settings() => return Ok(()),
            Some(trial) => Unsealed::clone(trial),
            None => settings::load(setup.session.call()).await.map_err(|error| error.public().message)?.settings,
        };
        if settings.as_object().is_none_or(serde_json::Map::is_empty) {
            return Ok(());
        }
        shim::apply(self.incarnation.peer(), &settings, None).await.map_err(|not_taken| match not_taken {
            NotTaken::Refused(words) => words,
            NotTaken::Silent(silence) => silence.to_string(),
        })
    }

    async fn spawn(setup: &Setup, number: u32, trial_settings: Option<Arc<Unsealed>>) -> Result<Self, Failure> {
        let Activation { authority, call, data_directory, .. } = &setup.activation;
        let token = Token::random();
        let served = Served::new(setup.config.acts_after);
        let activity = Activity::new();
        let bearer = Bearer {
            session: Arc::clone(&setup.session),
            served: Arc::clone(&served),
            activity: Arc::clone(&activity),
            trial_settings: trial_settings.clone(),
        };
        let registration = setup.registry.register(&token, bearer);
        let broken = |error: io::Error| begin::broken(setup, &error);
        let there = Kept::at_start(data_directory, &authority.limits()).await.map_err(broken)?;
        let is_full = there.is_too_much(&authority.limits());
        if is_full {
            setup.activation.log.limit_reached(Limit::files_bytes_max.name());
        }
        // A copy takes the place of the one before, and may what that might; what is tried stands beside it.
        let copy = if trial_settings.is_none() && !is_full { setup.warm.copy(setup, &token).await } else { None };
        let begun = match copy {
            Some(copy) => copy,
            None => Begun::plain(setup, &token, is_full).await?,
        };
        let socket = begun.home.directory.socket();
        let crowd = Crowd::watched(&setup.census, &begun.child, socket.clone(), authority, Arc::clone(&activity));
        let crowd = crowd.map_err(broken)?;
        let tables = begun.home.tables.as_ref().and_then(Tables::file);
        let fullness = tables.map(|file| Fullness::watched(&begun.child, file, authority.limits().database_bytes_max));
        let fullness = fullness.transpose().map_err(broken)?;
        let footprint = Footprint::watched(&begun.child, data_directory, there, authority).map_err(broken)?;
        let (exit, exit_seen) = watch::channel(None);
        let incarnation = Arc::new(Incarnation {
            number,
            pid: begun.child.pid().as_raw_nonzero().get(),
            started_at: call.services.clock.now(),
            served,
            activity,
            tasks: Arc::clone(crowd.tasks()),
            peer: Arc::new(Peer::new(Pool::of_process(socket, begun.child.pid()), Some(&token), exit_seen)),
        });
        let log = Arc::clone(&setup.activation.log);
        Ok(Self { incarnation, begun, crowd, fullness, footprint, exit, registration, trial_settings, log })
    }

    /// As others see it.
    pub(crate) fn incarnation(&self) -> &Arc<Incarnation> {
        &self.incarnation
    }

    /// Waits until it has ended by itself. Can be cancelled.
    pub(crate) async fn ended(&self) {
        self.begun.child.ended().await;
    }

    /// Ends it: asks, waits for `grace`, then kills. Gives how it ended.
    pub(crate) async fn stop(self, grace: Duration) -> Exit {
        self.begun.child.signal_group(Signal::TERM);
        if tokio::time::timeout(grace, self.begun.child.ended()).await.is_ok() {
            return self.finish().await;
        }
        if !grace.is_zero() {
            tracing::warn!(pid = self.incarnation.pid, "a plugin did not end when asked to, and was killed");
        }
        self.begun.child.signal_group(Signal::KILL);
        if tokio::time::timeout(AFTER_KILL, self.begun.child.ended()).await.is_err() {
            tracing::error!(pid = self.incarnation.pid, "a plugin that was killed does not end");
            return Exit::Unknown;
        }
        self.finish().await;
        Exit::Killed
    }

    /// Cleans up after it has ended: its group, its output, its children elsewhere, its directory.
    pub(crate) async fn finish(self) -> Exit {
        let Self { incarnation, begun, crowd, fullness, footprint, exit, registration, log, .. } = self;
        let Begun { child, output, home, carriers, copied } = begun;
        // Waits for whoever is in its control group.
        let reaped = tokio::task::spawn_blocking(move || child.reap()).await;
        let reaped = reaped.map_or(Exit::Unknown, |reaped| reaped.unwrap_or(Exit::Unknown));
        let reaped = if copied.as_ref().is_some_and(Place::ran_out_of_memory) { Exit::OutOfMemory } else { reaped };
        let ended = crowd.exit().or(fullness.as_ref().and_then(Fullness::exit)).or(footprint.exit()).unwrap_or(reaped);
        if let Some(limit) = ended.limit() {
            log.limit_reached(limit.name());
        }
        incarnation.peer.pool().close();
        exit.send_replace(Some(ended));
        drop((registration, carriers));
        let until = Instant::now() + REST_OF_OUTPUT;
        for reader in output {
            // A pipe that a child elsewhere still holds open is not waited for.
            let _rest = tokio::time::timeout_at(until, reader).await;
        }
        let cleaned = tokio::task::spawn_blocking(move || {
            let killed = leftovers::kill(&home.directory.socket(), copied.as_ref().map(Place::parent));
            drop((home, copied));
            killed
        });
        match cleaned.await {
            Ok(0) | Err(_) => {}
            Ok(killed) => tracing::warn!(pid = incarnation.pid, processes.killed = killed, "a plugin left processes behind"),
        }
        ended
    }
}

/// A failure of a start, with the plugin's last lines.
pub(crate) fn failure(setup: &Setup, mut reason: String, hint: &str) -> Failure {
    let mut lines = setup.activation.log.recent();
    if let Some(last) = lines.last() {
        let last: String = last.trim().chars().take(LAST_WORDS).collect();
        reason.push_str(&format!(" Its last line was `{last}`."));
    }
    let mut failure = Failure::new(PHASE, reason, hint);
    failure.log_excerpt = lines.split_off(lines.len().saturating_sub(EXCERPT_LINES));
    failure
}
