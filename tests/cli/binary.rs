//! Runs the built program, with a home and data of the test's own.

use std::{
    env,
    fmt::Write as _,
    fs::{self, File},
    io::Write as _,
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{Child, Command, Stdio},
};

use mint_tests::{PASSWORD, eventually, python, uv};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// A home for commands, and perhaps a server.
pub(crate) struct Mint {
    home: TempDir,
    variables: Vec<(&'static str, String)>,
    serving: Option<Child>,
    /// Where the server listens, once it runs.
    pub(crate) url: String,
}

/// What a command did.
pub(crate) struct Ran {
    line: String,
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Mint {
    /// A new home without a server.
    pub(crate) fn new() -> Self {
        let home = tempfile::Builder::new().prefix("mint-").tempdir().unwrap();
        Self { home, variables: Vec::new(), serving: None, url: "http://127.0.0.1:9".to_owned() }
    }

    /// A home with an administrator `admin` and a server.
    pub(crate) async fn serving() -> Self {
        Self::serving_on(None).await
    }

    /// The same on a database of another address.
    pub(crate) async fn serving_on(database: Option<&str>) -> Self {
        let mut mint = Self::new();
        mint.variables.extend(database.map(|url| ("MINT_DATABASE__URL", url.to_owned())));
        mint.make_admin();
        mint.serve().await;
        mint
    }

    /// A home without a server, on a database and a storage that others may use too.
    pub(crate) fn beside(database: &str, storage: &str) -> Self {
        let mut mint = Self::new();
        mint.set("MINT_DATABASE__URL", database.to_owned());
        mint.set("MINT_STORAGE__URL", storage.to_owned());
        mint
    }

    /// Makes the administrator `admin`.
    pub(crate) fn make_admin(&self) {
        let made = self.run_with(&["user", "create", "admin", "--role", "admin"], PASSWORD);
        assert_eq!(made.code, Some(0), "{}", made.stderr);
    }

    /// Sets a variable for the commands to come.
    pub(crate) fn set(&mut self, name: &'static str, value: String) {
        self.variables.push((name, value));
    }

    /// The directory of it all.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// A home with an administrator `admin`, and a server that is started with few open files.
    #[expect(clippy::disallowed_methods, reason = "a shell sets the limit for the program under test")]
    pub(crate) async fn serving_with_open_files(files: u32) -> Self {
        let mut mint = Self::new();
        mint.make_admin();
        let program = mint.command(&["serve"]);
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ulimit -Sn {files} && exec \"$0\" serve")]).arg(program.get_program());
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        mint.serve_by(shell).await;
        mint
    }

    /// Starts the server and waits until it listens.
    pub(crate) async fn serve(&mut self) {
        self.serve_until(None).await;
    }

    /// Starts the server, which kills itself at a moment of an operation.
    pub(crate) async fn serve_until(&mut self, moment: Option<&str>) {
        let mut command = self.command(&["serve"]);
        command.envs(moment.map(|moment| ("MINT_ABORT_AT", moment)));
        self.serve_by(command).await;
    }

    /// Starts the server, which freezes itself at a moment of an operation.
    pub(crate) async fn serve_until_frozen(&mut self, moment: &str) {
        let mut command = self.command(&["serve"]);
        command.env("MINT_FREEZE_AT", moment);
        self.serve_by(command).await;
    }

    /// Waits until the server has frozen itself.
    pub(crate) async fn frozen(&self) {
        let stat = format!("/proc/{}/stat", self.pid().as_raw_nonzero());
        eventually("the server to freeze", || async {
            let stat = fs::read_to_string(&stat).unwrap();
            let (_, rest) = stat.rsplit_once(") ")?;
            rest.starts_with('T').then_some(())
        })
        .await;
    }

    async fn serve_by(&mut self, mut command: Command) {
        let path = self.home().join("serve.log");
        let log = File::create(&path).unwrap();
        self.serving = Some(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap());
        self.url = eventually("the server to listen", || async {
            let log = fs::read_to_string(&path).unwrap();
            let (_, address) = log.split_once("listening on ")?;
            address.split_once(char::is_whitespace).map(|(url, _)| url.to_owned())
        })
        .await;
    }

    /// The server's process.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(self.serving.as_ref().unwrap())
    }

    /// Sends the server a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Sends the server a signal, and waits for its end. Gives the exit code, if it has one.
    pub(crate) fn end(&mut self, signal: Signal) -> Option<i32> {
        self.signal(signal);
        self.serving.take().unwrap().wait().unwrap().code()
    }

    /// Waits until the server has ended by itself, and gives the signal that it died of.
    pub(crate) async fn died(&mut self) -> Option<i32> {
        let mut child = self.serving.take().unwrap();
        let status = eventually("the server's death", || std::future::ready(child.try_wait().unwrap())).await;
        status.signal()
    }

    /// What the server wrote.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.home().join("serve.log")).unwrap()
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, "")
    }

    /// Runs a command that reads `input`.
    pub(crate) fn run_with(&self, arguments: &[&str], input: &str) -> Ran {
        self.ran(self.command(arguments), arguments, input)
    }

    /// Runs a command of [`command`](Self::command) that reads `input`.
    pub(crate) fn ran(&self, mut command: Command, arguments: &[&str], input: &str) -> Ran {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // One that does not read its input may have closed it already.
        let _closed = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        Ran {
            line: arguments.join(" "),
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs commands one after the other and gives the whole session as a person sees it.
    pub(crate) fn session(&self, commands: &[&[&str]]) -> String {
        commands.iter().map(|arguments| self.run(arguments).shown(self)).collect::<Vec<_>>().join("\n")
    }

    /// The command itself.
    #[expect(clippy::disallowed_methods, reason = "this is the program under test")]
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(mint_tests::mint());
        for (name, _) in env::vars().filter(|(name, _)| name.starts_with("MINT_") || name == "XDG_CONFIG_HOME") {
            command.env_remove(name);
        }
        command
            .args(arguments)
            .current_dir(self.home())
            .env("HOME", self.home())
            .env("MINT_URL", &self.url)
            .env("MINT_SERVER__LISTEN", "127.0.0.1:0")
            .env("MINT_SERVER__DATA_PATH", self.home().join("data"))
            .env("MINT_SERVER__CACHE_PATH", mint_tests::cache())
            .env("MINT_SERVER__KEY_PATH", mint_tests::cache().join("installation.key"))
            .env("MINT_PLUGINS__COMPILE__SECONDS_MAX", "300")
            .env("MINT_SERVER__RUNTIME_PATH", self.home().join("run"))
            .env("MINT_PLUGINS__INSTANCES", "64")
            .env("MINT_PLUGINS__TRIAL_SECONDS", "0")
            .env("MINT_PLUGINS__UV__PATH", uv());
        if let Some(python) = python() {
            command.env("MINT_PLUGINS__UV__PYTHON", python);
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }
}

impl Drop for Mint {
    fn drop(&mut self) {
        if let Some(mut child) = self.serving.take() {
            // Whatever happened, nothing of the test stays.
            let _ended = child.kill();
            let _reaped = child.wait();
        }
    }
}

impl Ran {
    /// The command with all that it said, without what changes from run to run.
    pub(crate) fn shown(&self, mint: &Mint) -> String {
        let mut text = format!("$ mint {}\n", self.line);
        text.push_str(&self.stderr);
        text.push_str(&self.stdout);
        let _ = writeln!(text, "[{}]", self.code.map_or_else(|| "signal".to_owned(), |code| code.to_string()));
        text.replace(&mint.home().display().to_string(), "<home>").replace(&mint.url, "<url>")
    }
}

/// Compares a session with its snapshot, whatever the digests, times and places.
macro_rules! assert_session {
    ($session:expr) => {
        insta::with_settings!({ filters => vec![
            (r"sha256:[0-9a-f]{64}", "<digest>"),
            (r"\d+\.\d+ s\b", "<seconds> s"),
            (r"\d{4}-\d\d-\d\dT[0-9:.]+Z", "<time>"),
            (r"127\.0\.0\.1:\d+", "<address>"),
            (r#""pid":\d+"#, r#""pid":<pid>"#),
            (r#""tasks":(null|\d+)"#, r#""tasks":<tasks>"#),
            (r#""checked_at":"[^"]+""#, r#""checked_at":"<time>""#),
            (r#""answered_after_ms":\d+"#, r#""answered_after_ms":<ms>"#),
            (r"/\S*/guests/", "<guests>/"),
            (r"(cgroup|files|limits|network|privileges|session|signals|syscalls|user) (?:on|off): .*", "$1 <state>"),
        ], omit_expression => true }, { insta::assert_snapshot!($session) });
    };
}

pub(crate) use assert_session;
