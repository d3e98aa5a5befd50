use mint_sdk::Result;
use mint_sdk::jobs::{Failure, Job, Jobs};
use mint_sdk::json::{self, Value, json};
use mint_sdk::platform::jobs::{self, Options};

use super::Arguments;

pub(super) fn call(function: &str, with: &Arguments) -> Result<Value> {
    let id = with.number("id");
    Ok(match function {
        "enqueue" => shown(jobs::enqueue(&with.text("kind"), &with.document("payload"), &options(with))?)?,
        "get" => shown(jobs::get(id)?)?,
        "list" => jobs::list(with.page())?.into_iter().map(shown).collect::<Result<Value>>()?,
        "cancel" => json!(jobs::cancel(id)?),
        "current" => json!(jobs::current()),
        "progress" => {
            jobs::progress(with.count("percent"), with.optional_text("message").as_deref())?;
            Value::Null
        }
        "heartbeat" => {
            jobs::heartbeat()?;
            Value::Null
        }
        "cancelled" => json!(jobs::cancelled()),
        other => return Err(super::no_such_function(other)),
    })
}

fn options(with: &Arguments) -> Options {
    Options {
        key: with.optional_text("key"),
        delay_seconds: with.count("delay_seconds").unwrap_or_default(),
        retries: with.count("retries").unwrap_or_default(),
        heartbeat_seconds: with.count("heartbeat_seconds"),
    }
}

fn shown(job: jobs::Job) -> Result<Value> {
    Ok(json::to_value(Job::try_from(job)?)?)
}

/// The job `call`, which calls, too: `{"function": "jobs.current", "arguments": {}}`. Its outcome is what the call gave.
pub(crate) struct Called;

impl Jobs for Called {
    fn run(kind: &str, mut payload: Value) -> Result<Option<Value>, Failure> {
        if kind != "call" {
            return Err(Failure::for_good(format!("no job {kind:?}")));
        }
        let arguments = Arguments(payload.get_mut("arguments").map(Value::take).unwrap_or_default());
        let function = payload.get("function").and_then(Value::as_str).unwrap_or_default();
        Ok(Some(super::named(function, &arguments)?))
    }
}
