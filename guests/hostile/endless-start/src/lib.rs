//! A plugin whose start never ends.

use std::hint::black_box;

use mint_sdk::{Environment, Lifecycle, Request, Response, Result, Route, Router};

static ROUTER: Router = Router::new(&[Route::get("/", answer)]);

mint_sdk::routes!(ROUTER);
mint_sdk::lifecycle!(Plugin);

struct Plugin;

impl Lifecycle for Plugin {
    fn initialize(_environment: Environment) -> Result<(), String> {
        loop {
            black_box(());
        }
    }
}

fn answer(_request: Request) -> Result<Response> {
    Ok(Response::text("This plugin should not have started."))
}
