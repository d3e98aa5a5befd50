//! Takes more than its share of something.

use std::hint::black_box;
use std::io::Write;

use mint_sdk::bindings::imports::wasi::clocks::monotonic_clock;
use mint_sdk::bindings::imports::wasi::http::types::Fields;
use mint_sdk::{Error, Request, Response, Result, log};

const PAGE_BYTES: usize = 65_536;

/// Never ends.
pub(crate) fn spin(_request: Request) -> Result<Response> {
    spin_for_ever()
}

pub(crate) fn spin_for_ever() -> ! {
    loop {
        black_box(());
    }
}

/// Breaks the rules of the machine.
pub(crate) fn trap(_request: Request) -> Result<Response> {
    break_rules()
}

pub(crate) fn break_rules() -> ! {
    #[cfg(target_arch = "wasm32")]
    core::arch::wasm32::unreachable();
    #[cfg(not(target_arch = "wasm32"))]
    std::process::abort();
}

/// Takes and touches memory until there is no more; answers how many pages it got.
pub(crate) fn eat(_request: Request) -> Result<Response> {
    let mut pages = 0_u32;
    while let Some(page) = grow(1) {
        page.iter_mut().step_by(512).for_each(|byte| *byte = 1);
        black_box(&page);
        pages += 1;
    }
    Ok(Response::text(format!("{pages} pages")))
}

/// Takes memory until the machine says no, and makes no answer of that.
pub(crate) fn eat_for_ever() -> ! {
    let mut held = Vec::new();
    loop {
        held.push(vec![1_u8; PAGE_BYTES]);
        black_box(&held);
    }
}

/// Logs without end.
pub(crate) fn flood(_request: Request) -> Result<Response> {
    loop {
        log::info("a line that nobody needs, repeated until somebody stops it");
    }
}

/// Prints without end.
pub(crate) fn stdout(_request: Request) -> Result<Response> {
    loop {
        println!("a line that nobody needs, repeated until somebody stops it");
    }
}

/// `?bytes=`: says so much in one call.
pub(crate) fn say(request: Request) -> Result<Response> {
    let bytes = request.parse_query("bytes")?.unwrap_or_default();
    log::info(&"x".repeat(bytes));
    Ok(Response::text(format!("{bytes} bytes said")))
}

/// `?count=`: holds so many handles of the host at once, and with `leak=true` for ever.
pub(crate) fn hold(request: Request) -> Result<Response> {
    let count = request.parse_query("count")?.unwrap_or_default();
    let held: Vec<Fields> = (0..count).map(|_| Fields::new()).collect();
    let said = format!("{} handles held", held.len());
    if request.parse_query("leak")?.unwrap_or_default() {
        std::mem::forget(held);
    }
    Ok(Response::text(said))
}

/// Uses a handle that it has given back.
pub(crate) fn dropped(_request: Request) -> Result<Response> {
    let fields = Fields::new();
    let handle = fields.handle();
    drop(fields);
    // SAFETY: to Rust it is a number; what it means, nothing any more, is for the host to notice.
    let again = std::mem::ManuallyDrop::new(unsafe { Fields::from_handle(handle) });
    Ok(Response::text(format!("{} entries", again.entries().len())))
}

/// Waits for nothing, again and again.
pub(crate) fn naps(_request: Request) -> Result<Response> {
    loop {
        monotonic_clock::subscribe_duration(0).block();
    }
}

/// Ends the program.
pub(crate) fn exit(_request: Request) -> Result<Response> {
    std::process::exit(3);
}

/// Answers without end.
pub(crate) fn endless(_request: Request) -> Result<Response> {
    Ok(Response::stream("application/octet-stream", |out| {
        let chunk = vec![b'x'; PAGE_BYTES];
        loop {
            out.write_all(&chunk)?;
        }
    }))
}

/// Calls itself until the stack ends.
pub(crate) fn deep(_request: Request) -> Result<Response> {
    Err(Error::internal(format!("the stack held {} calls", descend(0))))
}

#[expect(unconditional_recursion, reason = "that is what it is for")]
fn descend(depth: u64) -> u64 {
    let frame = black_box([depth; 16]);
    descend(depth + 1) + frame.iter().sum::<u64>()
}

/// New pages at the end of the memory, zeroed by the machine.
pub(crate) fn grow(pages: usize) -> Option<&'static mut [u8]> {
    #[cfg(target_arch = "wasm32")]
    {
        let before = core::arch::wasm32::memory_grow::<0>(pages);
        if before == usize::MAX {
            return None;
        }
        let start = std::ptr::with_exposed_provenance_mut::<u8>(before * PAGE_BYTES);
        // SAFETY: the pages are new, so that nothing else refers to them, and they stay for ever.
        Some(unsafe { std::slice::from_raw_parts_mut(start, pages * PAGE_BYTES) })
    }
    #[cfg(not(target_arch = "wasm32"))]
    {
        black_box(pages);
        None
    }
}
