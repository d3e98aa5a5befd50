//! Work that goes on when the request has ended, and that outlives the server. Needs the capability `jobs`.
//!
//! ```no_run
//! use mint_sdk::jobs::{self, Failure, Job, Jobs, Order};
//! use mint_sdk::{Request, Response, Result, json};
//!
//! /// A route that asks for a report, and answers before it is there.
//! fn ask(request: Request) -> Result<Response> {
//!     let experiment: i64 = request.parse_parameter("id")?;
//!     let job = Order::new("report").payload(&experiment)?.key(format!("report-{experiment}")).retries(3).enqueue()?;
//!     Response::json(&job)
//! }
//!
//! struct Plugin;
//!
//! impl Jobs for Plugin {
//!     fn run(kind: &str, payload: json::Value) -> Result<Option<json::Value>, Failure> {
//!         if kind != "report" {
//!             return Err(Failure::for_good(format!("there are no jobs of the kind {kind:?}")));
//!         }
//!         let experiment: i64 = json::from_value(payload)?;
//!         jobs::progress(Some(50), Some("half of the plates are read"))?;
//!         Ok(Some(json::json!({ "experiment": experiment })))
//!     }
//! }
//!
//! mint_sdk::jobs!(Plugin);
//! # fn main() {}
//! ```
//!
//! A job is done at least once: an attempt that came to no end, because the server did, is followed by another.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use crate::platform::jobs as host;
use crate::platform::types::Page;
use crate::{Error, Result};

pub use crate::export::jobs::Failure;

/// The work of a plugin, one function for all kinds of jobs.
pub trait Jobs {
    /// Does a job and gives its outcome. It may have been begun before, by an attempt that did not come to its end.
    ///
    /// # Errors
    ///
    /// Shown to the person who waits for the job; what `?` makes of an [`Error`] is followed by another attempt, as
    /// [`Order::retries`] says, and what it makes of JSON of another shape is not.
    fn run(kind: &str, payload: Value) -> Result<Option<Value>, Failure>;
}

impl Failure {
    /// A failed attempt: another may succeed.
    pub fn again(message: impl Into<String>) -> Self {
        Self { message: message.into(), is_final: false }
    }

    /// A failed job: another attempt would fail in the same way.
    pub fn for_good(message: impl Into<String>) -> Self {
        Self { message: message.into(), is_final: true }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::again(error.message())
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::for_good(Error::from(error).message())
    }
}

/// A job to ask for.
#[derive(Debug)]
#[must_use = "nothing is asked for before `enqueue`"]
pub struct Order {
    kind: String,
    payload: String,
    options: host::Options,
}

impl Order {
    /// A job of this kind, with the payload `null`, at once, without other attempts.
    pub fn new(kind: impl Into<String>) -> Self {
        let options = host::Options { key: None, delay_seconds: 0, retries: 0, heartbeat_seconds: None };
        Self { kind: kind.into(), payload: Value::Null.to_string(), options }
    }

    /// What the job is told: 64 KiB of JSON at most.
    ///
    /// # Errors
    ///
    /// 500 when it cannot be written as JSON.
    pub fn payload(mut self, payload: &impl Serialize) -> Result<Self> {
        self.payload = serde_json::to_string(payload)
            .map_err(|error| Error::internal(format!("the payload cannot be written as JSON: {error}")))?;
        Ok(self)
    }

    /// While a job with the same key is kept, asking again gives that one.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.options.key = Some(key.into());
        self
    }

    /// Waits so long before the first attempt, in whole seconds.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.options.delay_seconds = seconds(delay);
        self
    }

    /// How often a failed attempt is followed by another.
    pub fn retries(mut self, retries: u32) -> Self {
        self.options.retries = retries;
        self
    }

    /// Ends an attempt that gives no sign of life for so long, in whole seconds: neither [`progress`] nor [`heartbeat`].
    pub fn heartbeat(mut self, silence: Duration) -> Self {
        self.options.heartbeat_seconds = Some(seconds(silence));
        self
    }

    /// Asks for the job.
    ///
    /// # Errors
    ///
    /// 400 for what is wrong, 403 without the grant, 409 when the key names somebody else's job, 507 when too many wait.
    pub fn enqueue(self) -> Result<Job> {
        host::enqueue(&self.kind, &self.payload, &self.options)?.try_into()
    }
}

/// More than the platform takes is for it to refuse.
fn seconds(duration: Duration) -> u32 {
    duration.as_secs().try_into().unwrap_or(u32::MAX)
}

/// How a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Waits for its time, for its turn, or for another attempt.
    Queued,
    /// An attempt is being made.
    Running,
    /// Done.
    Completed,
    /// Given up.
    Failed,
    /// Not wanted any more.
    Cancelled,
}

impl From<host::Status> for Status {
    fn from(status: host::Status) -> Self {
        match status {
            host::Status::Queued => Self::Queued,
            host::Status::Running => Self::Running,
            host::Status::Completed => Self::Completed,
            host::Status::Failed => Self::Failed,
            host::Status::Cancelled => Self::Cancelled,
        }
    }
}

/// A job. Moments are microseconds since 1970 in UTC.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Job {
    /// Its number.
    pub id: i64,
    /// What it does.
    pub kind: String,
    /// The key that it was asked for with.
    pub key: Option<String>,
    /// How it is.
    pub status: Status,
    /// Attempts begun.
    pub attempt: u32,
    /// Whether somebody wants it to end.
    pub is_cancelled: bool,
    /// How far it is, 0 to 100, as it last said.
    pub percent: Option<u32>,
    /// What it does, as it last said.
    pub message: Option<String>,
    /// What it gave.
    pub outcome: Option<Value>,
    /// Why its last attempt failed.
    pub error: Option<String>,
    /// For whom it acts; none when the plugin acts on its own account.
    pub user_id: Option<i64>,
    /// When it was asked for.
    pub created_at: i64,
    /// Not before then.
    pub run_at: i64,
    /// Begin of its last attempt.
    pub started_at: Option<i64>,
    /// When it was done, given up or taken back.
    pub ended_at: Option<i64>,
}

impl TryFrom<host::Job> for Job {
    type Error = Error;

    fn try_from(job: host::Job) -> Result<Self> {
        Ok(Self {
            id: job.id,
            kind: job.kind,
            key: job.key,
            status: job.status.into(),
            attempt: job.attempt,
            is_cancelled: job.is_cancelled,
            percent: job.percent,
            message: job.message,
            outcome: job.outcome.as_deref().map(serde_json::from_str).transpose()?,
            error: job.error,
            user_id: job.user_id,
            created_at: job.created_at,
            run_at: job.run_at,
            started_at: job.started_at,
            ended_at: job.ended_at,
        })
    }
}

/// A job of this plugin: the acting user's own, or any when no user acts.
///
/// # Errors
///
/// 404 when there is no such job, 403 without the grant.
pub fn get(id: i64) -> Result<Job> {
    host::get(id)?.try_into()
}

/// The same, newest first, after `skip` of them; 1,000 at most.
///
/// # Errors
///
/// 403 without the grant.
pub fn list(skip: u32, limit: u32) -> Result<Vec<Job>> {
    host::list(Page { skip, limit })?.into_iter().map(Job::try_from).collect()
}

/// Takes back what was asked for: what waits never begins, what runs is told by [`cancelled`], and ended when it goes on.
/// False when it had ended.
///
/// # Errors
///
/// As for [`get`].
pub fn cancel(id: i64) -> Result<bool> {
    Ok(host::cancel(id)?)
}

/// The job that is being done; none outside of [`Jobs::run`].
pub fn current() -> Option<i64> {
    host::current()
}

/// Tells how far the current job is, in percent, and what it does; `None` leaves what was said before. A sign of life too.
///
/// # Errors
///
/// 409 when this attempt is not the job's any more, and should end, or outside of a job; 400 for what is wrong.
pub fn progress(percent: Option<u32>, message: Option<&str>) -> Result<()> {
    Ok(host::progress(percent, message)?)
}

/// Gives a sign of life of the current job.
///
/// # Errors
///
/// As for [`progress`].
pub fn heartbeat() -> Result<()> {
    Ok(host::heartbeat()?)
}

/// Whether somebody wants the current job to end. False outside of one.
pub fn cancelled() -> bool {
    host::cancelled()
}

#[doc(hidden)]
pub fn run<P: Jobs>(kind: &str, payload: &str) -> Result<Option<String>, Failure> {
    let outcome = P::run(kind, serde_json::from_str(payload)?)?;
    Ok(outcome.map(|outcome| outcome.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    struct Plugin;

    impl Jobs for Plugin {
        fn run(kind: &str, payload: Value) -> Result<Option<Value>, Failure> {
            match kind {
                "add" => {
                    let numbers: Vec<i64> = serde_json::from_value(payload)?;
                    Ok(Some(json!(numbers.iter().sum::<i64>())))
                }
                "refused" => Err(Error::new(503, "service.unavailable", "Later, perhaps."))?,
                _ => Ok(None),
            }
        }
    }

    #[test]
    fn a_job_is_done_over_json() {
        assert_eq!(run::<Plugin>("add", "[1,2]").expect("done").as_deref(), Some("3"));
        assert_eq!(run::<Plugin>("other", "null").expect("done"), None);
    }

    #[test]
    fn only_what_is_wrong_with_the_payload_is_final() {
        let failure = run::<Plugin>("add", "\"text\"").expect_err("no numbers");
        assert!(failure.is_final && failure.message.contains("expected a sequence"), "{failure:?}");
        let failure = run::<Plugin>("refused", "null").expect_err("refused");
        assert_eq!((failure.is_final, failure.message.as_str()), (false, "Later, perhaps."));
    }

    #[test]
    fn an_order_says_what_was_said() {
        let order = Order::new("report")
            .payload(&json!({ "plate": 7 }))
            .expect("JSON")
            .key("plate-7")
            .retries(3)
            .delay(Duration::from_millis(90_500))
            .heartbeat(Duration::from_secs(u64::MAX));
        assert_eq!((order.kind.as_str(), order.payload.as_str()), ("report", r#"{"plate":7}"#));
        let host::Options { key, delay_seconds, retries, heartbeat_seconds } = order.options;
        assert_eq!((key.as_deref(), delay_seconds, retries, heartbeat_seconds), (Some("plate-7"), 90, 3, Some(u32::MAX)));
    }

    #[test]
    fn a_job_is_shown_with_its_outcome() {
        let job = host::Job {
            id: 7,
            kind: "report".to_owned(),
            key: None,
            status: host::Status::Completed,
            attempt: 1,
            is_cancelled: false,
            percent: Some(100),
            message: None,
            outcome: Some(r#"{"wells":96}"#.to_owned()),
            error: None,
            user_id: Some(3),
            created_at: 1,
            run_at: 2,
            started_at: Some(3),
            ended_at: Some(4),
        };
        let shown = serde_json::to_value(Job::try_from(job).expect("a job")).expect("JSON");
        assert_eq!(
            (&shown["status"], &shown["outcome"]["wells"], &shown["ended_at"]),
            (&json!("completed"), &json!(96), &json!(4))
        );
    }
}
