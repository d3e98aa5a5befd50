//! `cargo xtask demo`: a laboratory with two real data sets and the two plugins that analyse them.

mod analyses;
mod client;
mod server;

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::{
    guests::{self, Profile},
    paths,
    run::say,
    setup,
};
use client::Client;
use server::Server;

/// What to do.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// End after the results instead of serving on
    #[arg(long)]
    once: bool,
    /// Where to serve, on the loopback address only
    #[arg(long, default_value_t = 8001)]
    port: u16,
}

const USER: &str = "demo";
const PLUGINS: [&str; 4] = ["hello", "hello-python", "lcms-features", "dose-response"];

/// Builds what is needed, then shows it.
pub(crate) fn run(options: &Options) -> Result<()> {
    let tools = setup::run()?;
    let mint = guests::build_mint(Profile::Dev)?;
    let bundles = guests::build(&tools, &mint, &PLUGINS.map(str::to_owned))?;
    // Made anew each time, so that what is shown is what this version does.
    let dir = paths::target().join("demo");
    if dir.exists() {
        fs::remove_dir_all(&dir).with_context(|| format!("cannot remove {}", dir.display()))?;
    }
    fs::create_dir_all(&dir)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let password = server::password()?;
        let mut server = Server::start(&tools, &mint, &dir, options.port, USER, &password).await?;
        let shown = show(&server, &bundles, &dir, &password).await;
        if let Err(error) = shown {
            return Err(error.context(format!("the last lines of the server's log:\n{}", server.log_tail())));
        }
        if !options.once {
            println!("\n{} is open until you press Ctrl-C; sign in as `{USER}` with the password `{password}`.", server.url());
            server.until_interrupted().await?;
        }
        server.stop()
    })
}

async fn show(server: &Server, bundles: &Path, dir: &Path, password: &str) -> Result<()> {
    let client = Client::sign_in(server.url(), USER, password).await?;
    for plugin in PLUGINS {
        say(&format!("Installing {plugin}"));
        client.install(&bundles.join(format!("{plugin}.mint"))).await?;
    }
    client.post("/api/projects", &json!({"name": "Demo", "description": "Real data from the literature."})).await?;
    println!("\nInstalled");
    for plugin in array(&client.get("/api/plugins").await?, "/installed") {
        let text = |name: &str| plugin.get(name).and_then(Value::as_str).unwrap_or_default();
        println!("  {:<14} {:<9} {}{}", text("name"), text("mode"), server.url(), text("api_prefix"));
        println!("  {:<14} {}", "", text("mode_reason"));
    }
    analyses::hello(&client).await?;
    analyses::lcms(&client, dir).await?;
    analyses::dose_response(&client, dir).await
}

fn array<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}
