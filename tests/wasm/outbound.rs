//! The way out by HTTPS: no component speaks with a server that cannot prove who it is.

use std::{sync::Arc, time::Duration, time::Instant};

use http::StatusCode;
use mint_tests::{TestServer, bundle, repackaged};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

/// What a server does with a connection.
#[derive(Clone)]
enum Manner {
    /// Speaks TLS, with a certificate that nobody vouches for.
    SelfSigned(TlsAcceptor),
    /// Speaks HTTP in clear.
    Plain,
    /// Says nothing.
    Silent,
}

impl Manner {
    fn self_signed() -> Self {
        let certificate = CertificateDer::from_pem_slice(include_bytes!("../data/self-signed.crt")).unwrap();
        let key = PrivateKeyDer::from_pem_slice(include_bytes!("../data/self-signed.key")).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
        Self::SelfSigned(TlsAcceptor::from(Arc::new(config)))
    }

    async fn serve(self, stream: TcpStream) {
        match self {
            Self::SelfSigned(acceptor) => {
                if let Ok(stream) = acceptor.accept(stream).await {
                    answer(stream).await;
                }
            }
            Self::Plain => answer(stream).await,
            Self::Silent => tokio::time::sleep(Duration::from_secs(600)).await,
        }
    }
}

async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let _request = stream.read(&mut [0; 4096]).await;
    let _gone = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok").await;
}

/// Starts a server, and gives its authority.
async fn listen(manner: Manner, serving: &mut JoinSet<()>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let authority = listener.local_addr().unwrap().to_string();
    serving.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            connections.spawn(manner.clone().serve(stream));
        }
    });
    authority
}

#[tokio::test]
async fn a_server_that_does_not_prove_who_it_is_gets_nothing() {
    let mut serving = JoinSet::new();
    let untrusted = listen(Manner::self_signed(), &mut serving).await;
    let plain = listen(Manner::Plain, &mut serving).await;
    let silent = listen(Manner::Silent, &mut serving).await;
    let server = TestServer::start().await;
    let guest = repackaged(&bundle("everything"), |manifest| {
        for authority in [&untrusted, &plain, &silent] {
            let asked = json!({ "name": format!("http:{authority}"), "why": "Asks a server." });
            manifest["capabilities"].as_array_mut().unwrap().push(asked);
        }
    });
    server.admin.installed(&guest, json!({ "wall_ms_max": 20_000 })).await;
    let ask = |scheme: &str, authority: &str| {
        let path = format!("/api/everything/outbound?scheme={scheme}&authority={authority}");
        let admin = server.admin.clone();
        async move {
            let begun = Instant::now();
            let reply = admin.get(&path).await;
            assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
            (reply.json()[0].clone(), begun.elapsed())
        }
    };
    assert_eq!(ask("http", &plain).await.0, 200, "the plugin may ask");
    for (authority, expected) in [(&untrusted, "TlsProtocolError"), (&plain, "TlsProtocolError")] {
        let (said, took) = ask("https", authority).await;
        assert_eq!(said, expected, "{authority}");
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
    let (said, took) = ask("https", &silent).await;
    assert_eq!(said, "ConnectionTimeout");
    assert!(took < Duration::from_secs(15), "{took:?}");
    assert_eq!(ask("https", "127.0.0.1:1").await.0, "HttpRequestDenied", "what was not granted is not even tried");
    let usage = server.admin.plugin("everything").await["usage"].clone();
    assert_eq!(usage["plugin_faults"], Value::from(0), "{usage}");
}
