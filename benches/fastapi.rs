//! FastAPI on uvicorn, called directly: what MINT's plugins in the server's own process run on.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result, bail};

use crate::{
    Plan,
    process::{Server, free_address},
};

/// The newest when this was written, with the fast loop and parser.
const PACKAGES: &[&str] =
    &["fastapi==0.165.0", "starlette==1.10.0", "pydantic==2.14.3", "uvicorn==0.54.0", "httptools==0.9.0", "uvloop==0.23.0"];

const APPLICATION: &str = r#"
from fastapi import FastAPI

app = FastAPI()


@app.get("/")
async def who_am_i() -> dict[str, int | str]:
    return {"user_id": 1, "username": "ada", "role": "admin"}
"#;

/// Makes a venv and serves from it.
///
/// # Errors
/// What uv says: most often that it cannot reach its index.
pub(crate) fn start(plan: &Plan, dir: &Path) -> Result<Server> {
    let venv = dir.join("fastapi");
    uv(Command::new(&plan.uv).args(["venv", "--quiet", "--no-project"]).arg(&venv))?;
    let python = venv.join("bin/python");
    uv(Command::new(&plan.uv).args(["pip", "install", "--quiet", "--python"]).arg(&python).args(PACKAGES))?;
    fs::write(venv.join("bench_app.py"), APPLICATION)?;
    let address = free_address()?;
    let mut command = Command::new(python);
    command.args([
        "-m",
        "uvicorn",
        "bench_app:app",
        "--no-access-log",
        "--log-level",
        "warning",
        "--host",
        "127.0.0.1",
        "--port",
    ]);
    command.arg(address.port().to_string()).current_dir(&venv);
    Server::start(command, address, dir)
}

fn uv(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?}:\n{}", String::from_utf8_lossy(&output.stderr).trim_end());
    }
    Ok(())
}
