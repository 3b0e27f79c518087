//! A speaker of ZMTP 3.1 that says what libzmq never would.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A frame is followed by another.
pub const MORE: u8 = 0x01;
/// A frame's length has eight bytes.
pub const LONG: u8 = 0x02;
/// A frame is a command.
pub const COMMAND: u8 = 0x04;

const GREETING_LEN: usize = 64;

/// A TCP connection to the broker.
pub struct Speaker {
    stream: TcpStream,
}

impl Speaker {
    /// Connects, and says nothing.
    pub fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream }
    }

    /// Connects and shakes hands as a DEALER with this routing id, which may be any bytes.
    pub fn join(address: &str, id: &[u8]) -> Self {
        let properties = [(&b"Socket-Type"[..], &b"DEALER"[..]), (b"Identity", id)];
        Self::join_as(address, &properties)
    }

    /// Connects and shakes hands with these properties.
    pub fn join_as(address: &str, properties: &[(&[u8], &[u8])]) -> Self {
        let mut speaker = Self::connect(address);
        speaker.say(&greeting(3, 1, "NULL", false));
        speaker.say(&ready(properties));
        // The broker may have closed already, if it does not like the properties.
        let mut answer = [0; GREETING_LEN];
        let _ = speaker.stream.read_exact(&mut answer);
        speaker
    }

    /// Writes bytes as they are; that the broker may have closed meanwhile is no failure.
    pub fn say(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Writes bytes until all are taken, or none is for so long.
    pub fn say_what_is_taken(&mut self, bytes: &[u8], patience: Duration) {
        self.stream
            .set_write_timeout(Some(patience))
            .expect("a timeout");
        // What is not taken is left out.
        let _ = self.stream.write_all(bytes);
    }

    /// Sends a message of these frames.
    pub fn message(&mut self, frames: &[&[u8]]) -> bool {
        self.say(&message(frames))
    }

    /// Whether the broker ends the connection within a time; reads whatever comes before.
    pub fn is_closed_within(&mut self, time: Duration) -> bool {
        self.stream.set_read_timeout(Some(time)).unwrap();
        let mut bytes = [0; 4096];
        loop {
            match self.stream.read(&mut bytes) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => {
                    let waited = [ErrorKind::WouldBlock, ErrorKind::TimedOut];
                    return !waited.contains(&error.kind());
                }
            }
        }
    }
}

/// The first 64 bytes of a connection.
pub fn greeting(major: u8, minor: u8, mechanism: &str, as_server: bool) -> Vec<u8> {
    let mut bytes = vec![0xFF, 0, 0, 0, 0, 0, 0, 0, 0, 0x7F, major, minor];
    bytes.extend_from_slice(mechanism.as_bytes());
    bytes.resize(32, 0);
    bytes.push(u8::from(as_server));
    bytes.resize(GREETING_LEN, 0);
    bytes
}

/// The command that ends the handshake without encryption.
pub fn ready(properties: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut body = b"\x05READY".to_vec();
    for (name, value) in properties {
        body.push(u8::try_from(name.len()).unwrap());
        body.extend_from_slice(name);
        body.extend_from_slice(&u32::try_from(value.len()).unwrap().to_be_bytes());
        body.extend_from_slice(value);
    }
    frame(COMMAND, &body)
}

/// A frame with these flags, and the flag for its length.
pub fn frame(flags: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = if let Ok(length) = u8::try_from(body.len()) {
        vec![flags, length]
    } else {
        let length = (body.len() as u64).to_be_bytes();
        [&[flags | LONG][..], &length].concat()
    };
    bytes.extend_from_slice(body);
    bytes
}

/// A message of these frames.
pub fn message(frames: &[&[u8]]) -> Vec<u8> {
    let last = frames.len().saturating_sub(1);
    let frames = frames.iter().enumerate();
    let flags = |at| if at < last { MORE } else { 0 };
    frames
        .flat_map(|(at, body)| frame(flags(at), body))
        .collect()
}
