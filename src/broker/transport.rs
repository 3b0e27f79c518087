//! The broker's sockets: the only file of the broker that speaks to the `zmq` crate, besides
//! `libzmq.rs`. It moves bytes; it never blocks, but in [`Transport::wait`].

use std::collections::HashSet;
use std::ops::Range;
use std::os::fd::RawFd;
use std::sync::Arc;

use super::exchange::Arrival;
use super::libzmq::{SharedFrame, peer_address, seed_generated_ids};
use crate::core::{Frames, Route, Transport as Kind, Undelivered};

/// A frame as libzmq hands it over.
pub(super) type Frame = zmq::Message;

/// Frames that a peer may have waiting to be read by the broker, or by itself, before TCP is
/// told to slow down. A member's window keeps what is sent below the second.
const RECEIVE_HIGH_WATER_MARK: i32 = 256;
const HANDSHAKE_MS: i32 = 5_000;
/// ZMTP heartbeats end connections whose host is gone. The timeout is far above any stall: a
/// peer that reads slowly answers late, as its answers queue behind what it has not read.
const HEARTBEAT_MS: i32 = 30_000;
const HEARTBEAT_TIMEOUT_MS: i32 = 120_000;
const KEEPALIVE_IDLE_S: i32 = 60;
const BACKLOG: i32 = 1024;
/// What is still in libzmq's queues when the broker stops has this long to leave.
const LINGER_MS: i32 = 1_000;

/// What the sockets are to be like.
#[derive(Clone, Debug)]
pub(super) struct Options {
    /// The ROUTER's endpoint.
    pub(super) endpoint: String,
    /// The STREAM socket's endpoint, if there is to be one.
    pub(super) tcp_endpoint: Option<String>,
    /// The most bytes of a frame.
    pub(super) frame_bytes: usize,
    /// The most frames on their way to a peer.
    pub(super) send_high_water_mark: usize,
}

/// The ROUTER, and the STREAM socket for plain TCP peers.
pub(super) struct Transport {
    router: zmq::Socket,
    stream: Option<zmq::Socket>,
    /// Connections of the STREAM socket that have said that they are there.
    streams: HashSet<Box<[u8]>>,
    // Dropped last: a context waits for its sockets.
    _context: zmq::Context,
}

impl Transport {
    /// Binds the sockets.
    ///
    /// # Errors
    /// The endpoint that cannot be bound, and why.
    pub(super) fn bind(options: &Options) -> Result<Self, super::Error> {
        seed_generated_ids(random_u32()?);
        let context = zmq::Context::new();
        let router = bind(&context, zmq::ROUTER, &options.endpoint, |router| {
            router.set_router_mandatory(true)?;
            router.set_router_handover(true)?;
            router.set_maxmsgsize(i64::try_from(options.frame_bytes).unwrap_or(i64::MAX))?;
            router.set_sndhwm(i32::try_from(options.send_high_water_mark).unwrap_or(i32::MAX))?;
            router.set_rcvhwm(RECEIVE_HIGH_WATER_MARK)?;
            router.set_heartbeat_ivl(HEARTBEAT_MS)?;
            router.set_heartbeat_timeout(HEARTBEAT_TIMEOUT_MS)
        })?;
        let stream = options.tcp_endpoint.as_ref().map(|endpoint| {
            bind(&context, zmq::STREAM, endpoint, |stream| {
                stream.set_rcvhwm(RECEIVE_HIGH_WATER_MARK)
            })
        });
        Ok(Self {
            router,
            stream: stream.transpose()?,
            streams: HashSet::new(),
            _context: context,
        })
    }

    /// The endpoints as they were bound, with real ports, the ROUTER's first.
    ///
    /// # Errors
    /// When libzmq does not know them.
    pub(super) fn endpoints(&self) -> Result<Vec<String>, super::Error> {
        [Some(&self.router), self.stream.as_ref()]
            .into_iter()
            .flatten()
            .map(|socket| match socket.get_last_endpoint() {
                Ok(Ok(endpoint)) => Ok(endpoint),
                Ok(Err(_)) => Err(super::Error::Socket(
                    "an endpoint that is no text".to_owned(),
                )),
                Err(error) => Err(super::Error::Socket(error.to_string())),
            })
            .collect()
    }

    /// Takes one message from the ROUTER, if there is one.
    ///
    /// # Errors
    /// Errors of the socket itself; nothing a peer does is one.
    pub(super) fn receive(&mut self) -> Result<Option<Arrival>, super::Error> {
        let mut id = Frame::new();
        if !receive(&self.router, &mut id)? {
            return Ok(None);
        }
        let mut body = Frame::new();
        let mut delimited = false;
        let mut excess = false;
        if id.get_more() {
            receive(&self.router, &mut body)?;
            if body.is_empty() && body.get_more() {
                delimited = true;
                receive(&self.router, &mut body)?;
            }
        }
        let mut more = body.get_more();
        while more {
            let mut surplus = Frame::new();
            receive(&self.router, &mut surplus)?;
            more = surplus.get_more();
            excess = true;
        }
        Ok(Some(Arrival::Packet {
            id,
            delimited,
            body,
            excess,
        }))
    }

    /// Takes one piece of news from the STREAM socket, if there is one.
    ///
    /// # Errors
    /// Errors of the socket itself; nothing a peer does is one.
    pub(super) fn receive_stream(&mut self) -> Result<Option<Arrival>, super::Error> {
        let Some(stream) = &self.stream else {
            return Ok(None);
        };
        let mut id = Frame::new();
        if !receive(stream, &mut id)? {
            return Ok(None);
        }
        let mut bytes = Frame::new();
        receive(stream, &mut bytes)?;
        if !bytes.is_empty() {
            return Ok(Some(Arrival::Bytes { id, bytes }));
        }
        // An empty frame is said twice of a connection: when it opens and when it is gone.
        if self.streams.remove(&id[..]) {
            return Ok(Some(Arrival::Disconnected { id }));
        }
        self.streams.insert(id[..].into());
        let name = match peer_address(&mut bytes) {
            Some(address) => address.to_string(),
            None => format!("tcp-peer-{:08x}", random_u32()?),
        };
        Ok(Some(Arrival::Connected { id, name }))
    }

    /// Sends frames to each of the peers, in order, and says who did not get them all.
    ///
    /// # Errors
    /// Errors of the socket itself.
    pub(super) fn send(
        &mut self,
        to: &[Route],
        frames: &Frames,
        range: Range<usize>,
        mut failed: impl FnMut(&Route, Undelivered),
    ) -> Result<(), super::Error> {
        let mut lost: Vec<usize> = Vec::new();
        for index in range {
            let frame = SharedFrame::new(Arc::clone(frames.bytes()), frames.place(index));
            for (place, route) in to.iter().enumerate() {
                // After a gap the peer takes nothing before it is mended.
                if lost.contains(&place) {
                    continue;
                }
                if let Some(why) = self.send_one(route, &frame)? {
                    lost.push(place);
                    failed(route, why);
                }
            }
        }
        Ok(())
    }

    fn send_one(
        &mut self,
        route: &Route,
        frame: &SharedFrame,
    ) -> Result<Option<Undelivered>, super::Error> {
        let socket = match (route.transport, &mut self.stream) {
            (Kind::Zmq, _) => &mut self.router,
            (Kind::Tcp, Some(stream)) => stream,
            (Kind::Tcp, None) => return Ok(Some(Undelivered::Gone)),
        };
        // Only the first frame tells: once it is taken, the rest of the message goes along.
        match socket.send(&route.id[..], zmq::SNDMORE | zmq::DONTWAIT) {
            Ok(()) => {}
            Err(zmq::Error::EAGAIN) => return Ok(Some(Undelivered::Full)),
            Err(zmq::Error::EHOSTUNREACH) => return Ok(Some(Undelivered::Gone)),
            Err(error) => return Err(socket_error(error)),
        }
        if route.delimited {
            socket
                .send(&[][..], zmq::SNDMORE | zmq::DONTWAIT)
                .map_err(socket_error)?;
        }
        match frame.send_copy(socket, zmq::DONTWAIT) {
            Ok(()) => Ok(None),
            // A plain TCP connection can go between two frames.
            Err(zmq::Error::EHOSTUNREACH) => Ok(Some(Undelivered::Gone)),
            Err(error) => Err(socket_error(error)),
        }
    }

    /// Closes a plain TCP connection.
    ///
    /// # Errors
    /// Errors of the socket itself.
    pub(super) fn close(&mut self, route: &Route) -> Result<(), super::Error> {
        let empty = SharedFrame::new(Arc::new(Vec::new()), 0..0);
        self.streams.remove(&route.id[..]);
        self.send_one(route, &empty).map(|_already_gone| ())
    }

    /// Sleeps until something can be received, if `receiving`, or `descriptor` can be read.
    ///
    /// # Errors
    /// Errors of the poll itself.
    pub(super) fn wait(&self, descriptor: RawFd, receiving: bool) -> Result<(), super::Error> {
        let mut items = vec![zmq::PollItem::from_fd(descriptor, zmq::POLLIN)];
        if receiving {
            items.push(self.router.as_poll_item(zmq::POLLIN));
            items.extend(
                self.stream
                    .iter()
                    .map(|stream| stream.as_poll_item(zmq::POLLIN)),
            );
        }
        match zmq::poll(&mut items, -1) {
            Ok(_) | Err(zmq::Error::EINTR) => Ok(()),
            Err(error) => Err(socket_error(error)),
        }
    }
}

fn bind(
    context: &zmq::Context,
    kind: zmq::SocketType,
    endpoint: &str,
    options: impl FnOnce(&zmq::Socket) -> zmq::Result<()>,
) -> Result<zmq::Socket, super::Error> {
    let failed = |error: zmq::Error| super::Error::Bind {
        endpoint: endpoint.to_owned(),
        why: error.to_string(),
    };
    let socket = context.socket(kind).map_err(socket_error)?;
    socket.set_linger(LINGER_MS).map_err(socket_error)?;
    socket.set_backlog(BACKLOG).map_err(socket_error)?;
    socket
        .set_handshake_ivl(HANDSHAKE_MS)
        .map_err(socket_error)?;
    socket.set_tcp_keepalive(1).map_err(socket_error)?;
    socket
        .set_tcp_keepalive_idle(KEEPALIVE_IDLE_S)
        .map_err(socket_error)?;
    options(&socket).map_err(socket_error)?;
    socket.bind(endpoint).map_err(failed)?;
    Ok(socket)
}

/// Receives one frame without waiting; says whether there was one.
fn receive(socket: &zmq::Socket, frame: &mut Frame) -> Result<bool, super::Error> {
    loop {
        match socket.recv(frame, zmq::DONTWAIT) {
            Ok(()) => return Ok(true),
            Err(zmq::Error::EAGAIN) => return Ok(false),
            Err(zmq::Error::EINTR) => {}
            Err(error) => return Err(socket_error(error)),
        }
    }
}

fn socket_error(error: zmq::Error) -> super::Error {
    super::Error::Socket(error.to_string())
}

fn random_u32() -> Result<u32, super::Error> {
    getrandom::u32().map_err(|error| super::Error::Randomness(error.to_string()))
}
