//! The measure of all rows: an axum handler that answers the same small JSON as the plugins' `/whoami`, and does nothing else.

use std::{env, net::SocketAddr, path::Path, process::Command};

use anyhow::Result;
use axum::{Json, Router, routing::get};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::process::{Server, free_address};

const ADDRESS: &str = "MINT_BENCH_ADDRESS";

/// Serves until it is ended.
pub(crate) fn serve() -> Result<()> {
    listen(Router::new().route("/", get(who_am_i)))
}

/// Serves `router` where [`command`] says, until it is ended.
pub(crate) fn listen(router: Router) -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let listener = TcpListener::bind(env::var(ADDRESS)?).await?;
        Ok(axum::serve(axum::serve::ListenerExt::tap_io(listener, |stream| drop(stream.set_nodelay(true))), router).await?)
    })
}

async fn who_am_i() -> Json<Value> {
    Json(json!({"user_id": 1, "username": "ada", "role": "admin"}))
}

/// Starts this program again as that server.
pub(crate) fn start(dir: &Path) -> Result<Server> {
    let (command, address) = command("axum")?;
    Server::start(command, address, dir)
}

/// This program as the server `part`, and where it will listen.
pub(crate) fn command(part: &str) -> Result<(Command, SocketAddr)> {
    let address = free_address()?;
    let mut command = Command::new(env::current_exe()?);
    command.arg(part).env(ADDRESS, address.to_string());
    Ok((command, address))
}
