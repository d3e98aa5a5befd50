//! What two laboratories do at the same time, for the test and for the bench: each leaves a word of its own wherever something can be
//! written, and looks for the other's wherever something can be read.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use reqwest::{Client, Method, StatusCode, header::AUTHORIZATION};
use serde_json::{Value, json};

/// The laboratories' slugs and words.
pub(crate) const LABORATORIES: [(&str, &str); 2] = [("default", "nightingale"), ("other", "woodpecker")];

/// The component that looks through its table and its globals, in text.
pub(crate) const TABLE_LEAK: &str = include_str!("../../../guests/hostile/wat/table-leak.wat");

/// Between two looks at everything.
const LOOK_EVERY: usize = 8;
/// Between two traps: so many of one plugin that it goes on.
const TRAP_EVERY: usize = 8_000;
/// Further memory that is written over, in pages: more now and then.
const PAGES: [usize; 2] = [8, 128];

/// The plugin that is a process: its manifest without hashes, and the program `bin/plugin`.
pub(crate) fn process(python: &str) -> (Value, String) {
    let (serve, canary) =
        (include_str!("../../subprocess/programs/serve.py"), include_str!("../../subprocess/programs/canary.py"));
    let manifest = json!({
        "format_version": 2,
        "plugin": { "slug": "canary", "version": "1.0.0", "plugin_type": "full" },
        "process": { "executable": "bin/plugin", "args": ["{socket}"] },
        "capabilities": [{ "name": "experiments:read" }, { "name": "results:write" }, { "name": "files" }],
    });
    (manifest, format!("#!{python}\n{serve}\n{canary}"))
}

/// A laboratory at work: its word, an experiment of its own, and what it met so far.
#[derive(Debug)]
pub(crate) struct Laboratory {
    http: Client,
    url: String,
    token: String,
    word: &'static str,
    foreign: &'static str,
    pub(crate) experiment: i64,
    /// Whether a process is kept to its own files, and may be sent to look at all.
    walks: bool,
    pub(crate) requests: usize,
    /// Where the other's word was.
    pub(crate) leaks: Vec<String>,
}

/// An answer.
struct Reply {
    status: StatusCode,
    text: String,
}

impl Reply {
    fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.text).with_context(|| format!("no JSON: {}", self.text))
    }

    /// A number in it.
    fn count(&self, key: &str) -> Result<u64> {
        self.json()?.get(key).and_then(Value::as_u64).with_context(|| format!("no `{key}` in {}", self.text))
    }
}

impl Laboratory {
    /// The first or the second, by the token of its administrator. Its plugins are installed.
    pub(crate) async fn begin(which: usize, url: &str, token: &str) -> Result<Self> {
        let words = LABORATORIES.map(|(_, word)| word);
        let (Some(word), Some(foreign)) = (words.get(which), words.get(1 - which)) else { anyhow::bail!("there are two") };
        let (http, url, token) = (Client::builder().no_proxy().build()?, url.to_owned(), token.to_owned());
        let mut laboratory =
            Self { http, url, token, word, foreign, experiment: 0, walks: false, requests: 0, leaks: Vec::new() };
        let experiment = json!({ "name": word, "experiment_type": "test" });
        let made = laboratory.ask(Method::POST, "/api/experiments", Some(experiment)).await?;
        laboratory.experiment = made.json()?.get("id").and_then(Value::as_i64).context("no experiment was made")?;
        laboratory.call("database.execute", json!({ "sql": "create table if not exists canary (word text)" })).await?;
        let settings = laboratory.call("settings.load", json!({})).await?.json()?;
        let swap = json!({ "revision": settings.get("revision"), "values": { "colour": word } });
        laboratory.call("settings.compare-and-swap", swap).await?;
        let process = laboratory.get("/api/plugins/canary").await?.json()?;
        laboratory.walks = process.pointer("/runtime/sandbox/files/on") == Some(&Value::Bool(true));
        Ok(laboratory)
    }

    /// One round, of which each request leaves the word somewhere or looks for the other's.
    pub(crate) async fn round(&mut self, number: usize, foreign_experiment: i64) -> Result<()> {
        self.by_host_calls(number, foreign_experiment).await?;
        let pages = PAGES.into_iter().nth(usize::from(number.is_multiple_of(LOOK_EVERY))).unwrap_or_default();
        self.expect(&format!("/api/hostile/fill?word={}&pages={pages}", self.word), StatusCode::OK).await?;
        // An instance that nobody had before knows no word at all.
        ensure!(self.sought("hostile", pages).await? == 0, "an instance knows what an earlier one of its laboratory wrote");
        if number.is_multiple_of(2) {
            self.expect(&format!("/api/hostile-warm/fill?word={}&pages=1", self.word), StatusCode::OK).await?;
            self.expect("/api/table-leak/canary", StatusCode::CREATED).await?;
        } else {
            self.sought("hostile-warm", 0).await?;
            let scanned = self.get("/api/table-leak/scan").await?;
            if scanned.status != StatusCode::OK {
                self.leaks.push(format!("a table or a global is not as a fresh one: {}", scanned.status));
            }
        }
        if number % TRAP_EVERY == 1 {
            self.expect(&format!("/api/hostile/trap?{}", self.word), StatusCode::INTERNAL_SERVER_ERROR).await?;
        }
        if number.is_multiple_of(LOOK_EVERY) {
            self.expect(&format!("/api/canary/fill?word={}", self.word), StatusCode::OK).await?;
            self.look_in_process().await?;
            self.by_stores(number).await?;
            self.look_around().await?;
        }
        Ok(())
    }

    /// What a plugin keeps in its tables and settings, and files of experiments.
    async fn by_stores(&mut self, number: usize) -> Result<()> {
        let (word, text) = (self.word, format!("{}-{number}", self.word));
        self.call("database.execute", json!({ "sql": format!("insert into canary values ('{text}')") })).await?;
        for (function, with) in [
            ("database.query", json!({ "sql": "select word from canary order by word desc limit 100" })),
            ("settings.load", json!({})),
        ] {
            let read = self.call(function, with).await?;
            ensure!(read.text.contains(word), "{function} gave {}", read.text);
        }
        let absent = Some(json!({ "sql": format!("select '{text}' from {word}") }));
        let refused = self.ask(Method::POST, "/api/everything/call/database.query", absent).await?;
        ensure!(refused.status.is_client_error(), "{}", refused.text);
        let path = format!("/api/experiments/{}/objects/canary", self.experiment);
        let put = self.ask(Method::PUT, &path, Some(json!(text))).await?;
        ensure!(put.status.is_success(), "{}", put.text);
        let got = self.expect(&path, StatusCode::OK).await?;
        ensure!(got.json()? == json!(text), "{}", got.text);
        Ok(())
    }

    /// Results and refusals, from a component and from a process.
    async fn by_host_calls(&mut self, number: usize, foreign_experiment: i64) -> Result<()> {
        let (experiment, text) = (self.experiment, format!("{}-{number}", self.word));
        let result = json!({ "word": text });
        let save = json!({ "experiment": experiment, "key": "k", "result": result });
        self.call("results.save", save).await?;
        let absent = Some(json!({ "experiment": foreign_experiment }));
        let broken = self.ask(Method::POST, &format!("/api/everything/call/results.{text}"), absent).await?;
        ensure!(broken.status.is_client_error(), "{}", broken.text);
        let path = format!("/experiments/{experiment}/results/canary");
        let call = json!({ "method": "PUT", "path": path, "body": { "plugin_id": "canary", "result": result } });
        let stored = self.ask(Method::POST, "/api/canary/call", Some(call)).await?;
        ensure!(stored.count("status")? == 200, "{}", stored.text);
        let call = json!({ "method": "GET", "path": format!("/experiments/{foreign_experiment}?{text}") });
        let refused = self.ask(Method::POST, "/api/canary/call", Some(call)).await?;
        ensure!(refused.count("status")? == 404, "{}", refused.text);
        Ok(())
    }

    /// How often a component finds its own laboratory's word in all of its memory. The other's is a leak.
    pub(crate) async fn sought(&mut self, slug: &str, pages: usize) -> Result<u64> {
        let reply = self.expect(&format!("/api/{slug}/seek?{}&pages={pages}", self.backwards()), StatusCode::OK).await?;
        if reply.count("foreign")? > 0 {
            self.leaks.push(format!("the memory of {slug}: {}", reply.text));
        }
        reply.count("own")
    }

    /// Where the process finds its own laboratory's word: in its memory, its environment, and each file that it can open.
    pub(crate) async fn look_in_process(&mut self) -> Result<Vec<String>> {
        let path = format!("/api/canary/seek?{}&walk={}", self.backwards(), self.walks);
        let reply = self.expect(&path, StatusCode::OK).await?.json()?;
        let places = |whose: &str| {
            let places = reply.get(whose).and_then(Value::as_array).into_iter().flatten();
            places.filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
        };
        self.leaks.extend(places("foreign").iter().map(|place| format!("a process found it in {place}")));
        Ok(places("own"))
    }

    /// All that can be read by people. The laboratory's own word is there to be found.
    pub(crate) async fn look_around(&mut self) -> Result<()> {
        let experiment = self.experiment;
        let mut paths = vec![
            "/api/experiments".to_owned(),
            format!("/api/experiments/{experiment}/results"),
            format!("/api/experiments/{experiment}/analysis-artifacts"),
            format!("/api/experiments/{experiment}/analysis-artifacts/canary/default"),
            "/api/plugins".to_owned(),
            "/api/admin/audit?limit=500".to_owned(),
            "/api/platform/metrics".to_owned(),
        ];
        for slug in ["everything", "hostile", "hostile-warm", "table-leak", "canary"] {
            paths.extend([format!("/api/plugins/{slug}"), format!("/api/plugins/{slug}/logs")]);
        }
        // Everybody's, of which one's own can be read.
        paths.extend((1..=2 * 5).map(|operation| format!("/api/operations/{operation}")));
        let mut own = 0;
        for path in paths {
            own += usize::from(self.get(&path).await?.text.contains(self.word));
        }
        ensure!(own >= 4, "{own} answers have the laboratory's own word");
        Ok(())
    }

    fn backwards(&self) -> String {
        let turned = |word: &str| word.chars().rev().collect::<String>();
        format!("own={}&foreign={}", turned(self.word), turned(self.foreign))
    }

    /// Has the component call the platform.
    async fn call(&mut self, function: &str, with: Value) -> Result<Reply> {
        let reply = self.ask(Method::POST, &format!("/api/everything/call/{function}"), Some(with)).await?;
        ensure!(reply.status == StatusCode::OK, "{function}: {}", reply.text);
        Ok(reply)
    }

    async fn get(&mut self, path: &str) -> Result<Reply> {
        self.ask(Method::GET, path, None).await
    }

    async fn expect(&mut self, path: &str, status: StatusCode) -> Result<Reply> {
        let reply = self.get(path).await?;
        ensure!(reply.status == status, "{path} answered {}: {}", reply.status, reply.text);
        Ok(reply)
    }

    /// Asks, with the word in a header too, and looks for the other's in all of the answer.
    async fn ask(&mut self, method: Method, path: &str, body: Option<Value>) -> Result<Reply> {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        request = request.header(AUTHORIZATION, format!("Bearer {}", self.token));
        if !path.contains("/seek") {
            request = request.header("x-word", self.word);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.with_context(|| path.to_owned())?;
        self.requests += 1;
        let (status, headers) = (response.status(), format!("{:?}", response.headers()));
        let text = String::from_utf8_lossy(&response.bytes().await.with_context(|| path.to_owned())?).into_owned();
        if text.contains(self.foreign) || headers.contains(self.foreign) {
            self.leaks.push(format!("{path} answered {status}, {headers}: {text}"));
        }
        Ok(Reply { status, text })
    }
}

/// Which files below a directory have a word that is not theirs: what belongs to one laboratory stands in a directory of its
/// name. Rows and experiments' files, which belong to either, are left out.
pub(crate) fn on_disk(directory: &Path) -> Result<Vec<String>> {
    let mut leaks = Vec::new();
    for entry in fs::read_dir(directory).with_context(|| directory.display().to_string())? {
        let entry = entry?;
        let (path, name, kind) = (entry.path(), entry.file_name().to_string_lossy().into_owned(), entry.file_type()?);
        if kind.is_dir() && name != "objects" {
            leaks.extend(on_disk(&path)?);
        } else if kind.is_file() && !name.starts_with("mint.sqlite") {
            // What is gone by now is no matter.
            let bytes = fs::read(&path).unwrap_or_default();
            let has = |word: &str| bytes.windows(word.len()).any(|window| window == word.as_bytes());
            let is_of = |slug: &str| path.components().any(|part| part.as_os_str() == slug);
            let foreign = LABORATORIES.iter().filter(|(slug, word)| !is_of(slug) && has(word));
            leaks.extend(foreign.map(|(_, word)| format!("{} has `{word}`", path.display())));
        }
    }
    Ok(leaks)
}
