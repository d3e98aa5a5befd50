//! Who has which part in a project or an experiment, for the commands about both.

use clap::{Args, ValueEnum};
use reqwest::Method;
use serde_json::{Value, json};

use super::user;
use crate::{
    client::Client,
    output::{Output, cell, table},
};

/// A part.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Role {
    /// Looks
    Viewer,
    /// Works on it
    Editor,
    /// Decides on it
    Owner,
}

/// Whose part it is to be.
#[derive(Debug, Args)]
pub(super) struct Person {
    /// Number of what is shared
    pub(super) id: i64,
    /// Name to sign in with
    pub(super) username: String,
}

/// Shows everybody who has a part.
pub(super) async fn list(client: &Client, output: Output, path: &str) -> anyhow::Result<()> {
    let parts = client.send(client.request(Method::GET, path)).await?;
    output.print(&parts, |parts| {
        let head = ["USER", "PART", "SINCE"].map(str::to_owned).to_vec();
        let row = |part: &Value| vec![cell(part, "username"), cell(part, "role"), cell(part, "updated_at")];
        let rows = parts.as_array().into_iter().flatten().map(row);
        table(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
    })
}

/// Gives somebody a part.
pub(super) async fn share(client: &Client, output: Output, path: &str, username: &str, role: Role) -> anyhow::Result<()> {
    let role = match role {
        Role::Viewer => "viewer",
        Role::Editor => "editor",
        Role::Owner => "owner",
    };
    let person = cell(&user::find(client, username).await?, "id");
    let request = client.request(Method::PUT, &format!("{path}/{person}")).json(&json!({ "role": role }));
    output.print(&client.send(request).await?, |_| format!("{username} is {role}"))
}

/// Takes somebody's part away.
pub(super) async fn unshare(client: &Client, output: Output, path: &str, username: &str) -> anyhow::Result<()> {
    let person = cell(&user::find(client, username).await?, "id");
    client.send(client.request(Method::DELETE, &format!("{path}/{person}"))).await?;
    output.print(&json!({ "removed": username }), |_| format!("{username} has no part any more"))
}
