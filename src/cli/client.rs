//! The REST API, as commands use it.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, bail};
use clap::{ArgMatches, FromArgMatches, parser::ValueSource};
use mint_domain::Slug;
use reqwest::{Method, RequestBuilder, Response};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use crate::credentials::{self, Credentials};

/// Where a server is when nothing is said.
const DEFAULT_URL: &str = "http://127.0.0.1:8001";

/// Where a server is and who asks. Part of every command that talks to one.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    options: Options,
    /// What of it was typed, before which the environment's is nothing.
    typed: Typed,
}

#[derive(Clone, Debug, clap::Args)]
struct Options {
    /// Account to use, by the name that `mint auth login --profile` gave it; by default the one in use. As an option it goes before
    /// MINT_URL and MINT_TOKEN
    #[arg(long, env = "MINT_PROFILE", global = true, value_name = "NAME")]
    profile: Option<Slug>,

    /// Address of the server; by default the profile's, else http://127.0.0.1:8001
    #[arg(long, env = "MINT_URL", global = true)]
    url: Option<String>,

    /// Token to use instead of the profile's, which goes to no other server than its own
    #[arg(long, env = "MINT_TOKEN", global = true, hide_env_values = true)]
    token: Option<SecretString>,

    #[command(flatten)]
    home: Home,
}

/// Where credentials are kept.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Home {
    #[arg(long, env = "XDG_CONFIG_HOME", global = true, hide = true)]
    config_home: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug)]
struct Typed {
    profile: bool,
    url: bool,
    token: bool,
}

impl FromArgMatches for Connection {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let is_typed = |name: &str| matches.value_source(name) == Some(ValueSource::CommandLine);
        let typed = Typed { profile: is_typed("profile"), url: is_typed("url"), token: is_typed("token") };
        Ok(Self { options: Options::from_arg_matches(matches)?, typed })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl clap::Args for Connection {
    fn augment_args(command: clap::Command) -> clap::Command {
        Options::augment_args(command)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Options::augment_args_for_update(command)
    }
}

impl Home {
    /// The file with credentials.
    pub(crate) fn credentials_path(&self) -> anyhow::Result<PathBuf> {
        credentials::path(self.config_home.as_deref())
            .context("there is no home directory to keep credentials in; use MINT_TOKEN")
    }
}

/// A server to talk to.
#[derive(Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    pub(crate) url: String,
    token: Option<SecretString>,
    /// Whose token it is, unless it was given.
    profile: Option<Slug>,
}

impl Connection {
    /// A client with the token that is known, if one is.
    pub(crate) fn client(&self) -> anyhow::Result<Client> {
        let kept = match self.credentials_path() {
            Ok(path) => Credentials::load(&path)?,
            Err(_) => Credentials::default(),
        };
        let Options { profile, token, .. } = &self.options;
        let (url, token) = (self.url(), token.as_ref().filter(|_| self.typed.token || !self.typed.profile));
        let named = profile.as_ref().map(|name| kept.named(name)).transpose()?;
        let found = match (named, &url) {
            _ if token.is_some() && url.is_some() => None,
            (Some((name, profile)), Some(url)) if profile.url != *url => {
                bail!(
                    "the profile `{name}` is of {}, and --url (MINT_URL) says {url}; name another profile, or say no address",
                    profile.url
                );
            }
            (Some(named), _) => Some(named),
            (None, Some(url)) => kept.of_server(url)?,
            (None, None) => kept.in_use().map_or_else(|| kept.of_server(DEFAULT_URL), |found| Ok(Some(found)))?,
        };
        let url = url.or_else(|| found.map(|(_, profile)| profile.url.clone())).unwrap_or_else(|| DEFAULT_URL.to_owned());
        match token {
            Some(token) => Client::new(url, Some(token.clone()), None),
            None => Client::new(url, found.and_then(|(_, profile)| profile.token.clone()), found.map(|(name, _)| name.clone())),
        }
    }

    /// A client of somebody who is about to sign in, at the profile that is named or in use.
    pub(crate) fn newcomer(&self) -> anyhow::Result<Client> {
        let kept = Credentials::load(&self.credentials_path()?)?;
        let named = self.options.profile.as_ref().and_then(|name| kept.named(name).ok());
        let url = match (self.url(), named) {
            (Some(url), _) => url,
            (None, Some((_, profile))) => profile.url.clone(),
            // A new profile is where the environment says, or where people have signed in.
            (None, None) => {
                let said = self.options.url.as_deref().map(cut);
                said.or_else(|| kept.in_use().map(|(_, profile)| profile.url.clone())).unwrap_or_else(|| DEFAULT_URL.to_owned())
            }
        };
        Client::new(url, None, None)
    }

    /// The name that was given.
    pub(crate) fn profile(&self) -> Option<&Slug> {
        self.options.profile.as_ref()
    }

    /// The file with credentials.
    pub(crate) fn credentials_path(&self) -> anyhow::Result<PathBuf> {
        self.options.home.credentials_path()
    }

    /// The address that was given, unless a profile goes before it.
    fn url(&self) -> Option<String> {
        self.options.url.as_deref().filter(|_| self.typed.url || !self.typed.profile).map(cut)
    }
}

fn cut(url: &str) -> String {
    url.trim_end_matches('/').to_owned()
}

impl Client {
    fn new(url: String, token: Option<SecretString>, profile: Option<Slug>) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().connect_timeout(Duration::from_secs(10)).no_proxy().build()?;
        Ok(Self { http, url, token, profile })
    }

    /// The profile whose token is used, and the token.
    pub(crate) fn account(&self) -> Option<(&Slug, &SecretString)> {
        self.profile.as_ref().zip(self.token.as_ref())
    }

    /// A request to a path under the server.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        match &self.token {
            Some(token) => request.bearer_auth(token.expose_secret()),
            None => request,
        }
    }

    /// Sends a request and gives its JSON.
    ///
    /// # Errors
    /// The server's own words for a refusal; that it cannot be reached.
    pub(crate) async fn send(&self, request: RequestBuilder) -> anyhow::Result<Value> {
        let response = self.open(request).await?;
        if response.status() == reqwest::StatusCode::NO_CONTENT {
            return Ok(Value::Null);
        }
        response.json().await.context("the server did not answer with JSON")
    }

    /// Sends a form without a token, and gives the status and the JSON, as OAuth has them.
    ///
    /// # Errors
    /// The server cannot be reached, or answers with something else.
    pub(crate) async fn form(&self, path: &str, fields: &[(&str, &str)]) -> anyhow::Result<(reqwest::StatusCode, Value)> {
        let request = self.http.post(format!("{}{path}", self.url)).form(fields);
        let response = request.send().await.with_context(|| format!("the request to {} broke off", self.url))?;
        let status = response.status();
        Ok((status, response.json().await.context("the server did not answer with JSON")?))
    }

    /// Sends a request and gives the response, whose body is still to come.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub(crate) async fn open(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        let response = match request.send().await {
            Err(error) if error.is_connect() => bail!("no server answers at {}; start one with `mint serve`", self.url),
            sent => sent.with_context(|| format!("the request to {} broke off", self.url))?,
        };
        let status = response.status();
        if !status.is_success() {
            bail!("{}", words(status, response).await);
        }
        Ok(response)
    }
}

async fn words(status: reqwest::StatusCode, response: Response) -> String {
    let text = response.text().await.unwrap_or_default();
    let envelope: Value = serde_json::from_str(&text).unwrap_or_default();
    match (envelope.get("message").and_then(Value::as_str), envelope.get("request_id").and_then(Value::as_str)) {
        (Some(message), Some(id)) if status.is_server_error() => format!("{message} (request {id})"),
        (Some(message), _) => message.to_owned(),
        (None, _) => format!("the server answered {status}"),
    }
}
