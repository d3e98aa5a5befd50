//! Leaves traces, and looks for those of others.

use std::hint::black_box;
use std::sync::Mutex;

use mint_sdk::json::json;
use mint_sdk::{Error, Request, Response, Result, log};

use crate::exhaust::grow;

/// What an earlier request of the same instance left.
static REMEMBERED: Mutex<Option<String>> = Mutex::new(None);

/// Pages that are written over, beyond the first memory.
const PAGES: usize = 128;
/// Words that are written over inside the first memory.
const WORDS: usize = 64 * 1024;

/// `?value=`: keeps a value in memory.
pub(crate) fn remember(request: Request) -> Result<Response> {
    let value = request.query("value").map(|value| value.into_owned());
    if let Ok(mut remembered) = REMEMBERED.lock() {
        *remembered = value;
    }
    Ok(Response::text("remembered"))
}

/// Answers with what was kept: `{"value": null}` in a fresh instance.
pub(crate) fn recall(_request: Request) -> Result<Response> {
    let value = REMEMBERED.lock().ok().and_then(|remembered| remembered.clone());
    Response::json(&json!({ "value": value }))
}

/// Writes a pattern over much of the memory: `{"words": n}`.
pub(crate) fn canary(_request: Request) -> Result<Response> {
    let inside: &'static mut [u64] = vec![0; WORDS].leak();
    let mut words = write(inside);
    if let Some(pages) = grow(PAGES) {
        // SAFETY: any bytes are a number, and the parts that are not aligned are left out.
        let (_, beyond, _) = unsafe { pages.align_to_mut::<u64>() };
        words += write(beyond);
    }
    Response::json(&json!({ "words": words }))
}

/// Looks for the pattern in all of the memory, and where [`canary`] grew it to: `{"found": n, "bytes": n}`.
pub(crate) fn scan(_request: Request) -> Result<Response> {
    black_box(grow(PAGES));
    let bytes = memory_bytes();
    let found = (8..bytes).step_by(8).filter(|&address| read(address) == pattern(address)).count();
    Response::json(&json!({ "found": found, "bytes": bytes }))
}

/// `?word=`, `?pages=`: writes a word over much of the memory and into the log: `{"bytes": n}`.
pub(crate) fn fill(request: Request) -> Result<Response> {
    let word = request.query("word").ok_or_else(|| Error::bad_request("which word?"))?;
    log::info(&word);
    let inside: &'static mut [u8] = vec![0; WORDS * size_of::<u64>()].leak();
    let mut bytes = 0;
    for place in [Some(inside), grow(request.parse_query("pages")?.unwrap_or(PAGES))].into_iter().flatten() {
        place.iter_mut().zip(word.bytes().cycle()).for_each(|(byte, letter)| *byte = letter);
        bytes += black_box(place).len();
    }
    Response::json(&json!({ "bytes": bytes }))
}

/// `?own=`, `?foreign=`, `?pages=`: counts two words in all of the memory, also where [`fill`] grew it to. They are given backwards, so
/// that the question does not put there what it asks for: `{"own": n, "foreign": n, "bytes": n}`.
pub(crate) fn seek(request: Request) -> Result<Response> {
    black_box(grow(request.parse_query("pages")?.unwrap_or(PAGES)));
    let word = |name| request.query(name).ok_or_else(|| Error::bad_request("which words?"));
    let (own, foreign) = (word("own")?, word("foreign")?);
    let count = |backwards: &str| occurrences(backwards.as_bytes());
    Response::json(&json!({ "own": count(&own), "foreign": count(&foreign), "bytes": memory_bytes() }))
}

fn occurrences(backwards: &[u8]) -> usize {
    let end = memory_bytes().saturating_sub(backwards.len() + 8);
    let is_here = |address: usize| backwards.iter().rev().enumerate().all(|(at, letter)| read_byte(address + at) == *letter);
    let begun = |eight: usize| if read(eight) == 0 { 0 } else { (eight..eight + 8).filter(|at| is_here(*at)).count() };
    (8..end).step_by(8).map(begun).sum()
}

fn write(words: &mut [u64]) -> usize {
    for word in words.iter_mut() {
        let address = std::ptr::from_ref(word).addr();
        // SAFETY: it is a reference; volatile so that the write is not left out.
        unsafe { std::ptr::from_mut(word).write_volatile(pattern(address)) };
    }
    words.len()
}

/// The word that belongs to an address: a chance match, or a copy on the stack, is never at its own address.
fn pattern(address: usize) -> u64 {
    (address as u64 ^ 0x6d69_6e74).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(target_arch = "wasm32")]
fn memory_bytes() -> usize {
    core::arch::wasm32::memory_size::<0>() * 65_536
}

#[cfg(target_arch = "wasm32")]
fn read(address: usize) -> u64 {
    // SAFETY: the address is inside the memory, where every byte can be read.
    unsafe { std::ptr::with_exposed_provenance::<u64>(address).read_volatile() }
}

#[cfg(target_arch = "wasm32")]
fn read_byte(address: usize) -> u8 {
    // SAFETY: as above.
    unsafe { std::ptr::with_exposed_provenance::<u8>(address).read_volatile() }
}

#[cfg(not(target_arch = "wasm32"))]
fn read_byte(address: usize) -> u8 {
    address as u8
}

#[cfg(not(target_arch = "wasm32"))]
fn memory_bytes() -> usize {
    0
}

#[cfg(not(target_arch = "wasm32"))]
fn read(address: usize) -> u64 {
    address as u64
}
