//! Answers libzmq's question who may connect (ZAP, RFC 27).
//!
//! It fails closed: a handshake that it does not answer, or that it does not understand, fails.
//! What it says of a connection is the only thing the broker believes of it: the key as
//! `User-Id`, and a number that no other connection ever has.

use std::net::IpAddr;

use super::access_list::AuthorizedKeys;
use crate::core::Proof;
use crate::net::SocketError;
use crate::net::polled_socket::PolledSocket;
use crate::wire::PublicKey;

/// Where libzmq asks; the sockets it asks for have to be of the same context.
const ENDPOINT: &str = "inproc://zeromq.zap.01";
const VERSION: &[u8] = b"1.0";
/// The property of every message that carries its connection's number.
const NUMBER: &str = "X-Connection";

/// Answers the requests of ZAP: the socket that libzmq asks, and the keys that may connect.
pub(super) struct ZapHandler {
    socket: PolledSocket,
    keys: AuthorizedKeys,
}

/// A handshake that waits for its answer.
pub(super) struct Request {
    /// What the answer has to begin with.
    id: Vec<u8>,
    /// Where the peer is, if it is a host.
    pub(super) host: Option<IpAddr>,
    /// The key that the peer has proved to have.
    pub(super) key: Option<PublicKey>,
}

impl ZapHandler {
    /// To be called before any socket is bound.
    pub(super) fn bind(context: &zmq::Context, keys: AuthorizedKeys) -> zmq::Result<Self> {
        let socket = context.socket(zmq::REP)?;
        socket.set_linger(0)?;
        socket.bind(ENDPOINT)?;
        Ok(Self {
            socket: PolledSocket::new(socket)?,
            keys,
        })
    }

    /// The next handshake, if one waits.
    ///
    /// # Errors
    /// Errors of its socket.
    pub(super) fn next(&self) -> Result<Option<Request>, SocketError> {
        let mut frame = zmq::Message::new();
        let mut frames = Vec::new();
        while self.socket.receive(&mut frame)? {
            frames.push(frame.to_vec());
            if !frame.get_more() {
                let text = frames.get(3).map(|frame| String::from_utf8_lossy(frame));
                return Ok(Some(Request {
                    id: frames.get(1).cloned().unwrap_or_default(),
                    host: text.and_then(|text| text.parse().ok()),
                    key: key_of(&frames),
                }));
            }
        }
        Ok(None)
    }

    /// Lets a peer in if its key is authorized, as the connection of this number; says whether.
    ///
    /// # Errors
    /// Errors of its socket.
    pub(super) fn answer(&self, request: &Request, number: u64) -> Result<bool, SocketError> {
        let key = request.key.filter(|key| self.keys.holds(key));
        let (code, text) = match key {
            Some(_) => ("200", "OK"),
            None => ("400", "unknown key"),
        };
        let user = key.map(|key| key.to_string()).unwrap_or_default();
        let metadata = key.map(|_| property(NUMBER, &number.to_string()));
        let reply = [
            VERSION.to_vec(),
            request.id.clone(),
            code.into(),
            text.into(),
            user.into_bytes(),
            metadata.unwrap_or_default(),
        ];
        let socket = self.socket.socket();
        socket.send_multipart(reply, zmq::DONTWAIT)?;
        Ok(key.is_some())
    }

    /// To be waited for.
    pub(super) fn socket(&self) -> &PolledSocket {
        &self.socket
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
