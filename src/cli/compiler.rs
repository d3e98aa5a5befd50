//! Components are compiled by this program, started anew in the sandbox: some are small and take the compiler gigabytes or
//! hours, and a compiler that is led astray must not be the server.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use anyhow::Context as _;
use async_trait::async_trait;
use mint_domain::lifecycle::Failure;
use mint_subprocess::chamber::{Chamber, REFUSED, RESULT, Work, WorkError};
use mint_wasm::{Compiled, Compiler};

use crate::config::Compile;

/// The hidden command that does the work.
pub const COMMAND: &str = "compile-component";

/// Largest machine code of one component. Python's are of some 40 MiB.
const CODE_BYTES_MAX: u64 = 512 << 20;

/// Compiles in processes of their own.
#[derive(Debug)]
pub struct Apart {
    chamber: Chamber,
    program: PathBuf,
    memory_bytes_max: u64,
    timeout: Duration,
}

impl Apart {
    /// By `program`, which is `mint`, in this chamber.
    pub fn new(chamber: Chamber, program: PathBuf, bounds: &Compile) -> Self {
        let timeout = Duration::from_secs(bounds.seconds_max.get().into());
        Self { chamber, program, memory_bytes_max: bounds.memory_bytes_max, timeout }
    }
}

#[async_trait]
impl Compiler for Apart {
    async fn compile(&self, component: File, compatibility: &str) -> Result<Vec<u8>, Failure> {
        let work = Work {
            program: self.program.clone(),
            arguments: vec![COMMAND.into(), compatibility.into()],
            input: component,
            memory_bytes_max: self.memory_bytes_max,
            result_bytes_max: CODE_BYTES_MAX,
            timeout: self.timeout,
        };
        let costly = |error: &WorkError, name: &str| {
            let hint = "Make the component smaller: fewer dependencies, optimised for size. An administrator can allow more with";
            Failure::new(
                "stage",
                format!("The component cannot be compiled: {error}."),
                format!("{hint} plugins.compile.{name}."),
            )
        };
        self.chamber.run(work).await.map_err(|error| match &error {
            WorkError::Refused(reason) => mint_wasm::refused(reason),
            WorkError::Memory(_) => costly(&error, "memoryBytesMax"),
            WorkError::TooSlow(_) => costly(&error, "secondsMax"),
            WorkError::Broken(reason) => {
                let reason = format!("The compiler of components did not work: {reason}.");
                Failure::new("stage", reason, "Check the disk and the server's log; then reload the plugin.")
            }
        })
    }
}

/// The work itself: a component from standard input to a file here.
///
/// # Errors
/// When it is of no fault of the component's.
pub fn run(compatibility: &str) -> anyhow::Result<ExitCode> {
    let mut component = Vec::new();
    io::stdin().read_to_end(&mut component)?;
    match mint_wasm::compile(&component) {
        Ok(Compiled { code, compatibility: made }) => {
            anyhow::ensure!(made == compatibility, "this is another `mint` than the server that asks for it; restart the server");
            fs::write(RESULT, code).context("the code cannot be written")?;
            Ok(ExitCode::SUCCESS)
        }
        Err(reason) => {
            // On one line: what is read is the last one.
            writeln!(io::stderr(), "{}", reason.split_whitespace().collect::<Vec<_>>().join(" "))?;
            Ok(ExitCode::from(REFUSED))
        }
    }
}
