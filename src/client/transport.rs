//! The client's sockets: the only file of the client that names `zmq`. It moves bytes; it never
//! blocks, but in [`wait`].
//!
//! A DEALER carries the frames. A second socket tells what happens to its connection, as a
//! DEALER that has reconnected by itself looks like one that never lost anything.

use std::cell::Cell;
use std::fmt;
use std::ops::Deref;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::core::participant::Obstacle;
use crate::net::monitor::Monitor;
use crate::net::polled_socket::{self, PolledSocket};
use crate::net::{Address, BadAddress, Keys, SocketError};

/// Frames on their way to the broker, before the socket says no. What is not sent yet is packed
/// into fewer, larger frames, so a long queue would only make messages late.
const SEND_HIGH_WATER_MARK: i32 = 64;
/// Frames read ahead: more than the broker's window, so that it alone decides.
const RECEIVE_HIGH_WATER_MARK: i32 = 4096;
/// A frame holds one or more of the broker's batches; nothing sensible is larger.
const LARGEST_FRAME: i64 = 256 << 20;
/// Far more than it takes to hear of a failure: who connects where next, and when, is decided in
/// `approach.rs`, and libzmq makes one attempt a socket.
const RECONNECT_MS: i32 = 60_000;
/// ZMTP heartbeats end connections whose host is gone. The timeout is far above any stall.
const HEARTBEAT_MS: i32 = 30_000;
const HEARTBEAT_TIMEOUT_MS: i32 = 120_000;
const KEEPALIVE_IDLE_S: i32 = 60;
/// Pumps without a wait between them after which the sockets are asked all the same.
const PUMPS_WITHOUT_WAITING: u8 = 4;
/// How long a goodbye may take to leave. Nothing else is in the queues then.
const LINGER_MS: i32 = 100;

/// Why sockets fail. Nothing that the broker does leads to this.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// There is no such place to connect to.
    #[error(transparent)]
    Address(#[from] BadAddress),
    /// There is no address to connect to.
    #[error("no address to connect to was given")]
    NoAddress,
    /// The system has no randomness, by which several brokers tell this client's hellos.
    #[error("the system has no randomness: {0}")]
    NoRandomness(getrandom::Error),
    /// libzmq does not do what it is asked.
    #[error(transparent)]
    Socket(#[from] SocketError),
}

impl From<zmq::Error> for TransportError {
    fn from(error: zmq::Error) -> Self {
        Self::Socket(error.into())
    }
}

/// What sockets live in: libzmq's own threads. One is enough for a process. Cheap to clone.
#[derive(Clone)]
pub struct Context(zmq::Context);

impl Context {
    /// A context with one I/O thread.
    #[must_use]
    pub fn new() -> Self {
        Self(zmq::Context::new())
    }

    /// A context with so many I/O threads; before its first socket only.
    ///
    /// # Errors
    /// If libzmq does not want them.
    pub fn with_threads(threads: u16) -> Result<Self, TransportError> {
        let context = zmq::Context::new();
        context.set_io_threads(i32::from(threads))?;
        Ok(Self(context))
    }
}

impl Default for Context {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Context")
    }
}

/// A frame as libzmq hands it over.
pub(super) struct Frame(zmq::Message);

impl Deref for Frame {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// What has happened to the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LinkEvent {
    /// There is one, and both sides have agreed how to speak.
    Up,
    /// It is gone.
    Down,
    /// It could not be made.
    Failed(Obstacle),
}

/// What has become of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// It is on its way.
    Taken,
    /// The socket takes nothing at the moment.
    Full,
}

/// A DEALER, and its monitor.
pub(super) struct Transport {
    dealer: PolledSocket,
    monitor: Monitor,
    /// How often it was pumped since it was last waited for.
    pumped: Cell<u8>,
}

impl Transport {
    /// Begins to connect, for at most so long, and as long again to agree how to speak. If that
    /// fails, or the connection ends, the transport is of no use any more.
    ///
    /// It has no routing id of its own: each connection gets one from the broker's libzmq. One
    /// that comes back with the same could be taken for the one before, or be ignored beside it.
    pub(super) fn open(
        context: &Context,
        address: &Address,
        keys: Option<&Keys>,
        patience: Duration,
    ) -> Result<Self, TransportError> {
        let patience = i32::try_from(patience.as_millis()).unwrap_or(i32::MAX);
        let endpoint = address.to_connect()?;
        let dealer = context.0.socket(zmq::DEALER)?;
        if let Some(keys) = keys {
            dealer.set_curve_serverkey(keys.server.as_bytes())?;
            dealer.set_curve_publickey(keys.public.as_bytes())?;
            dealer.set_curve_secretkey(keys.secret.as_bytes())?;
        }
        dealer.set_ipv6(address.is_ipv6())?;
        dealer.set_linger(LINGER_MS)?;
        dealer.set_sndhwm(SEND_HIGH_WATER_MARK)?;
        dealer.set_rcvhwm(RECEIVE_HIGH_WATER_MARK)?;
        dealer.set_maxmsgsize(LARGEST_FRAME)?;
        dealer.set_reconnect_ivl(RECONNECT_MS)?;
        dealer.set_connect_timeout(patience)?;
        dealer.set_handshake_ivl(patience)?;
        dealer.set_heartbeat_ivl(HEARTBEAT_MS)?;
        dealer.set_heartbeat_timeout(HEARTBEAT_TIMEOUT_MS)?;
        dealer.set_tcp_keepalive(1)?;
        dealer.set_tcp_keepalive_idle(KEEPALIVE_IDLE_S)?;
        // Without this, what was said to one connection would be the first that the next hears.
        dealer.set_immediate(true)?;
        let monitor = Monitor::of(&dealer, &context.0, &monitor_endpoint(), &EVENTS)?;
        dealer.connect(&endpoint)?;
        Ok(Self {
            dealer: PolledSocket::new(dealer)?,
            monitor,
            pumped: Cell::new(0),
        })
    }

    /// Looks at the sockets of an owner that is too busy, or too simple, to wait.
    pub(super) fn pumped(&self) {
        let pumped = self.pumped.get().saturating_add(1);
        self.pumped.set(pumped);
        if pumped >= PUMPS_WITHOUT_WAITING {
            self.dealer.force_poll();
            self.monitor.socket().force_poll();
        }
    }

    /// Hands a frame to the socket, if it takes one.
    pub(super) fn send(&self, frame: &[u8]) -> Result<Sent, TransportError> {
        loop {
            match self.dealer.socket().send(frame, zmq::DONTWAIT) {
                Ok(()) => return Ok(Sent::Taken),
                Err(zmq::Error::EAGAIN) => return Ok(Sent::Full),
                Err(zmq::Error::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The next frame from the broker, if one is here. Of a message of more frames, which the
    /// broker does not send, it is the first.
    pub(super) fn receive(&self) -> Result<Option<Frame>, TransportError> {
        let mut message = zmq::Message::new();
        if !self.dealer.receive(&mut message)? {
            return Ok(None);
        }
        let mut more = message.get_more();
        while more {
            let mut surplus = zmq::Message::new();
            self.dealer.receive(&mut surplus)?;
            more = surplus.get_more();
        }
        Ok(Some(Frame(message)))
    }

    /// What has happened to the connection since the last time.
    pub(super) fn next_link_event(&self) -> Result<Option<LinkEvent>, TransportError> {
        let Some(event) = self.monitor.next()? else {
            return Ok(None);
        };
        Ok(Some(if event.is(zmq::SocketEvent::HANDSHAKE_SUCCEEDED) {
            LinkEvent::Up
        } else if event.is(zmq::SocketEvent::DISCONNECTED) {
            LinkEvent::Down
        } else if event.is(zmq::SocketEvent::CONNECT_RETRIED) {
            LinkEvent::Failed(Obstacle::NobodyThere)
        } else if event.is(zmq::SocketEvent::HANDSHAKE_FAILED_AUTH) {
            LinkEvent::Failed(Obstacle::KeyRefused)
        } else if event.is(zmq::SocketEvent::HANDSHAKE_FAILED_NO_DETAIL) {
            LinkEvent::Failed(Obstacle::HungUp)
        } else {
            LinkEvent::Failed(Obstacle::OtherLanguage)
        }))
    }
}

impl Drop for Transport {
    /// libzmq reports events from the thread that serves all connections, and waits until the
    /// monitor takes them: once that is closed, without end, and with it every other connection
    /// of the process. The dealer outlives its handle for a moment; so before the monitor goes,
    /// another that reports nothing takes its place.
    fn drop(&mut self) {
        let replaced = self.dealer.socket().monitor(&monitor_endpoint(), 0);
        debug_assert!(replaced.is_ok(), "{replaced:?}");
    }
}

/// Sleeps until something has happened to one of the transports, or to one of the descriptors,
/// which can be read then. A transport whose frame was not taken is also waited for to take one.
pub(super) fn wait<'a>(
    transports: impl Iterator<Item = (&'a Transport, bool)>,
    descriptors: &[BorrowedFd<'_>],
    mut timeout: Option<Duration>,
) -> Result<(), TransportError> {
    let mut sockets = Vec::new();
    for (transport, is_full) in transports {
        transport.pumped.set(0);
        if is_full && transport.dealer.has_room()? {
            timeout = Some(Duration::ZERO);
        }
        sockets.extend([&transport.dealer, transport.monitor.socket()]);
    }
    Ok(polled_socket::wait(&sockets, descriptors, timeout)?)
}

/// Events that say whether there is a connection, and why there is none.
const EVENTS: [zmq::SocketEvent; 6] = [
    zmq::SocketEvent::HANDSHAKE_SUCCEEDED,
    zmq::SocketEvent::DISCONNECTED,
    zmq::SocketEvent::CONNECT_RETRIED,
    zmq::SocketEvent::HANDSHAKE_FAILED_NO_DETAIL,
    zmq::SocketEvent::HANDSHAKE_FAILED_PROTOCOL,
    zmq::SocketEvent::HANDSHAKE_FAILED_AUTH,
];

/// One that no other monitor of this process has.
fn monitor_endpoint() -> String {
    static MONITORS: AtomicU64 = AtomicU64::new(0);
    let number = MONITORS.fetch_add(1, Ordering::Relaxed);
    format!("inproc://orden-client-{number}")
}
