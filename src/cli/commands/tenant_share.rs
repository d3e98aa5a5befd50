//! `mint tenant share` and `mint tenant give`: what each laboratory may take of the server.

use std::{collections::BTreeMap, path::Path};

use mint_domain::Slug;
use mint_platform::Accounts;
use reqwest::Method;

use super::{
    limits::{Changes, rows},
    user::at_the_machine,
};
use crate::{client::Connection, output::Output};

/// Shows what all plugins of one's own laboratory together may take, and what they do.
pub(super) async fn show(connection: &Connection, output: Output) -> anyhow::Result<()> {
    let client = connection.client()?;
    let share = client.send(client.request(Method::GET, "/api/platform/share")).await?;
    let head = ["SHARE", "VALUE", "SAID BY", "NOW", "MOST SO FAR", "REACHED"];
    output.print(&share, |share| rows(share, &head, &["name", "value", "from", "current", "peak", "reached"]))
}

/// Gives a laboratory a share of its own.
pub(super) async fn give(tenant: &Slug, changes: &Changes, config: Option<&Path>, output: Output) -> anyhow::Result<()> {
    let edits = changes.edits()?;
    let services = at_the_machine(config).await?;
    let share = Accounts::new(services.clone()).set_share(tenant, &edits).await;
    services.db.close().await;
    let share = serde_json::to_value(share?)?;
    let own: BTreeMap<String, u64> = serde_json::from_value(share.clone())?;
    output.print(&share, |_| {
        let own: Vec<String> = own.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("{tenant}: {}", if own.is_empty() { "as everybody".to_owned() } else { own.join(", ") })
    })
}
