//! Misbehaves when nobody waits.

use std::{thread, time::Duration};

use mint_sdk::jobs::{self, Failure, Jobs, Order};
use mint_sdk::json::{Value, json};
use mint_sdk::platform::identity;
use mint_sdk::{Request, Response, Result};
use serde::Deserialize;

use crate::exhaust;

/// How long the job `wait` sleeps before it looks again whether it is wanted.
const LOOK_MS: u64 = 50;

/// What `POST /jobs` is told.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    kind: String,
    #[serde(default)]
    payload: Value,
    key: Option<String>,
    #[serde(default)]
    delay_seconds: u32,
    #[serde(default)]
    retries: u32,
    heartbeat_seconds: Option<u32>,
}

/// Asks for a job, and answers with it.
pub(crate) fn enqueue(request: Request) -> Result<Response> {
    let wanted: Wanted = request.json()?;
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    let mut order =
        Order::new(wanted.kind).payload(&wanted.payload)?.delay(seconds(wanted.delay_seconds)).retries(wanted.retries);
    if let Some(key) = wanted.key {
        order = order.key(key);
    }
    if let Some(silence) = wanted.heartbeat_seconds {
        order = order.heartbeat(seconds(silence));
    }
    Response::json(&order.enqueue()?)
}

/// A kind of job for each thing that the platform must contain.
pub(crate) struct Misbehaved;

impl Jobs for Misbehaved {
    fn run(kind: &str, payload: Value) -> Result<Option<Value>, Failure> {
        Ok(match kind {
            "echo" => Some(payload),
            "fail" => return Err(failure(&payload)),
            "spin" => exhaust::spin_for_ever(),
            "sleep" | "silent" => Some(sleep(&payload)),
            "wait" => Some(wait()),
            "trap" => exhaust::break_rules(),
            "eat" => exhaust::eat_for_ever(),
            "long" => Some(long(&payload)),
            "whoami" => Some(who_am_i()),
            "progress" => {
                progress(&payload)?;
                None
            }
            other => return Err(Failure::for_good(format!("no job {other:?}"))),
        })
    }
}

fn failure(payload: &Value) -> Failure {
    let message = text(payload, "message").unwrap_or("failed, as it was told");
    if payload.get("final").and_then(Value::as_bool).unwrap_or_default() {
        Failure::for_good(message)
    } else {
        Failure::again(message)
    }
}

fn sleep(payload: &Value) -> Value {
    let ms = number(payload, "ms");
    thread::sleep(Duration::from_millis(ms));
    json!({ "slept": ms })
}

fn wait() -> Value {
    while !jobs::cancelled() {
        thread::sleep(Duration::from_millis(LOOK_MS));
    }
    json!({ "cancelled": true })
}

/// So many bytes, with the quotation marks.
fn long(payload: &Value) -> Value {
    let bytes = usize::try_from(number(payload, "bytes")).unwrap_or_default();
    "x".repeat(bytes.saturating_sub(2)).into()
}

fn who_am_i() -> Value {
    json!(identity::current().map(|actor| json!({ "user_id": actor.user_id, "username": actor.username })))
}

/// Sleeps when it has told how far it is.
fn progress(payload: &Value) -> Result<()> {
    let percent = payload.get("percent").and_then(Value::as_u64).and_then(|percent| percent.try_into().ok());
    jobs::progress(percent, text(payload, "message"))?;
    sleep(payload);
    Ok(())
}

fn number(payload: &Value, name: &str) -> u64 {
    payload.get(name).and_then(Value::as_u64).unwrap_or_default()
}

fn text<'a>(payload: &'a Value, name: &str) -> Option<&'a str> {
    payload.get(name).and_then(Value::as_str)
}
