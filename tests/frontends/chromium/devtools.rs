//! Chromium without a window, told what to do over its DevTools protocol.

use std::{process::Stdio, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use mint_tests::Client;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::TcpStream,
    process::{Child, Command},
};
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

/// How long something in a page may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser with one page. It ends with the value.
pub(in crate::frontends) struct Chromium {
    socket: WebSocketStream<TcpStream>,
    session: String,
    asked: u64,
    _process: Child,
    _profile: TempDir,
}

impl Chromium {
    /// Starts one; none where there is none, said aloud.
    #[expect(clippy::disallowed_methods, reason = "a browser is a process")]
    pub(in crate::frontends) async fn start() -> Option<Self> {
        let profile = tempfile::tempdir().unwrap();
        let started = Command::new("chromium")
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--no-proxy-server",
            ])
            .args(["--remote-debugging-port=0", &format!("--user-data-dir={}", profile.path().display())])
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        let mut process = match started {
            Ok(process) => process,
            Err(error) => {
                eprintln!(
                    "SKIPPED: front-ends were not looked at in a browser: chromium does not start ({error}). Install Debian's `chromium`."
                );
                return None;
            }
        };
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let address = loop {
            let line = lines.next_line().await.unwrap().expect("chromium ended before it listened");
            if let Some(address) = line.strip_prefix("DevTools listening on ") {
                break address.to_owned();
            }
        };
        // A pipe that nobody reads would hold it up.
        tokio::task::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let host = address.strip_prefix("ws://").unwrap().split('/').next().unwrap();
        let (socket, _) = client_async(&address, TcpStream::connect(host).await.unwrap()).await.unwrap();
        let mut chromium = Self { socket, session: String::new(), asked: 0, _process: process, _profile: profile };
        let target = chromium.ask("Target.createTarget", json!({ "url": "about:blank" })).await["targetId"].clone();
        let attached = chromium.ask("Target.attachToTarget", json!({ "targetId": target, "flatten": true })).await;
        chromium.session = attached["sessionId"].as_str().unwrap().to_owned();
        chromium.ask("Page.enable", json!({})).await;
        Some(chromium)
    }

    /// Keeps a session as the platform gives it to a browser that signs in.
    pub(in crate::frontends) async fn sign_in(&mut self, client: &Client) {
        let cookie = json!({
            "url": client.url(), "name": "mint_access_token", "value": client.token(), "httpOnly": true, "sameSite": "Lax",
        });
        assert_eq!(self.ask("Network.setCookie", cookie).await["success"], true);
    }

    /// Opens an address, and waits until what it leads to has been loaded.
    pub(in crate::frontends) async fn open(&mut self, address: &str) {
        let opened = self.ask("Page.navigate", json!({ "url": address })).await;
        assert_eq!(opened["errorText"], Value::Null, "{address}: {opened}");
        while self.next().await["method"] != "Page.loadEventFired" {}
    }

    /// Waits until an expression gives a text in whichever page the browser has got to by then, and gives it.
    pub(in crate::frontends) async fn appears(&mut self, expression: &str) -> String {
        let script = format!(
            "(async () => {{ for (;;) {{
                const found = {expression};
                if (found) return String(found);
                await new Promise(requestAnimationFrame);
            }} }})()"
        );
        let parameters = json!({ "expression": script, "awaitPromise": true, "returnByValue": true });
        let found = async {
            loop {
                // The page may go away meanwhile.
                if let Some(text) = self.told("Runtime.evaluate", &parameters).await["result"]["result"]["value"].as_str() {
                    return text.to_owned();
                }
            }
        };
        let found = tokio::time::timeout(PATIENCE, found).await;
        found.unwrap_or_else(|_| panic!("waited in vain for {expression}"))
    }

    /// Runs a script in the page, and gives the text that it ends with.
    pub(in crate::frontends) async fn evaluate(&mut self, script: &str) -> String {
        let expression = json!({ "expression": script, "awaitPromise": true, "returnByValue": true });
        let told = self.ask("Runtime.evaluate", expression).await;
        told["result"]["value"].as_str().unwrap_or_else(|| panic!("{told}")).to_owned()
    }

    /// Asks the browser for something.
    pub(in crate::frontends) async fn ask(&mut self, method: &str, parameters: Value) -> Value {
        let said = self.told(method, &parameters).await;
        assert_eq!(said["error"], Value::Null, "{method}");
        said["result"].clone()
    }

    async fn told(&mut self, method: &str, parameters: &Value) -> Value {
        self.asked += 1;
        let mut command = json!({ "id": self.asked, "method": method, "params": parameters });
        if !self.session.is_empty() {
            command["sessionId"] = json!(self.session);
        }
        self.socket.send(Message::text(command.to_string())).await.unwrap();
        loop {
            let said = self.next().await;
            if said["id"] == self.asked {
                return said;
            }
        }
    }

    async fn next(&mut self) -> Value {
        let said = self.socket.next().await.expect("chromium hung up").unwrap();
        serde_json::from_str(said.to_text().unwrap()).unwrap()
    }
}
