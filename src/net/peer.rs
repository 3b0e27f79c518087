//! Who is at the other end of a connection of libzmq's, and how to end it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{BorrowedFd, RawFd};

use rustix::net::Shutdown;
use rustix::net::sockopt::{socket_cookie, socket_peercred};

use super::libzmq::with_descriptor;

/// The other end of a connection, told apart from any other that may have its descriptor later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    /// The system's number for the socket, which no other ever has.
    cookie: u64,
    /// Who it is.
    pub(crate) place: Place,
}

/// Where a peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Elsewhere, or here, over TCP.
    Tcp(SocketAddr),
    /// On this machine, over a Unix socket.
    Local {
        /// Its process.
        process: i32,
        /// Whom that runs as.
        user: u32,
    },
    /// It is gone already.
    Unknown,
}

#[cfg(test)]
impl Peer {
    /// A peer that is nowhere.
    pub(crate) fn test(cookie: u64) -> Self {
        let place = Place::Unknown;
        Self { cookie, place }
    }
}

impl Place {
    /// The host, if there is one.
    pub(crate) fn host(self) -> Option<IpAddr> {
        match self {
            Self::Tcp(address) => Some(address.ip()),
            Self::Local { .. } | Self::Unknown => None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Local { process, user } => write!(f, "process {process} of user {user}"),
            Self::Unknown => f.write_str("somebody who is gone already"),
        }
    }
}

/// Host and port of the TCP peer that `message` came from, if its connection is still there.
///
/// libzmq says the host, and which descriptor it read from: `__fd` is what `ZMQ_SRCFD` reads,
/// which the `zmq` crate has no call for. The descriptor may have been closed since, and its
/// number given to another connection. So this is good for a log line, and for nothing that must
/// be right; an answer that contradicts libzmq's host is none.
pub(crate) fn peer_address(message: &mut zmq::Message) -> Option<SocketAddr> {
    let host: IpAddr = message.gets("Peer-Address")?.parse().ok()?;
    let Place::Tcp(peer) = peer_of(descriptor_of(message)?)?.place else {
        return None;
    };
    (peer.ip() == host.to_canonical()).then_some(peer)
}

/// The descriptor that libzmq read a message from. It may have been closed since.
pub(crate) fn descriptor_of(message: &mut zmq::Message) -> Option<RawFd> {
    message.gets("__fd")?.parse().ok()
}

/// Who is at the other end of a connection of libzmq's, by its descriptor's number.
pub(crate) fn peer_of(number: RawFd) -> Option<Peer> {
    with_descriptor(number, |descriptor| {
        Some(Peer {
            cookie: socket_cookie(descriptor).ok()?,
            place: place_of(descriptor).unwrap_or(Place::Unknown),
        })
    })
}

fn place_of(descriptor: BorrowedFd<'_>) -> Option<Place> {
    let address = rustix::net::getpeername(descriptor).ok()??;
    if let Ok(address) = SocketAddr::try_from(address) {
        // What listens for both families sees IPv4 as a part of IPv6.
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        return Some(Place::Tcp(address));
    }
    let credentials = socket_peercred(descriptor).ok()?;
    Some(Place::Local {
        process: credentials.pid.as_raw_nonzero().get(),
        user: credentials.uid.as_raw(),
    })
}

/// Ends the connection that has this descriptor, if `peer` is still at its other end: libzmq then
/// finds it closed, and has no call of its own for this.
///
/// Should the number pass to another connection between the two calls, that one is ended, and
/// its peer connects again; nothing that is no socket is touched.
pub(crate) fn cut(number: RawFd, peer: &Peer) {
    with_descriptor(number, |descriptor| {
        if socket_cookie(descriptor).ok()? == peer.cookie {
            // An error means that it has ended already, which is all that is wanted.
            rustix::net::shutdown(descriptor, Shutdown::Both).ok();
        }
        Some(())
    });
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpStream;

    use super::*;

    fn bound(context: &zmq::Context) -> (zmq::Socket, String) {
        let socket = context.socket(zmq::STREAM).unwrap();
        socket.set_rcvtimeo(10_000).unwrap();
        socket.bind("tcp://127.0.0.1:*").unwrap();
        let endpoint = socket.get_last_endpoint().unwrap().unwrap();
        (socket, endpoint)
    }

    #[test]
    fn the_address_of_a_tcp_peer() {
        let context = zmq::Context::new();
        let (stream, endpoint) = bound(&context);
        let mut peer = TcpStream::connect(endpoint.trim_start_matches("tcp://")).unwrap();
        peer.write_all(b"hola").unwrap();

        // The connection announces itself by an empty frame, then come the bytes.
        for body in [&b""[..], b"hola"] {
            let mut identity = stream.recv_msg(0).unwrap();
            let mut message = stream.recv_msg(0).unwrap();
            assert_eq!(&message[..], body);
            assert_eq!(peer_address(&mut identity), peer.local_addr().ok());
            assert_eq!(peer_address(&mut message), peer.local_addr().ok());
        }
    }

    #[test]
    fn a_message_of_our_own_has_no_address() {
        assert_eq!(peer_address(&mut zmq::Message::from("hola")), None);
    }
}
