//! Calls everything that the platform offers, as it is told: every function of `mint:platform`, its directories, and
//! the way out. It keeps to no measure, so that it also shows where each of them ends.

mod calls;
mod files;
mod outbound;

use mint_sdk::{Route, Router};

static ROUTER: Router = Router::new(&[
    Route::post("/call/{function}", calls::call),
    Route::get("/fill", files::fill),
    Route::get("/outbound", outbound::ask),
]);

mint_sdk::routes!(ROUTER);
