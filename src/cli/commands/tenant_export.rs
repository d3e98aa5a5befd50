//! `mint tenant export`: all that one's own laboratory has, in one file.

use std::{
    io::{IsTerminal as _, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail, ensure};
use mint_domain::{Digest, Slug};
use reqwest::{Method, Response, header};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;

use crate::{client::Connection, output::Output, progress::transfer};

/// Fetches it, to a file or to standard output.
pub(super) async fn run(tenant: &Slug, file: Option<PathBuf>, connection: &Connection, output: Output) -> anyhow::Result<()> {
    if file.is_none() && std::io::stdout().is_terminal() {
        bail!("an export is no text: say where it goes with --output FILE, or `> FILE`");
    }
    let client = connection.client()?;
    let request = client.request(Method::GET, "/api/platform/export").query(&[("tenant", tenant.as_str())]);
    let mut response = client.open(request).await?;
    let digest = digest(&response).context("the server gave no digest")?;
    let Some(file) = file else {
        let mut out = std::io::stdout();
        while let Some(chunk) = response.chunk().await.context("the export broke off")? {
            out.write_all(&chunk)?;
        }
        return Ok(out.flush()?);
    };
    let partial = file.with_extension("partial");
    let bytes = write(response, &partial, output).await?;
    let kept = mint_bundle::archive::digest(&partial).with_context(|| format!("{} cannot be read", partial.display()))?;
    ensure!(kept.0 == digest, "what came is not what was sent: {} is left for a look", partial.display());
    tokio::fs::rename(&partial, &file).await?;
    let told = json!({ "tenant": tenant, "file": file, "bytes": bytes, "digest": digest });
    output.print(&told, |_| format!("{} holds the laboratory {tenant}: {bytes} bytes, {digest}", file.display()))
}

async fn write(mut response: Response, partial: &Path, output: Output) -> anyhow::Result<u64> {
    let mut target =
        tokio::fs::File::create(partial).await.with_context(|| format!("{} cannot be written", partial.display()))?;
    let bar = transfer(output, "export", response.content_length());
    let mut bytes = 0;
    while let Some(chunk) = response.chunk().await.context("the export broke off")? {
        target.write_all(&chunk).await?;
        bytes += chunk.len() as u64;
        bar.inc(chunk.len() as u64);
    }
    bar.finish_and_clear();
    target.sync_all().await?;
    Ok(bytes)
}

fn digest(response: &Response) -> Option<Digest> {
    let tag = response.headers().get(header::ETAG)?.to_str().ok()?;
    tag.trim_matches('"').parse().ok()
}
