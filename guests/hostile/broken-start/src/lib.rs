//! A plugin whose start fails with a reason that an administrator should read.

use mint_sdk::{Environment, Lifecycle, Request, Response, Result, Route, Router};

static ROUTER: Router = Router::new(&[Route::get("/", answer)]);

mint_sdk::routes!(ROUTER);
mint_sdk::lifecycle!(Plugin);

struct Plugin;

impl Lifecycle for Plugin {
    fn initialize(_environment: Environment) -> Result<(), String> {
        Err("The calibration table is missing: upload it in the settings.".to_owned())
    }
}

fn answer(_request: Request) -> Result<Response> {
    Ok(Response::text("This plugin should not have started."))
}
