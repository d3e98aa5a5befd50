//! WebSockets, as a test opens them: byte by byte.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::Client;

/// The lines that make a request a handshake.
pub const HANDSHAKE: [(&str, &str); 4] = [
    ("connection", "Upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("sec-websocket-version", "13"),
];

impl Client {
    /// A fresh connection to the server.
    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.url().strip_prefix("http://").expect("an address")).await.expect("a connection")
    }

    /// Sends a `GET` with these lines and the token on a connection of its own, and gives the head of the answer, with
    /// the connection behind it.
    pub async fn handshake(&self, path: &str, lines: &[(&str, &str)]) -> (String, TcpStream) {
        let mut stream = self.connect().await;
        let lines: String = lines.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n{lines}\r\n", self.token());
        stream.write_all(request.as_bytes()).await.expect("a request");
        let head = read_head(&mut stream).await;
        (head, stream)
    }
}

/// Reads to the end of a head, and not a byte further.
pub async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_end) => break,
        }
    }
    String::from_utf8(head).expect("a head of text")
}
