//! `mint role plugin`: what people are inside one plugin, and the secrets that it keeps of them.

use std::io::{IsTerminal as _, Read as _, Write as _};

use anyhow::{Context as _, bail};
use clap::Subcommand;
use mint_domain::Slug;
use reqwest::Method;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value, json};

use super::user::find;
use crate::{
    client::{Client, Connection},
    output::{Output, cell, table},
};

/// Rows of one page.
const PAGE: usize = 1_000;
/// Most bytes that are read of standard input: more than the server takes.
const INPUT_BYTES_MAX: u64 = 64 << 10;

/// Lists, gives and takes away roles inside a plugin, and sets what it keeps of people.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Lists who is what inside a plugin
    List {
        /// Slug
        plugin: Slug,
        #[command(flatten)]
        connection: Connection,
    },
    /// Gives somebody a role inside a plugin, in the place of the one before
    Set {
        /// Slug
        plugin: Slug,
        /// Name of the person
        user: String,
        /// What the plugin understands
        role: String,
        #[command(flatten)]
        connection: Connection,
    },
    /// Takes somebody's role inside a plugin away, with what it keeps of them
    Remove {
        /// Slug
        plugin: Slug,
        /// Name of the person
        user: String,
        #[command(flatten)]
        connection: Connection,
    },
    /// Shows or changes what a plugin keeps of somebody who has a role inside it: secrets, which the plugin alone reads
    Fields {
        /// Slug
        plugin: Slug,
        /// Name of the person
        user: String,
        /// Sets a field; with `-` as the value, it is read from standard input, so that it stands in no history
        #[arg(long = "field", value_name = "NAME=VALUE", value_parser = Field::parse)]
        fields: Vec<Field>,
        /// Forgets a field
        #[arg(long, value_name = "NAME")]
        unset: Vec<String>,
        /// Forgets all others
        #[arg(long)]
        clear: bool,
        #[command(flatten)]
        connection: Connection,
    },
}

/// A field to set.
#[derive(Clone, Debug)]
pub(super) struct Field {
    name: String,
    /// None for what is read from standard input.
    value: Option<SecretString>,
}

impl Field {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let (name, value) = text.split_once('=').ok_or("it is not NAME=VALUE")?;
        Ok(Self { name: name.to_owned(), value: (value != "-").then(|| value.into()) })
    }
}

/// What is to become of the fields.
struct Changes {
    fields: Vec<Field>,
    unset: Vec<String>,
    clear: bool,
}

/// Runs one of them.
pub(super) async fn run(command: Command, output: Output) -> anyhow::Result<()> {
    match command {
        Command::List { plugin, connection } => {
            let client = connection.client()?;
            let (roles, names) = (roles(&client, &plugin).await?, names(&client).await?);
            output.print(&roles, |roles| {
                let head = ["USER", "ROLE", "FIELDS"].map(str::to_owned).to_vec();
                let row = |role: &Value| {
                    let user = cell(role, "user_id");
                    let fields = role.get("fields").and_then(Value::as_object).into_iter().flat_map(Map::keys);
                    let fields = fields.map(String::as_str).collect::<Vec<_>>().join(", ");
                    vec![names.get(&user).map_or(user, |name| cell(name, "username")), cell(role, "role"), fields]
                };
                table(&std::iter::once(head).chain(roles.iter().map(row)).collect::<Vec<_>>())
            })
        }
        Command::Set { plugin, user, role, connection } => {
            let client = connection.client()?;
            let path = path(&client, &plugin, &user).await?;
            let role = client.send(client.request(Method::PUT, &path).json(&json!({ "role": role }))).await?;
            output.print(&role, |role| format!("{user} is {} inside {plugin}", cell(role, "role")))
        }
        Command::Remove { plugin, user, connection } => {
            let client = connection.client()?;
            client.send(client.request(Method::DELETE, &path(&client, &plugin, &user).await?)).await?;
            output.print(&json!({ "removed": user, "plugin": plugin }), |_| format!("{user} has no role inside {plugin}"))
        }
        Command::Fields { plugin, user, fields, unset, clear, connection } => {
            let changes = Changes { fields, unset, clear };
            let role = changes.make(&connection.client()?, &plugin, &user).await?;
            output.print(&role, shown)
        }
    }
}

impl Changes {
    /// Makes them, and gives the role as it is then.
    async fn make(self, client: &Client, plugin: &Slug, user: &str) -> anyhow::Result<Value> {
        let path = path(client, plugin, user).await?;
        let id = path.rsplit('/').next().unwrap_or_default().to_owned();
        let role = roles(client, plugin).await?.into_iter().find(|role| cell(role, "user_id") == id);
        let role = role.with_context(|| {
            format!("{user} has no role inside {plugin}; `mint role plugin set {plugin} {user} ROLE` gives them one")
        })?;
        if self.fields.is_empty() && self.unset.is_empty() && !self.clear {
            return Ok(role);
        }
        // What is sent back as it was shown stays.
        let mut fields = role.get("fields").and_then(Value::as_object).cloned().unwrap_or_default();
        if self.clear {
            fields.clear();
        }
        for name in &self.unset {
            if fields.remove(name).is_none() && !self.clear {
                bail!("{plugin} keeps no `{name}` of {user}; nothing was changed");
            }
        }
        for (name, value) in read(self.fields)? {
            fields.insert(name, value.expose_secret().into());
        }
        let request = client.request(Method::PUT, &format!("{path}/fields"));
        client.send(request.json(&json!({ "fields": fields }))).await
    }
}

/// The values of fields, of which one may come from standard input.
fn read(fields: Vec<Field>) -> anyhow::Result<Vec<(String, SecretString)>> {
    if fields.iter().filter(|field| field.value.is_none()).count() > 1 {
        bail!("only one field can be read from standard input");
    }
    fields
        .into_iter()
        .map(|Field { name, value }| match value {
            Some(value) => Ok((name, value)),
            None => {
                if std::io::stdin().is_terminal() {
                    write!(std::io::stderr(), "{name} (shown as typed; end with Ctrl-D): ")?;
                }
                let mut text = String::new();
                std::io::stdin().take(INPUT_BYTES_MAX).read_to_string(&mut text)?;
                let value = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
                Ok((name, value.into()))
            }
        })
        .collect()
}

fn shown(role: &Value) -> String {
    let fields = role.get("fields").and_then(Value::as_object).filter(|fields| !fields.is_empty());
    let Some(fields) = fields else { return "nothing is kept".to_owned() };
    let rows: Vec<_> = fields.iter().map(|(name, value)| vec![name.clone(), reference(value)]).collect();
    table(&std::iter::once(vec!["FIELD".to_owned(), "SECRET".to_owned()]).chain(rows).collect::<Vec<_>>())
}

/// What stands for a secret; for whatever else is there, its JSON.
fn reference(value: &Value) -> String {
    value.get("$secret").and_then(Value::as_str).map_or_else(|| value.to_string(), str::to_owned)
}

async fn path(client: &Client, plugin: &Slug, user: &str) -> anyhow::Result<String> {
    Ok(format!("/api/admin/plugin-roles/{plugin}/{}", cell(&find(client, user).await?, "id")))
}

async fn roles(client: &Client, plugin: &Slug) -> anyhow::Result<Vec<Value>> {
    pages(client, &format!("/api/admin/plugin-roles/{plugin}")).await
}

/// Users by id.
async fn names(client: &Client) -> anyhow::Result<std::collections::HashMap<String, Value>> {
    Ok(pages(client, "/api/users").await?.into_iter().map(|user| (cell(&user, "id"), user)).collect())
}

/// All rows of a list that comes in pages.
async fn pages(client: &Client, path: &str) -> anyhow::Result<Vec<Value>> {
    let mut rows = Vec::new();
    loop {
        let page = client.request(Method::GET, path).query(&[("skip", rows.len()), ("limit", PAGE)]);
        let Value::Array(mut page) = client.send(page).await? else { bail!("the server did not answer with a list") };
        let is_last = page.len() < PAGE;
        rows.append(&mut page);
        if is_last {
            return Ok(rows);
        }
    }
}
