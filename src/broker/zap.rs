//! Answers libzmq's question who may connect (ZAP, RFC 27), in a thread of its own.
//!
//! It fails closed: a handshake that it does not answer, or that it does not understand, fails.
//! What it says of a connection is the only thing the broker believes of it: the key as
//! `User-Id`, and a number that no other connection ever has.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_channel::{Receiver, Sender, TryRecvError};

use super::Error;
use super::authorized::Known;
use super::exchange::Inbound;
use crate::core::Proof;
use crate::wire::PublicKey;

/// Where libzmq asks; the sockets it asks for have to be of the same context.
const ENDPOINT: &str = "inproc://zeromq.zap.01";
const VERSION: &[u8] = b"1.0";
/// The property of every message that carries its connection's number.
const NUMBER: &str = "X-Connection";
/// How long it takes at most to notice that the broker stops.
const LOOK_MS: i32 = 200;
const UNKNOWN: &str = "unknown_key";

/// Numbers for connections, in the order of their handshakes, from 1. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Numbers(Arc<AtomicU64>);

impl Numbers {
    /// The newest that was given to a connection.
    pub(super) fn newest(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }
}

/// The socket that is asked, before its thread has started.
pub(super) struct Gate {
    socket: zmq::Socket,
    known: Known,
    numbers: Numbers,
}

impl Gate {
    /// To be called before any socket is bound.
    pub(super) fn bind(
        context: &zmq::Context,
        known: Known,
        numbers: Numbers,
    ) -> zmq::Result<Self> {
        let socket = context.socket(zmq::REP)?;
        socket.set_linger(0)?;
        socket.set_rcvtimeo(LOOK_MS)?;
        socket.bind(ENDPOINT)?;
        Ok(Self {
            socket,
            known,
            numbers,
        })
    }

    /// Answers until `stop` is gone.
    ///
    /// # Errors
    /// Errors of its socket; nobody gets in from then on.
    pub(super) fn run(self, stop: &Receiver<()>, inbound: &Sender<Inbound>) -> Result<(), Error> {
        while stop.try_recv() != Err(TryRecvError::Disconnected) {
            let request = match self.socket.recv_multipart(0) {
                Ok(request) => request,
                Err(zmq::Error::EAGAIN | zmq::Error::EINTR) => continue,
                Err(error) => return Err(Error::Socket(error.to_string())),
            };
            let reply = self.answer(&request, inbound);
            let sent = self.socket.send_multipart(reply, 0);
            sent.map_err(|error| Error::Socket(error.to_string()))?;
        }
        Ok(())
    }

    fn answer(&self, request: &[Vec<u8>], inbound: &Sender<Inbound>) -> [Vec<u8>; 6] {
        let id = request.get(1).cloned().unwrap_or_default();
        let reply = |code: &str, text: &str, user: String, metadata: Vec<u8>| {
            let words = [
                VERSION,
                &id,
                code.as_bytes(),
                text.as_bytes(),
                user.as_bytes(),
            ];
            let [version, id, code, text, user] = words.map(<[u8]>::to_vec);
            [version, id, code, text, user, metadata]
        };
        match key_of(request) {
            Some(key) if self.known.holds(&key) => {
                let metadata = property(NUMBER, &self.numbers.next().to_string());
                reply("200", "OK", key.to_string(), metadata)
            }
            _ => {
                // A full channel means that there is more to do than to count strangers.
                inbound.try_send(Inbound::Refused(UNKNOWN)).ok();
                reply("400", "unknown key", String::new(), Vec::new())
            }
        }
    }
}

/// The key of a request; `None` if it is about anything but CURVE.
fn key_of(request: &[Vec<u8>]) -> Option<PublicKey> {
    let [version, _id, _domain, _address, _identity, mechanism, key] = request else {
        return None;
    };
    let key: &[u8; 32] = key.as_slice().try_into().ok()?;
    (version == VERSION && mechanism == b"CURVE").then(|| PublicKey::new(*key))
}

/// A property as ZMTP writes it.
fn property(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.push(u8::try_from(name.len()).expect("a short name"));
    bytes.extend_from_slice(name.as_bytes());
    let length = u32::try_from(value.len()).expect("a short value");
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(value.as_bytes());
    bytes
}

/// What the handshake of the connection that a message came over has proved.
pub(super) fn proof_of(message: &mut zmq::Message) -> Option<Proof> {
    let key = PublicKey::from_z85(message.gets("User-Id")?.as_bytes()).ok()?;
    let connection = message.gets(NUMBER)?.parse().ok()?;
    Some(Proof { key, connection })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_curve_is_understood() {
        let request = |mechanism: &str, key: &[u8]| {
            let words = [
                VERSION,
                b"7",
                b"orden",
                b"127.0.0.1",
                b"",
                mechanism.as_bytes(),
                key,
            ];
            key_of(&words.map(<[u8]>::to_vec))
        };
        assert_eq!(request("CURVE", &[3; 32]), Some(PublicKey::new([3; 32])));
        assert_eq!(request("CURVE", &[3; 31]), None);
        assert_eq!(request("NULL", &[3; 32]), None);
        assert_eq!(key_of(&[]), None);
    }
}
