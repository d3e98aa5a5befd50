//! `cargo xtask demo`: a laboratory with two real data sets and the two plugins that analyse them.

mod analyses;
mod client;
mod figures;
mod server;

use std::{fs, net::TcpListener, path::Path};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::{
    guests::{self, Profile},
    paths,
    run::{during, during_async},
    setup,
};
use client::Client;
use figures::Table;
use server::{Account, Server};

/// What to do.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// End after the results instead of serving on; fails if a figure is not the expected one
    #[arg(long)]
    once: bool,
    /// Where to serve, on the loopback address only
    #[arg(long, default_value_t = 8001, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
}

/// Each with what its installation waits for.
const PLUGINS: [(&str, &str); 3] = [
    ("hello", "compiles a component"),
    ("lcms-features", "compiles a component"),
    ("dose-response", "makes a Python environment with numpy and scipy"),
];

/// Builds what is needed, then shows it.
pub(crate) fn run(options: &Options) -> Result<()> {
    check_port(options.port)?;
    let tools = setup::run()?;
    let mint = guests::build_mint(Profile::Dev)?;
    let bundles = guests::build(&tools, &mint, &PLUGINS.map(|(plugin, _)| plugin.to_owned()))?;
    // Made anew each time, so that what is shown is what this version does.
    let dir = paths::target().join("demo");
    if dir.exists() {
        during("Removing the last demonstration", || {
            fs::remove_dir_all(&dir).with_context(|| format!("cannot remove {}", dir.display()))
        })?;
    }
    fs::create_dir_all(&dir)?;
    // One thread: the server ends with the thread that started it, which must be the last of this program.
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let account = Account::new()?;
        let mut server = Server::prepare(&tools, &mint, &dir, options.port);
        let mut interrupted = std::pin::pin!(interruption()?);
        let shown = tokio::select! {
            shown = present(&mut server, &account, &bundles, &dir) => shown,
            () = &mut interrupted => bail!("interrupted; the server was stopped"),
        };
        let figures = shown.map_err(|error| server.explain(error))?;
        if !options.once {
            println!("\n{} is open until you press Ctrl-C.", server.url());
            tokio::select! {
                ended = server.ended() => return Err(ended),
                () = &mut interrupted => {}
            }
        }
        server.stop()?;
        if options.once && !figures.all_agree() {
            bail!("{}", figures.verdict());
        }
        Ok(())
    })
}

/// Told now, not after minutes of building.
fn check_port(port: u16) -> Result<()> {
    TcpListener::bind(("127.0.0.1", port))
        .map(drop)
        .with_context(|| format!("cannot serve on port {port}: choose another, such as `cargo xtask demo --port {}`", port ^ 16))
}

/// Ends with the first signal that asks this program to end.
fn interruption() -> Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut signals = [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?];
    Ok(async move {
        let [interrupt, terminate, hangup] = &mut signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    })
}

/// Everything up to the last figure.
async fn present(server: &mut Server, account: &Account, bundles: &Path, dir: &Path) -> Result<Table> {
    during_async("Starting mint on SQLite", server.start(account)).await?;
    let client = Client::sign_in(server.url(), account).await?;
    for (plugin, work) in PLUGINS {
        let bundle = bundles.join(format!("{plugin}.mint"));
        during_async(&format!("Installing {plugin} ({work})"), client.install(&bundle)).await?;
    }
    client.post("/api/projects", &json!({"name": analyses::PROJECT, "description": "Real data from the literature."})).await?;

    println!("\nPlugins behind {}", client.url(""));
    for plugin in array(&client.get("/api/plugins").await?, "/installed") {
        let text = |name: &str| plugin.get(name).and_then(Value::as_str).unwrap_or_default();
        println!("  {:<14} {:<9} {:<28} {}", text("name"), text("mode"), text("api_prefix"), text("mode_reason"));
    }
    let greeting = client.get("/api/hello/").await?;
    println!("\nThe plugin hello says: {}", greeting.get("message").and_then(Value::as_str).unwrap_or_default());
    let mut table = Table::default();
    let features = analyses::lcms(&client, dir, &mut table).await?;
    analyses::dose_response(&client, dir, &mut table).await?;
    println!("\n{}.", table.verdict());
    sign_in_help(&client, account, &features);
    Ok(table)
}

fn sign_in_help(client: &Client, account: &Account, path: &str) {
    let Account { tenant, username, password } = account;
    println!("\nThe links want a sign-in: laboratory `{tenant}`, name `{username}`, password `{password}`");
    println!("  browser   {} , which goes on to the features;", client.url(&format!("/auth/sign-in?next={path}")));
    println!("            the other links open then as well");
    println!("  terminal  {}", client.curl(path));
}

fn array<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}
