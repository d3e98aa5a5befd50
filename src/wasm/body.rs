//! The body of a response whose guest is still at work.

use std::{
    collections::VecDeque,
    future::{Future as _, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame};
use mint_context::runtime::{BodyError, Fault};
use tokio::{
    runtime::Handle,
    task::unconstrained,
    time::{Sleep, sleep},
};
use tokio_util::task::TaskTracker;
use wasmtime_wasi_http::{Error, p2::body::HyperOutgoingBody};

use crate::{guest::Guest, instance::Instance};

/// What a body must keep to.
pub(crate) struct Finish {
    /// Most bytes.
    pub bytes_max: u64,
    /// Longest time between two frames.
    pub patience: Duration,
    /// Bytes that the head announced.
    pub promised: Option<u64>,
    /// The response to a `HEAD` has no body.
    pub is_head: bool,
    /// Runs guests that have something to do after their response.
    pub tails: TaskTracker,
}

impl Finish {
    /// The fault of a body that is longer than allowed.
    pub(crate) fn too_long(&self) -> Fault {
        Fault::Limit {
            limit: "response_body_bytes_max",
            message: format!("The plugin's response is longer than its {} bytes.", self.bytes_max),
        }
    }
}

/// Frames of a response.
pub(crate) enum ResponseBody {
    /// All of them are here.
    Whole(VecDeque<Frame<Bytes>>),
    /// The guest makes them.
    Streaming(Box<Streaming>),
}

/// A body that is being made.
pub(crate) struct Streaming {
    /// None when it failed or was handed on.
    guest: Option<Guest<()>>,
    /// Where the guest has returned: its instance, until the last frame tells that it left nothing open.
    returned: Option<Instance>,
    running: bool,
    frames: HyperOutgoingBody,
    finish: Finish,
    bytes: u64,
    ended: bool,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl ResponseBody {
    /// A body of these frames, which came out of a guest that has returned.
    pub(crate) fn whole(frames: Vec<Frame<Bytes>>) -> Self {
        Self::Whole(frames.into())
    }

    /// A body whose `frames` are made by `guest`.
    pub(crate) fn streaming(guest: Guest<()>, frames: HyperOutgoingBody, finish: Finish) -> Self {
        Self::Streaming(Box::new(Streaming {
            guest: Some(guest),
            returned: None,
            running: true,
            frames,
            finish,
            bytes: 0,
            ended: false,
            waiting: None,
        }))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut *self {
            Self::Whole(frames) => Poll::Ready(frames.pop_front().map(Ok)),
            Self::Streaming(streaming) => streaming.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(frames) => frames.is_empty(),
            Self::Streaming(streaming) => streaming.ended,
        }
    }
}

/// The next frame. tokio's channels say "not yet" to tasks that have run for long, which here would look like a guest
/// that left its response open.
pub(crate) fn poll_frames(frames: &mut HyperOutgoingBody, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
    let once = unconstrained(poll_fn(|cx| Poll::Ready(Pin::new(&mut *frames).poll_frame(cx))));
    match pin!(once).poll(cx) {
        Poll::Ready(polled) => polled,
        Poll::Pending => Poll::Pending,
    }
}

type Polled = Poll<Option<Result<Frame<Bytes>, BodyError>>>;

impl Streaming {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Polled {
        if self.ended {
            return Poll::Ready(None);
        }
        let mut polled = poll_frames(&mut self.frames, cx);
        // Also with a frame at hand: the guest learns that there is room again, and may come to its end.
        if let Err(fault) = self.poll_guest(cx) {
            return self.fail(fault);
        }
        if polled.is_pending() {
            polled = poll_frames(&mut self.frames, cx);
        }
        if polled.is_pending() && !self.running {
            // It left its response open. With its instance, the other end of the channel goes.
            self.returned = None;
            polled = poll_frames(&mut self.frames, cx);
        }
        match polled {
            Poll::Ready(Some(Ok(frame))) => self.take(frame),
            Poll::Ready(Some(Err(error))) => self.fault(Fault::Garbage(format!("it cut its response off: {error}"))),
            Poll::Ready(None) => self.end(),
            Poll::Pending if !self.running => self.end(),
            Poll::Pending => self.wait(cx),
        }
    }

    fn poll_guest(&mut self, cx: &mut Context<'_>) -> Result<(), Fault> {
        let Some(guest) = self.guest.as_mut().filter(|_| self.running) else { return Ok(()) };
        match Pin::new(guest).poll(cx) {
            Poll::Pending => Ok(()),
            Poll::Ready(Ok(((), instance))) => {
                self.running = false;
                self.returned = Some(instance);
                Ok(())
            }
            Poll::Ready(Err(fault)) => {
                self.running = false;
                self.guest = None;
                Err(fault)
            }
        }
    }

    fn take(&mut self, frame: Frame<Bytes>) -> Polled {
        self.waiting = None;
        self.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
        if self.bytes > self.finish.bytes_max {
            return self.fault(self.finish.too_long());
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn end(&mut self) -> Polled {
        if self.finish.promised.is_some_and(|promised| promised != self.bytes) {
            return self.fault(Fault::Garbage(format!("its response has {} bytes, not as many as it promised", self.bytes)));
        }
        self.ended = true;
        self.give_back();
        Poll::Ready(None)
    }

    fn give_back(&mut self) {
        if let (Some(guest), Some(instance)) = (&self.guest, self.returned.take()) {
            guest.leave(instance);
        }
    }

    fn wait(&mut self, cx: &mut Context<'_>) -> Polled {
        let patience = self.finish.patience;
        match self.waiting.get_or_insert_with(|| Box::pin(sleep(patience))).as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => self.fault(Fault::Timeout(patience)),
        }
    }

    /// Ends the body with a fault that the guest has not noticed itself.
    fn fault(&mut self, fault: Fault) -> Polled {
        self.returned = None;
        let fault = match self.guest.take() {
            Some(guest) => guest.end_with(fault),
            None => fault,
        };
        self.fail(fault)
    }

    fn fail(&mut self, fault: Fault) -> Polled {
        self.ended = true;
        self.running = false;
        self.guest = None;
        Poll::Ready(Some(Err(Box::new(fault))))
    }

    /// Whether the client has all that it was to get.
    fn is_complete(&self) -> bool {
        self.ended || self.finish.is_head || self.finish.promised == Some(self.bytes)
    }
}

impl Drop for Streaming {
    /// A guest may work on after its response; a response that nobody waits for any more ends its guest.
    fn drop(&mut self) {
        if !self.is_complete() {
            return;
        }
        let mut cx = Context::from_waker(Waker::noop());
        if !self.running {
            if let Poll::Ready(None) = poll_frames(&mut self.frames, &mut cx) {
                self.give_back();
            }
        } else if let (Some(guest), Ok(runtime)) = (self.guest.take(), Handle::try_current()) {
            self.finish.tails.spawn_on(guest.finish(self.finish.patience), &runtime);
        }
    }
}
