//! `mint`.

fn main() -> std::process::ExitCode {
    mint_cli::run()
}
