//! `config.dev.toml` in the server's working directory, as MINT's own `mint dev --platform` writes it: which development
//! servers answer under which prefixes. Followed while it changes.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    ops::Range,
    sync::Arc,
    time::Duration,
};

use mint_domain::{Prefix, Slug, manifest::PluginInfo, policy::PluginType};
use mint_platform::{Platform, development::DevServer};
use serde::Deserialize;
use tokio::io::AsyncReadExt as _;
use tokio_util::task::AbortOnDropHandle;
use toml::Spanned;

const FILE: &str = "config.dev.toml";
/// Between two looks at it.
const INTERVAL: Duration = Duration::from_secs(1);
/// Most bytes of it.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// The version of a plugin that tells none.
const NO_VERSION: &str = "dev";

#[derive(Debug, Default, Deserialize)]
struct File {
    #[serde(default)]
    proxy: BTreeMap<Spanned<String>, Spanned<toml::Value>>,
}

/// A table of the file. What MINT writes besides is for its own pages.
#[derive(Debug, Deserialize)]
struct Entry {
    target: String,
    name: Option<String>,
    version: Option<String>,
    #[serde(default)]
    display_name: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    analysis_type: String,
    plugin_type: Option<PluginType>,
    #[serde(default)]
    author: String,
    #[serde(default)]
    homepage: String,
    #[serde(default)]
    license: String,
    #[serde(default)]
    icon: String,
}

/// Follows the file until the handle is dropped.
#[expect(clippy::disallowed_methods, reason = "the handle that is returned aborts the task when it is dropped")]
pub(crate) fn follow(platform: Arc<Platform>) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async move {
        let (mut last, mut wanted, mut refused) = (String::new(), Vec::new(), Vec::new());
        loop {
            match read().await {
                Ok(text) if text == last => {}
                Ok(text) => {
                    match parse(&text) {
                        Ok(servers) => wanted = servers,
                        Err(mistake) => tracing::error!("{FILE}: {mistake} It changes nothing until it is corrected."),
                    }
                    last = text;
                }
                Err(error) => tracing::warn!(%error, "{FILE} cannot be read"),
            }
            match platform.set_dev_servers(&wanted).await {
                Ok(now) => {
                    for sentence in now.iter().filter(|sentence| !refused.contains(*sentence)) {
                        tracing::error!("{FILE}: {sentence}");
                    }
                    refused = now;
                }
                Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "{FILE} could not be followed"),
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }))
}

/// The text of the file; none at all where there is none.
async fn read() -> io::Result<String> {
    let file = match tokio::fs::File::open(FILE).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
        opened => opened?,
    };
    let mut text = String::new();
    let read = file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).await?;
    if read as u64 > FILE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is longer than {FILE_BYTES_MAX} bytes")));
    }
    Ok(text)
}

/// What the file wants, or its first mistake, with the line.
fn parse(text: &str) -> Result<Vec<DevServer>, String> {
    let file: File = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_of(text, &span));
        format!("line {line}: {}.", error.message())
    })?;
    let entries = file.proxy.into_iter();
    entries
        .map(|(prefix, value)| {
            let span = value.span();
            server(prefix.get_ref(), value.into_inner()).map_err(|mistake| format!("line {}: {mistake}.", line_of(text, &span)))
        })
        .collect()
}

fn line_of(text: &str, span: &Range<usize>) -> usize {
    text.bytes().take(span.start).filter(|byte| *byte == b'\n').count() + 1
}

fn server(prefix: &str, value: toml::Value) -> Result<DevServer, String> {
    let entry: Entry = match value {
        toml::Value::String(target) => toml::Table::from_iter([("target".to_owned(), target.into())]).try_into(),
        table => table.try_into(),
    }
    .map_err(|error: toml::de::Error| error.message().to_owned())?;
    let address = loopback(&entry.target)?;
    let prefix: Prefix = prefix.parse().map_err(|error: mint_domain::prefix::InvalidPrefix| error.to_string())?;
    let name = entry.name.as_deref().unwrap_or(prefix.as_str());
    let slug = slug_of(name).ok_or_else(|| format!("`{name}` does not make a plugin's slug; give it a `name`"))?;
    let plugin = PluginInfo {
        slug,
        version: entry.version.unwrap_or_else(|| NO_VERSION.to_owned()),
        display_name: entry.display_name,
        description: entry.description,
        analysis_type: entry.analysis_type,
        plugin_type: entry.plugin_type.unwrap_or_default(),
        routes_prefix: Some(prefix),
        author: entry.author,
        homepage: entry.homepage,
        license: entry.license,
        icon: entry.icon,
    };
    Ok(DevServer { plugin, address })
}

/// A slug made of a name, or of a prefix.
pub(crate) fn slug_of(name: &str) -> Option<Slug> {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-").to_ascii_lowercase().parse().ok()
}

/// The address of `http://localhost:8003` and the like.
fn loopback(target: &str) -> Result<SocketAddr, String> {
    let wrong = || format!("the target `{target}` is not a server on this machine, such as `http://localhost:8003`");
    let url: reqwest::Url = target.parse().map_err(|_| wrong())?;
    if url.scheme() != "http" || url.path() != "/" || url.query().is_some() || !url.username().is_empty() {
        return Err(wrong());
    }
    let host = url.host_str().map(|host| host.trim_start_matches('[').trim_end_matches(']'));
    let ip: IpAddr = match host {
        Some("localhost") => Ipv4Addr::LOCALHOST.into(),
        Some(host) => host.parse().map_err(|_| wrong())?,
        None => return Err(wrong()),
    };
    let port = url.port_or_known_default().ok_or_else(wrong)?;
    if ip.is_loopback() { Ok(SocketAddr::new(ip, port)) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_mint_are_read() {
        let text = r#"
            [proxy]
            "/peak-finder" = "http://localhost:8003"

            [proxy."/drc"]
            target = "http://127.0.0.1:8004/"
            name = "Dose_Response"
            version = "1.2.0"
            plugin_type = "full"
            capabilities = ["x"]
            nav_items = [{ label = "Home", path = "/" }]
        "#;
        let servers = parse(text).unwrap();
        let shown: Vec<_> = servers
            .iter()
            .map(|server| {
                let plugin = &server.plugin;
                format!("{} {} {} {:?}", plugin.slug, plugin.version, server.address, plugin.plugin_type)
            })
            .collect();
        assert_eq!(shown, ["dose-response 1.2.0 127.0.0.1:8004 Full", "peak-finder dev 127.0.0.1:8003 Analysis"]);
        assert_eq!(parse("").unwrap(), []);
    }

    #[test]
    fn mistakes_are_told_with_their_line() {
        let place = "is not a server on this machine, such as `http://localhost:8003`.";
        for (text, told) in [
            ("[proxy]\n\"/a\" = 5", "line 2: invalid type: integer `5`, expected struct Entry.".to_owned()),
            ("[proxy]\n\n\"/a\" = \"http://10.0.0.1:80\"", format!("line 3: the target `http://10.0.0.1:80` {place}")),
            ("[proxy]\n\"/a\" = \"https://localhost:1\"", format!("line 2: the target `https://localhost:1` {place}")),
            ("[proxy]\n\"/a\" = \"http://localhost:1/b\"", format!("line 2: the target `http://localhost:1/b` {place}")),
            (
                "[proxy]\n\"/experiments\" = \"http://localhost:1\"",
                "line 2: `/experiments` belongs to the platform; choose another routes_prefix.".to_owned(),
            ),
            ("[proxy]\n\"/a\" = { name = \"a\" }", "line 2: missing field `target`.".to_owned()),
        ] {
            assert_eq!(parse(text).unwrap_err(), told);
        }
        for (text, line) in [("proxy = 1", "line 1: "), ("[proxy]\n\"/a = ", "line 2: ")] {
            assert!(parse(text).unwrap_err().starts_with(line), "{text}");
        }
    }
}
