//! `mint`.

/// Requests allocate and free much that is small and short-lived, from all threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    mint_cli::run()
}
