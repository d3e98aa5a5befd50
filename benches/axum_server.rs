//! The measure of all rows: an axum handler that answers the same small JSON as the plugins' `/whoami`, and does nothing else.

use std::{env, path::Path, process::Command};

use anyhow::Result;
use axum::{Json, Router, routing::get};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::process::{Server, free_address};

const ADDRESS: &str = "MINT_BENCH_ADDRESS";

/// Serves until it is ended.
pub(crate) fn serve() -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let listener = TcpListener::bind(env::var(ADDRESS)?).await?;
        let router = Router::new().route("/", get(who_am_i));
        Ok(axum::serve(axum::serve::ListenerExt::tap_io(listener, |stream| drop(stream.set_nodelay(true))), router).await?)
    })
}

async fn who_am_i() -> Json<Value> {
    Json(json!({"user_id": 1, "username": "ada", "role": "admin"}))
}

/// Starts this program again as that server.
pub(crate) fn start(dir: &Path) -> Result<Server> {
    let address = free_address()?;
    let mut command = Command::new(env::current_exe()?);
    command.arg("axum").env(ADDRESS, address.to_string());
    Server::start(command, address, dir)
}
