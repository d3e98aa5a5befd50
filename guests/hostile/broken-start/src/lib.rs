//! A plugin whose start fails with a reason that an administrator should read, until the setting is there that it names.

use mint_sdk::{Environment, Lifecycle, Request, Response, Result, Route, Router, json::Value};

static ROUTER: Router = Router::new(&[Route::get("/", answer)]);

mint_sdk::routes!(ROUTER);
mint_sdk::lifecycle!(Plugin);

struct Plugin;

impl Lifecycle for Plugin {
    fn initialize(environment: Environment) -> Result<(), String> {
        let settings: Value = mint_sdk::json::from_str(&environment.settings).map_err(|error| error.to_string())?;
        match settings.get("calibration") {
            Some(_) => Ok(()),
            None => Err("The calibration table is missing: name it in the settings.".to_owned()),
        }
    }
}

fn answer(_request: Request) -> Result<Response> {
    Ok(Response::text("calibrated"))
}
