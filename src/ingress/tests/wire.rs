//! A sender that writes its bytes itself, so that it can be slow, rude and wrong.

use std::collections::HashMap;
use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{DEADLINE, SECRET};

/// What came back.
#[derive(Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HashMap<String, String>,
    pub(super) text: String,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect("a JSON answer")
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// Holds what every refusal promises.
    pub(super) fn refused(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{self:?}");
        let body = self.json();
        assert_eq!(body["status"], status, "{body}");
        assert_eq!(body.as_object().expect("an object").len(), 2, "{body}");
        assert!(self.text.len() < 300, "{body}");
        body["error"].as_str().expect("a text").to_owned()
    }
}

/// One connection.
pub(super) struct Wire(TcpStream);

impl Wire {
    pub(super) async fn connect(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.expect("a listener"))
    }

    pub(super) async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.0
            .write_all(bytes.as_ref())
            .await
            .expect("an open connection");
    }

    /// Writes without listening, as long as the other side takes it; says whether it took all.
    pub(super) async fn push(&mut self, bytes: &[u8]) -> bool {
        timeout(DEADLINE, self.0.write_all(bytes))
            .await
            .expect("an end in time")
            .is_ok()
    }

    /// Reads one answer, whose body must have a `Content-Length`.
    pub(super) async fn answer(&mut self) -> Answer {
        timeout(DEADLINE, self.read_answer(true))
            .await
            .expect("an answer in time")
    }

    /// Reads an answer that has no body whatever it says.
    pub(super) async fn head_answer(&mut self) -> Answer {
        timeout(DEADLINE, self.read_answer(false))
            .await
            .expect("an answer in time")
    }

    async fn read_answer(&mut self, with_body: bool) -> Answer {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await.expect("a whole answer"));
        }
        let head = String::from_utf8(head).expect("text");
        let mut lines = head.lines();
        let status = lines.next().expect("a status line");
        let headers: HashMap<_, _> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let length = headers
            .get("content-length")
            .map_or(0, |text| text.parse().unwrap());
        let mut body = vec![0; if with_body { length } else { 0 }];
        self.0.read_exact(&mut body).await.expect("a whole body");
        Answer {
            status: status.split(' ').nth(1).expect("a status").parse().unwrap(),
            headers,
            text: String::from_utf8(body).expect("text"),
        }
    }

    /// Waits until the other side has closed, and returns what it sent before.
    pub(super) async fn until_closed(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        // A reset is as closed as an orderly end.
        let _ = timeout(DEADLINE, self.0.read_to_end(&mut rest))
            .await
            .expect("a connection that is closed in time");
        rest
    }
}

/// A whole request as bytes.
pub(super) fn request(line: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut bytes = format!(
        "{line} HTTP/1.1\r\nhost: cuegate\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        bytes.push_str(&format!("{name}: {value}\r\n"));
    }
    bytes.push_str("\r\n");
    let mut bytes = bytes.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// Sends one request on a connection of its own.
pub(super) async fn send(address: SocketAddr, bytes: impl AsRef<[u8]>) -> Answer {
    let mut wire = Wire::connect(address).await;
    wire.write(bytes).await;
    wire.answer().await
}

/// Posts what the right Iconik would post.
pub(super) async fn post(address: SocketAddr, body: impl AsRef<[u8]>) -> Answer {
    send(address, genuine(body)).await
}

/// The bytes of what the right Iconik would post.
pub(super) fn genuine(body: impl AsRef<[u8]>) -> Vec<u8> {
    let headers = [
        ("x-cuegate-secret", SECRET),
        ("content-type", "application/json"),
    ];
    request("POST /hooks/iconik", &headers, body)
}
