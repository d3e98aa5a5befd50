//! A process that has imported a plugin, and is copied for every start of a generation: most of a start is imports.
//!
//! It is in the same cage as what is copied from it, knows no token and serves nobody. At most one copy stands at a time,
//! for they have one socket; whoever needs another process starts it plainly.

use std::{
    fs, io,
    os::fd::AsFd,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rustix::{
    pipe::PipeFlags,
    process::{Pid, Signal},
};
use serde_json::{Value, json};
use tokio::{
    sync::{Mutex as AsyncMutex, OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
};

use crate::{
    begin::{self, Begun, Home},
    child::Child,
    control::Control,
    incarnation::Setup,
    launch::Launch,
    registry::Token,
};

/// Longest wait for the copy before to be gone, which is less than what a plain start takes more.
const PLACE_PATIENCE: Duration = Duration::from_millis(500);

/// What the processes of a generation are copied from.
#[derive(Debug, Default)]
pub(crate) struct Warm {
    state: AsyncMutex<State>,
    /// For whoever looks.
    pid: Mutex<Option<Pid>>,
}

#[derive(Debug, Default)]
enum State {
    /// Nothing runs.
    #[default]
    Cold,
    /// It can be copied.
    Ready(Arc<Parent>),
    /// This plugin cannot be copied.
    Unfit,
}

/// The process that is copied. Dropped, it is killed, and its copies with it.
#[derive(Debug)]
struct Parent {
    begun: Begun,
    control: Arc<Control>,
    /// For the one copy.
    place: Arc<Semaphore>,
}

/// The place of a copy beside what it is a copy of, until dropped.
#[derive(Debug)]
pub(crate) struct Place {
    parent: Arc<Parent>,
    _place: OwnedSemaphorePermit,
}

impl Place {
    /// What it is a copy of.
    pub(crate) fn parent(&self) -> Pid {
        self.parent.begun.child.pid()
    }

    /// Whether the kernel killed both for want of memory within their limit.
    pub(crate) fn ran_out_of_memory(&self) -> bool {
        self.parent.begun.child.ran_out_of_memory()
    }
}

impl Warm {
    /// A copy that knows `token`. None where there can be none, or not now: a plain start does the same.
    pub(crate) async fn copy(&self, setup: &Setup, token: &Token) -> Option<Begun> {
        if !setup.config.warm_parent || !matches!(setup.launch, Launch::Python(_)) {
            return None;
        }
        let mut state = self.state.lock().await;
        if let State::Ready(parent) = &*state
            && parent.control.has_ended()
        {
            *state = State::Cold;
        }
        if let State::Cold = &*state {
            *state = match Parent::start(setup).await {
                Ok(parent) => State::Ready(Arc::new(parent)),
                Err(why) => {
                    tracing::warn!(plugin.slug = %setup.session.slug(), %why, "a plugin cannot be copied, and is started plainly from now on");
                    State::Unfit
                }
            };
        }
        let State::Ready(parent) = &*state else { return None };
        *self.pid.lock().unwrap_or_else(PoisonError::into_inner) = Some(parent.begun.child.pid());
        let place = tokio::time::timeout(PLACE_PATIENCE, Arc::clone(&parent.place).acquire_owned()).await.ok()?.ok()?;
        match Parent::copy(Place { parent: Arc::clone(parent), _place: place }, setup, token).await {
            Ok(copy) => Some(copy),
            Err(why) => {
                tracing::warn!(plugin.slug = %setup.session.slug(), %why, "a plugin could not be copied, and is started plainly");
                *state = State::Cold;
                None
            }
        }
    }

    /// Ends what is copied, and waits for it.
    pub(crate) async fn end(&self) {
        *self.pid.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let state = std::mem::replace(&mut *self.state.lock().await, State::Unfit);
        if let State::Ready(parent) = state {
            parent.begun.child.signal_group(Signal::KILL);
            parent.begun.child.ended().await;
        }
    }

    /// What an administrator sees.
    pub(crate) fn status(&self) -> Value {
        let pid = *self.pid.lock().unwrap_or_else(PoisonError::into_inner);
        json!({ "pid": pid.map(Pid::as_raw_nonzero) })
    }
}

impl Parent {
    async fn start(setup: &Setup) -> io::Result<Self> {
        let home = Home::create(setup, false).map_err(|failure| io::Error::other(failure.to_string()))?;
        let (line, its_end) = Control::line()?;
        let program = begin::program(setup, &home, None, Some(its_end));
        let begun = Begun::start(setup, home, program).await?;
        let control = Arc::new(Control::new(line, begun.child.handle()?));
        let (waiting, patience) = (Arc::clone(&control), setup.config.start_timeout);
        spawn_blocking(move || waiting.imported(patience)).await.map_err(io::Error::other)??;
        Ok(Self { begun, control, place: Arc::new(Semaphore::new(1)) })
    }

    async fn copy(copied: Place, setup: &Setup, token: &Token) -> io::Result<Begun> {
        let parent = &copied.parent;
        let home = Arc::clone(&parent.begun.home);
        // What the copy before left behind.
        if let Err(error) = fs::remove_file(home.directory.socket())
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
        let (stdout, its_stdout) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
        let (stderr, its_stderr) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
        let output = begin::into_log(&setup.activation.log, Some(stdout), Some(stderr))?;
        let environment = begin::environment(setup, &home, Some(token));
        let (control, spawner) = (Arc::clone(&parent.control), setup.spawner.clone());
        // Whole even if nobody waits for it any more: the copy is then killed.
        let made = spawn_blocking(move || {
            let pid = control.copy(&environment, [its_stdout.as_fd(), its_stderr.as_fd()])?;
            Ok::<_, io::Error>((Child::copy(pid, control, spawner)?, copied))
        });
        let (child, copied) = made.await.map_err(io::Error::other)??;
        Ok(Begun { child, output, home, carriers: Vec::new(), copied: Some(copied) })
    }
}
