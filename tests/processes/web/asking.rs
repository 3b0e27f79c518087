//! Requests, byte by byte: what a library would mend is what a server has to bear.

use std::fmt;
use std::io::{Read, Write};
use std::net::TcpStream;

use orden_kit::PATIENCE;
use serde_json::Value;

/// An answer, read to its end.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Status line and headers, in small letters.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let begins = String::from_utf8_lossy(&self.body[..self.body.len().min(300)]);
        write!(f, "{}: {begins:?}", self.status)
    }
}

impl Answer {
    /// Takes apart what has come.
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no answer: {}", String::from_utf8_lossy(bytes)));
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let body = bytes[end + 4..].to_vec();
        Self { status, head, body }
    }

    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A connection, on which nothing was said yet.
pub(crate) fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Says these bytes, and hears everything until the other side ends it.
pub(crate) fn exchange(address: &str, bytes: &[u8]) -> Vec<u8> {
    let mut stream = connect(address);
    // It may have been answered and ended before all of it was said.
    stream.write_all(bytes).ok();
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).ok();
    heard
}

/// A request in HTTP/1.0, whose answer ends with the connection.
pub(crate) fn request(address: &str, line: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut text = format!("{line} HTTP/1.0\r\nHost: {address}\r\n");
    let length = format!("Content-Length: {}", body.len());
    for header in headers
        .iter()
        .chain((!body.is_empty()).then_some(&&*length))
    {
        text += header;
        text += "\r\n";
    }
    [text.as_bytes(), b"\r\n", body].concat()
}

pub(crate) fn ask(address: &str, line: &str, headers: &[&str], body: &[u8]) -> Answer {
    Answer::parse(&exchange(address, &request(address, line, headers, body)))
}

pub(crate) fn get(address: &str, path: &str) -> Answer {
    ask(address, &format!("GET {path}"), &[], b"")
}

/// Posts a message; gives status and answer.
pub(crate) fn post(address: &str, name: &str, sequence: u64, text: &[u8]) -> (u16, Value) {
    let line = format!("POST /messages?name={name}&sequence={sequence}");
    let answer = ask(address, &line, &[], text);
    (answer.status, answer.json())
}
