//! A plugin with three routes: a greeting, who is signed in, and an echo that streams.

use mint_sdk::{Request, Response, Result, Route, Router, log, settings};
use serde::Serialize;

static ROUTER: Router = Router::new(&[Route::get("/", greet), Route::get("/whoami", who_am_i), Route::post("/echo", echo)]);

mint_sdk::routes!(ROUTER);

/// Answers `{"message": "Hello, ada!", "plugin": "hello"}`; the first word is the setting `greeting`.
fn greet(request: Request) -> Result<Response> {
    let word = settings::text("greeting")?.unwrap_or_else(|| "Hello".to_owned());
    let user = request.user();
    let greeting = Greeting::new(&word, user.as_ref().map(|user| user.username.as_str()));
    log::info(&greeting.message);
    Response::json(&greeting)
}

/// Answers with the signed-in person, or nulls.
fn who_am_i(request: Request) -> Result<Response> {
    let user = request.user();
    Response::json(&Person {
        user_id: user.as_ref().map(|user| user.user_id),
        username: user.as_ref().map(|user| user.username.as_str()),
        role: user.as_ref().map(|user| user.role.as_str()),
    })
}

/// Sends the body back while it still comes in, whatever its size.
fn echo(request: Request) -> Result<Response> {
    let content_type = request.header("content-type").unwrap_or_else(|| "application/octet-stream".to_owned());
    let mut body = request.into_body()?;
    Ok(Response::stream(content_type, move |out| std::io::copy(&mut body, out).map(|_| ())))
}

#[derive(Serialize)]
struct Greeting {
    message: String,
    plugin: &'static str,
}

impl Greeting {
    fn new(word: &str, username: Option<&str>) -> Self {
        Self { message: format!("{word}, {}!", username.unwrap_or("stranger")), plugin: "hello" }
    }
}

#[derive(Serialize)]
struct Person<'a> {
    user_id: Option<i64>,
    username: Option<&'a str>,
    role: Option<&'a str>,
}

#[cfg(test)]
mod tests {
    use super::Greeting;

    #[test]
    fn a_person_is_greeted_by_name() {
        assert_eq!(Greeting::new("Guten Tag", Some("ada")).message, "Guten Tag, ada!");
    }

    #[test]
    fn somebody_unknown_is_a_stranger() {
        assert_eq!(Greeting::new("Hello", None).message, "Hello, stranger!");
    }
}
