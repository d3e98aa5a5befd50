//! The program `mint`, as an operator would run it.

use std::{
    env, fs,
    io::{Read as _, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    Plan,
    api::Client,
    process::{Server, free_address},
};
use anyhow::{Context as _, Result, bail};

const USER: &str = "ada";
/// The laboratory that is there from the start.
const DEFAULT: &str = "default";

/// A platform with data of its own.
pub(crate) struct Mint {
    program: PathBuf,
    uv: PathBuf,
    dir: PathBuf,
    password: String,
    variables: Vec<(&'static str, String)>,
}

impl Mint {
    /// Makes the data directory `name` in `dir`, with an administrator.
    pub(crate) fn prepare(plan: &Plan, dir: &Path, name: &str) -> Result<Self> {
        Self::prepare_with(plan, dir, name, Vec::new())
    }

    /// The same with variables of the server's.
    pub(crate) fn prepare_with(plan: &Plan, dir: &Path, name: &str, variables: Vec<(&'static str, String)>) -> Result<Self> {
        let dir = dir.join(name);
        fs::create_dir(&dir)?;
        let mut password = vec![0_u8; 16];
        fs::File::open("/dev/urandom")?.read_exact(&mut password)?;
        let password = password.iter().map(|byte| format!("{byte:02x}")).collect();
        let mint = Self { program: plan.mint.clone(), uv: plan.uv.clone(), dir, password, variables };
        mint.create_user(DEFAULT)?;
        Ok(mint)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(&self.dir).env("MINT_SERVER__DATA_PATH", self.data());
        // It asks more often than a laboratory does.
        command.env("MINT_PLUGINS__LABORATORY__REQUESTS_PER_SECOND_MAX", "1000000");
        command.env("MINT_LOGGING__LEVEL", "warn").env("MINT_PLUGINS__UV__PATH", &self.uv);
        // Where the machine's search path leads uv astray.
        if let Some(python) = env::var_os("UV_PYTHON") {
            command.env("MINT_PLUGINS__UV__PYTHON", python);
        }
        command.envs(self.variables.iter().map(|(name, value)| (*name, value)));
        command
    }

    fn create_user(&self, tenant: &str) -> Result<()> {
        let mut command = self.command();
        command.args(["user", "create", USER, "--role", "admin", "--tenant", tenant]).stdin(Stdio::piped()).stdout(Stdio::null());
        let mut child = command.spawn().with_context(|| format!("cannot start {}", self.program.display()))?;
        if let Some(mut input) = child.stdin.take() {
            input.write_all(self.password.as_bytes())?;
        }
        let status = child.wait()?;
        if !status.success() {
            bail!("`mint user create` failed ({status})");
        }
        Ok(())
    }

    /// Starts to serve.
    pub(crate) fn serve(&self) -> Result<Server> {
        self.serve_with(&[])
    }

    /// Starts to serve with further variables in its environment.
    pub(crate) fn serve_with(&self, variables: &[(&str, &str)]) -> Result<Server> {
        let address = free_address()?;
        let mut command = self.command();
        command.arg("serve").env("MINT_SERVER__LISTEN", address.to_string()).envs(variables.iter().copied());
        Server::start(command, address, &self.dir)
    }

    /// Its data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// An administrator of the server at `address`.
    pub(crate) async fn sign_in(&self, address: SocketAddr) -> Result<Client> {
        Client::sign_in(address, DEFAULT, USER, &self.password).await
    }

    /// The administrator of a laboratory, which is made unless it is the one that is there.
    pub(crate) async fn administrator_of(&self, tenant: &str, address: SocketAddr) -> Result<Client> {
        if tenant != DEFAULT {
            self.create_user(tenant)?;
        }
        Client::sign_in(address, tenant, USER, &self.password).await
    }
}
