//! `mint tenant export`: all that one's own laboratory has, in one file.

use std::{
    io::{IsTerminal as _, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail, ensure};
use mint_domain::{Digest, Slug};
use reqwest::{Method, Response, header};
use serde_json::json;

use crate::{client::Connection, download, output::Output};

/// Fetches it, to a file or to standard output.
pub(super) async fn run(tenant: &Slug, file: Option<PathBuf>, connection: &Connection, output: Output) -> anyhow::Result<()> {
    if file.is_none() && std::io::stdout().is_terminal() {
        bail!("an export is no text: say where it goes with --output FILE, or `> FILE`");
    }
    file.as_deref().map_or(Ok(()), download::expect_absent)?;
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
    let check = |partial: &Path| {
        let kept = mint_bundle::archive::digest(partial).context("what came cannot be read")?;
        ensure!(kept.0 == digest, "what came is not what was sent; nothing was written");
        Ok(())
    };
    let bytes = download::save(response, &file, (output, "export"), check).await?;
    let told = json!({ "tenant": tenant, "file": file, "bytes": bytes, "digest": digest });
    output.print(&told, |_| format!("{} holds the laboratory {tenant}: {bytes} bytes, {digest}", file.display()))
}

fn digest(response: &Response) -> Option<Digest> {
    let tag = response.headers().get(header::ETAG)?.to_str().ok()?;
    tag.trim_matches('"').parse().ok()
}
