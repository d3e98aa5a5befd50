//! A gigabyte each way passes, and the server holds next to nothing of it.

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{Method, StatusCode};
use mint_tests::{Client, forget_peak, peak_bytes};
use reqwest::Body;
use serde_json::json;

use super::Program;
use crate::cli::Mint;

const GIB: u64 = 1 << 30;
const PIECE: usize = 1 << 20;
/// Of a GiB that passes, the server may hold so much at once.
const HELD_MAX: u64 = 48 << 20;

/// A server of its own, so that the client's memory is not counted.
async fn serving() -> (Mint, Client) {
    let mint = Mint::serving().await;
    let admin = Client::sign_in(&mint.url, "default", "admin").await;
    let limits = json!({ "request_body_bytes_max": 2 * GIB, "response_body_bytes_max": 2 * GIB, "wall_ms_max": 120_000 });
    admin.installed(&Program::BULKY.bundle("bulky"), limits).await;
    (mint, admin)
}

/// Runs `transfer` and checks how much more memory the server had meanwhile than before.
async fn held<T>(mint: &Mint, transfer: impl Future<Output = T>) -> T {
    let pid = mint.pid().as_raw_nonzero().get();
    forget_peak(pid);
    let before = peak_bytes(pid);
    let began = std::time::Instant::now();
    let outcome = transfer.await;
    let grown = peak_bytes(pid).saturating_sub(before);
    println!("the server had {} MiB before, and {} KiB more at its peak; {:?}", before >> 20, grown >> 10, began.elapsed());
    assert!(grown < HELD_MAX, "the server grew by {grown} bytes");
    outcome
}

#[tokio::test]
async fn a_gigabyte_goes_up() {
    let (mint, admin) = serving().await;
    let piece = Bytes::from((0..PIECE).map(|number| number as u8).collect::<Vec<_>>());
    let pieces = stream::iter((0..GIB / PIECE as u64).map(move |_| Ok::<_, std::io::Error>(piece.clone())));
    let request = admin.request(Method::POST, "/api/bulky/take").body(Body::wrap_stream(pieces));
    let reply = held(&mint, admin.send(request)).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    assert_eq!(reply.json()["bytes"], GIB);
    // Of `bytes(range(256))`, four million times.
    assert_eq!(reply.json()["sha1"], "fc43b386127b96b7c64651e9870d66d41923f1d2", "{reply:?}");
}

#[tokio::test]
async fn a_gigabyte_comes_down() {
    let (mint, admin) = serving().await;
    for chunked in [0, 1] {
        let path = format!("/api/bulky/give?bytes={GIB}&chunked={chunked}");
        let (bytes, whole) = held(&mint, async {
            let response = admin.request(Method::GET, &path).send().await.unwrap();
            assert_eq!(response.status(), StatusCode::OK);
            assert_eq!(response.content_length(), (chunked == 0).then_some(GIB));
            let (mut body, mut bytes, mut whole) = (response.bytes_stream(), 0_u64, true);
            while let Some(piece) = body.next().await {
                let piece = piece.unwrap();
                whole &= piece.first() == Some(&(bytes as u8));
                bytes += piece.len() as u64;
            }
            (bytes, whole)
        })
        .await;
        assert_eq!((bytes, whole), (GIB, true));
    }
}
