//! Every function of `mint:platform@1.0.0`, by name: `POST /call/experiments.get` with the arguments as a JSON object.

mod database;
mod designs;
mod experiments;
mod identity;
mod jobs;
mod objects;
mod projects;
mod results;
mod settings;

pub(crate) use jobs::Called;

use mint_sdk::json::Value;
use mint_sdk::platform::types::Page;
use mint_sdk::{Error, Request, Response, Result};

/// Calls the function of the path and answers with what it gave, or with its error.
pub(crate) fn call(request: Request) -> Result<Response> {
    let arguments = Arguments(request.json()?);
    Response::json(&named(request.parameter("function").unwrap_or_default(), &arguments)?)
}

/// Calls a function by its name, `interface.function`.
fn named(function: &str, arguments: &Arguments) -> Result<Value> {
    let (interface, function) = function.split_once('.').unwrap_or((function, ""));
    match interface {
        "database" => database::call(function, arguments),
        "designs" => designs::call(function, arguments),
        "experiments" => experiments::call(function, arguments),
        "identity" => identity::call(function, arguments),
        "jobs" => jobs::call(function, arguments),
        "objects" => objects::call(function, arguments),
        "projects" => projects::call(function, arguments),
        "results" => results::call(function, arguments),
        "settings" => settings::call(function, arguments),
        _ => Err(no_such_function(interface)),
    }
}

fn no_such_function(name: &str) -> Error {
    Error::not_found(format!("no function {name:?}"))
}

/// The arguments of a call. What is missing is nothing, 0 or empty.
struct Arguments(Value);

impl Arguments {
    fn get(&self, name: &str) -> &Value {
        self.0.get(name).unwrap_or(&Value::Null)
    }

    fn number(&self, name: &str) -> i64 {
        self.get(name).as_i64().unwrap_or_default()
    }

    /// Where it was given; what is no number of 32 bits was not.
    fn count(&self, name: &str) -> Option<u32> {
        self.get(name).as_u64()?.try_into().ok()
    }

    fn flag(&self, name: &str) -> bool {
        self.get(name).as_bool().unwrap_or_default()
    }

    fn text(&self, name: &str) -> String {
        self.optional_text(name).unwrap_or_default()
    }

    fn optional_text(&self, name: &str) -> Option<String> {
        self.get(name).as_str().map(str::to_owned)
    }

    fn texts(&self, name: &str) -> Option<Vec<String>> {
        let list = self.get(name).as_array()?;
        Some(list.iter().filter_map(|text| text.as_str().map(str::to_owned)).collect())
    }

    /// A JSON object of so many bytes, where `bytes` is given, or with so many lists in each other, where `depth` is; else the
    /// document as it is.
    fn document(&self, name: &str) -> String {
        if let Some(depth) = self.get("depth").as_u64().and_then(|depth| usize::try_from(depth).ok()) {
            return format!(r#"{{"x":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
        }
        let Some(bytes) = self.get("bytes").as_u64() else { return self.get(name).to_string() };
        let around = r#"{"x":""}"#.len();
        let filling = usize::try_from(bytes).unwrap_or_default().saturating_sub(around);
        format!(r#"{{"x":"{}"}}"#, "y".repeat(filling))
    }

    fn page(&self) -> Page {
        Page { skip: 0, limit: 100 }
    }
}
