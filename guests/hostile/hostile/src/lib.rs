//! Routes that misbehave, one for each thing that the platform must contain. Their answers, where they have one, say
//! what they were allowed to do.

mod border;
mod exhaust;
mod jobs;
mod leak;

use std::{io::Write as _, time::Duration};

use mint_sdk::bindings::routes::exports::mint::plugin::routes;
use mint_sdk::{Request, Response, Result, Route, Router};

static ROUTER: Router = Router::new(&[
    Route::get("/", well_behaved),
    Route::get("/spin", exhaust::spin),
    Route::get("/trap", exhaust::trap),
    Route::get("/eat", exhaust::eat),
    Route::get("/flood", exhaust::flood),
    Route::get("/stdout", exhaust::stdout),
    Route::get("/say", exhaust::say),
    Route::get("/handles", exhaust::hold),
    Route::get("/dropped", exhaust::dropped),
    Route::get("/naps", exhaust::naps),
    Route::get("/exit", exhaust::exit),
    Route::get("/endless", exhaust::endless),
    Route::get("/deep", exhaust::deep),
    Route::get("/sleep", sleep),
    Route::get("/ticks", ticks),
    Route::post("/hold", hold),
    Route::get("/remember", leak::remember),
    Route::get("/recall", leak::recall),
    Route::get("/canary", leak::canary),
    Route::get("/scan", leak::scan),
    Route::get("/fill", leak::fill),
    Route::get("/seek", leak::seek),
    Route::get("/heard", border::heard),
    Route::get("/speak", border::speak),
    Route::post("/jobs", jobs::enqueue),
]);

mint_sdk::jobs!(jobs::Misbehaved);

/// Not the SDK's macro: a good plugin has no way to leave a request unanswered.
struct Hostile;

impl routes::Guest for Hostile {
    fn handle(request: routes::Request) -> Option<routes::Response> {
        let answer = |status, name: &str, value: &str| {
            Some(routes::Response { status, headers: vec![(name.to_owned(), value.to_owned())], body: Vec::new() })
        };
        match request.target.rsplit('/').next() {
            Some("garbage") => None,
            Some("no-status") => answer(1_000, "a", "b"),
            Some("no-header") => answer(200, "a", "b\r\nset-cookie: mint_access_token=evil"),
            Some("wrong-length") => answer(200, "content-length", "5"),
            Some("twice") => {
                let _other = mint_sdk::bindings::imports::mint::plugin::exchange::answer();
                answer(200, "a", "b")
            }
            _ => mint_sdk::export::serve(&ROUTER, request),
        }
    }
}

const _: () = {
    let _ = Hostile;
    #[cfg(target_arch = "wasm32")]
    mint_sdk::bindings::routes::export_routes!(Hostile with_types_in mint_sdk::bindings::routes);
};

/// Proves that the component is still served.
fn well_behaved(_request: Request) -> Result<Response> {
    Ok(Response::text("still here"))
}

/// `?ms=`: answers after so long.
fn sleep(request: Request) -> Result<Response> {
    std::thread::sleep(Duration::from_millis(request.parse_query("ms")?.unwrap_or(1000)));
    Ok(Response::text("awake"))
}

/// `?type=`, `?count=`: says so many times that it is still there, ten times a second.
fn ticks(request: Request) -> Result<Response> {
    let content_type = request.parse_query("type")?.unwrap_or_else(|| "text/event-stream".to_owned());
    let count: u32 = request.parse_query("count")?.unwrap_or(u32::MAX);
    Ok(Response::stream(content_type, move |body| {
        for _ in 0..count {
            body.write_all(b"data: tick\n\n")?;
            body.flush()?;
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }))
}

/// `?ms=`: holds the request so long without reading its body, then answers without having read it.
fn hold(request: Request) -> Result<Response> {
    std::thread::sleep(Duration::from_millis(request.parse_query("ms")?.unwrap_or(1000)));
    Ok(Response::text("the body was not read"))
}
