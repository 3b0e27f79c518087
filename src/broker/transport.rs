//! The broker's ROUTER and STREAM sockets, as the dispatcher uses them. It moves bytes; it never
//! blocks, but in [`Transport::wait`].

use std::collections::HashSet;
use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Sender;

use super::connection_tracker::ConnectionTracker;
use super::error::Error;
use super::exchange::{Arrival, Frame};
use super::in_process::is_in_process;
use super::sockets::{self, Options, random_u32};
use super::tracer::Tracer;
use super::zap::{ZapHandler, proof_of};
use crate::core::{Frames, PacketOf, Route, Transport as Kind, Undelivered};
use crate::net::libzmq::SharedFrame;
use crate::net::peer::{descriptor_of, peer_address};
use crate::net::polled_socket::{self, PolledSocket};

/// Interval between scans for silent connections.
const SCAN_INTERVAL: Duration = Duration::from_millis(500);
/// Turns between such scans while there is always something to do.
const UPDATES_WITHOUT_WAITING: u32 = 32;
/// After so many turns without waiting, both sockets are asked whether or not their descriptors
/// were looked at: while one of them is flooded, the other's is not.
const ASKED_WITHOUT_WAITING: u32 = 4;
/// Connections without a routing id of their own that are remembered as such.
const NAMELESS: usize = 1024;
/// Connections that are to end once they say something, at most.
const PARTING: usize = 1024;

/// The ROUTER, and the STREAM socket for plain TCP peers.
pub(super) struct Transport {
    router: PolledSocket,
    stream: Option<PolledSocket>,
    tracer: Tracer,
    tracker: ConnectionTracker,
    /// Updates of the tracker since the last wait.
    updates: u32,
    /// Routing ids that libzmq made up for connections that had none: their frames say no other.
    nameless: Vec<u32>,
    /// Whether keys decide who is served.
    guarded: bool,
    /// Connections of the STREAM socket that have announced themselves.
    streams: HashSet<Box<[u8]>>,
    /// Routing ids whose connections are to end: without keys, only what one says next tells which
    /// connection it is.
    parting: HashSet<Box<[u8]>>,
    /// Ends the thread that watches the access list when it is dropped.
    _serving: Sender<()>,
    // Dropped last: a context waits for its sockets.
    _context: zmq::Context,
}

impl Transport {
    /// Binds the sockets.
    ///
    /// # Errors
    /// The endpoint that cannot be bound, and why.
    pub(super) fn bind(
        context: &zmq::Context,
        options: &Options,
        zap: Option<ZapHandler>,
        serving: Sender<()>,
    ) -> Result<Self, Error> {
        let (router, monitor) = sockets::router(context, options)?;
        let stream = sockets::stream(context, options)?;
        Ok(Self {
            router: PolledSocket::new(router)?,
            stream: stream.map(PolledSocket::new).transpose()?,
            tracer: Tracer::new(context)?,
            updates: 0,
            nameless: vec![0; NAMELESS],
            tracker: ConnectionTracker::new(monitor, zap, options.bounds),
            guarded: options.secret.is_some(),
            streams: HashSet::new(),
            parting: HashSet::new(),
            _serving: serving,
            _context: context.clone(),
        })
    }

    /// The endpoints as they were bound, with real ports, the ROUTER's first.
    ///
    /// # Errors
    /// When libzmq does not know them.
    pub(super) fn endpoints(&self) -> Result<Vec<String>, Error> {
        let all = std::iter::once(&self.router).chain(&self.stream);
        Ok(all.map(PolledSocket::endpoint).collect::<Result<_, _>>()?)
    }

    /// Takes one message from the ROUTER, if there is one.
    ///
    /// # Errors
    /// Errors of the socket itself; nothing a peer does is one.
    pub(super) fn receive(&mut self) -> Result<Option<Arrival>, Error> {
        let mut id = Frame::new();
        if !self.router.receive(&mut id)? {
            return Ok(None);
        }
        if !self.parting.is_empty() && self.parting.remove(&id[..]) {
            self.tracker.cut_from(descriptor_of(&mut id))?;
        }
        let mut body = Frame::new();
        let mut delimited = false;
        let mut excess = false;
        if id.get_more() {
            self.router.receive(&mut body)?;
            if body.is_empty() && body.get_more() {
                delimited = true;
                self.router.receive(&mut body)?;
            }
        }
        if !self.guarded
            && let Some(own) = self.superseded_id(&id, &mut body)
        {
            id = own;
        }
        let mut more = body.get_more();
        while more {
            let mut surplus = Frame::new();
            self.router.receive(&mut surplus)?;
            more = surplus.get_more();
            excess = true;
        }
        if is_in_process(&id) {
            return Ok(Some(Arrival::Refused("forged_routing_id")));
        }
        // Without keys, what a message says of its sender is not authenticated: it is not read.
        let proof = if self.guarded {
            proof_of(&mut id)
        } else {
            None
        };
        if let Some(proof) = proof {
            let name: Box<[u8]> = id[..].into();
            self.tracker
                .heard(&name, proof, || descriptor_of(&mut id))?;
        }
        Ok(Some(Arrival::Packet(PacketOf {
            id,
            delimited,
            body,
            excess,
            proof,
        })))
    }

    /// Takes one piece of news from the STREAM socket, if there is one.
    ///
    /// # Errors
    /// Errors of the socket itself; nothing a peer does is one.
    pub(super) fn receive_stream(&mut self) -> Result<Option<Arrival>, Error> {
        let Some(stream) = &mut self.stream else {
            return Ok(None);
        };
        let mut id = Frame::new();
        if !stream.receive(&mut id)? {
            return Ok(None);
        }
        let mut bytes = Frame::new();
        stream.receive(&mut bytes)?;
        if !bytes.is_empty() {
            return Ok(Some(Arrival::Bytes { id, bytes }));
        }
        // An empty frame is said twice of a connection: when it opens and when it is gone.
        if self.streams.remove(&id[..]) {
            return Ok(Some(Arrival::Disconnected { id }));
        }
        let address = peer_address(&mut bytes);
        let descriptor = descriptor_of(&mut bytes);
        if !self.tracker.admits(address, descriptor) {
            // Nothing more is heard of a connection that is closed from this side.
            let route = Route {
                transport: Kind::Tcp,
                id: id[..].into(),
                delimited: false,
                connection: 0,
            };
            self.close(&route)?;
            return self.receive_stream();
        }
        self.streams.insert(id[..].into());
        let name = match address {
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
    ) -> Result<(), Error> {
        let shared = range.map(|at| SharedFrame::new(Arc::clone(frames.bytes()), frames.place(at)));
        let shared: Vec<_> = shared.collect();
        // Peer by peer: libzmq puts into one segment what it finds waiting for a peer.
        for route in to {
            for frame in &shared {
                if let Some(why) = self.send_one(route, frame)? {
                    failed(route, why);
                    // After a gap the peer takes nothing before it is mended.
                    break;
                }
            }
        }
        Ok(())
    }

    fn send_one(
        &mut self,
        route: &Route,
        frame: &SharedFrame,
    ) -> Result<Option<Undelivered>, Error> {
        if self.guarded && route.transport == Kind::Zmq && !self.leads(route)? {
            return Ok(Some(Undelivered::Gone));
        }
        let socket = match (route.transport, &mut self.stream) {
            (Kind::Zmq, _) => self.router.socket_mut(),
            (Kind::Tcp, Some(stream)) => stream.socket_mut(),
            (Kind::Tcp, None) => return Ok(Some(Undelivered::Gone)),
        };
        // Only the first frame tells: once it is taken, the rest of the message goes along.
        match socket.send(&route.id[..], zmq::SNDMORE | zmq::DONTWAIT) {
            Ok(()) => {}
            Err(zmq::Error::EAGAIN) => return Ok(Some(Undelivered::Full)),
            Err(zmq::Error::EHOSTUNREACH) => return Ok(Some(Undelivered::Gone)),
            Err(error) => return Err(error.into()),
        }
        if route.delimited {
            socket.send(&[][..], zmq::SNDMORE | zmq::DONTWAIT)?;
        }
        match frame.send_copy(socket, zmq::DONTWAIT) {
            Ok(()) => Ok(None),
            // A plain TCP connection can go between two frames.
            Err(zmq::Error::EHOSTUNREACH) => Ok(Some(Undelivered::Gone)),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether a route still leads to the connection that it was made for.
    ///
    /// First the ROUTER does what libzmq's I/O thread has asked of it, then the news is read: of
    /// any connection that the ROUTER has let go of by then, the news is there.
    fn leads(&mut self, route: &Route) -> Result<bool, Error> {
        // No peer is given a routing id that libzmq has generated for another.
        if !route.is_generated() {
            self.router.socket().get_events()?;
            self.tracker.follow()?;
        }
        Ok(self.tracker.leads(route))
    }

    /// Takes in what has happened to the ROUTER's connections; returns what was refused and which
    /// have ended.
    ///
    /// # Errors
    /// Errors of the tracker's sockets.
    pub(super) fn update_connections(&mut self) -> Result<Vec<Arrival>, Error> {
        self.updates += 1;
        if self.updates.is_multiple_of(ASKED_WITHOUT_WAITING) {
            self.router.force_poll();
            self.stream.iter().for_each(PolledSocket::force_poll);
        }
        if self.updates >= UPDATES_WITHOUT_WAITING {
            self.updates = 0;
            self.tracker.force_poll();
        }
        Ok(self.tracker.update()?)
    }

    /// How many connections are open.
    pub(super) fn connections(&self) -> usize {
        self.tracker.connections() + self.streams.len()
    }

    /// Sends a frame after all others, see [`has_left`](Self::has_left).
    ///
    /// # Errors
    /// Errors of the socket itself.
    pub(super) fn trace(&self) -> Result<(), Error> {
        self.tracer.send()
    }

    /// Whether all that was sent before a [`trace`](Self::trace) has left libzmq's queues, but what
    /// waits for peers that are slow.
    ///
    /// # Errors
    /// Errors of the socket itself.
    pub(super) fn has_left(&self) -> Result<bool, Error> {
        self.tracer.has_returned()
    }

    /// Closes a connection.
    ///
    /// # Errors
    /// Errors of the socket itself.
    pub(super) fn close(&mut self, route: &Route) -> Result<(), Error> {
        if route.transport == Kind::Zmq {
            if self.guarded {
                self.tracker.close(route);
            } else if !is_in_process(&route.id) && self.parting.len() < PARTING {
                self.parting.insert(route.id[..].into());
            }
            return Ok(());
        }
        let empty = SharedFrame::new(Arc::new(Vec::new()), 0..0);
        self.streams.remove(&route.id[..]);
        self.send_one(route, &empty).map(|_already_gone| ())
    }

    /// Sleeps until something can be received, if `receiving`, or `descriptor` can be read.
    ///
    /// # Errors
    /// Errors of the poll itself.
    pub(super) fn wait(
        &mut self,
        descriptor: BorrowedFd<'_>,
        receiving: bool,
    ) -> Result<(), Error> {
        self.updates = 0;
        let mut sockets = Vec::new();
        if receiving {
            sockets.append(&mut self.tracker.sockets());
            sockets.push(&self.router);
            sockets.extend(&self.stream);
            sockets.push(self.tracer.outlet());
        }
        let timeout = self.guarded.then_some(SCAN_INTERVAL);
        Ok(polled_socket::wait(&sockets, &[descriptor], timeout)?)
    }

    /// The routing id of the peer that has sent `body`, if `id` is not its own.
    ///
    /// When a peer connects under a routing id that is in use, libzmq gives the older
    /// connection a generated one before it ends it. What that connection had said already is
    /// still to be read, and would be taken for a stranger's.
    fn superseded_id(&mut self, id: &Frame, body: &mut Frame) -> Option<Frame> {
        let Some((0, number)) = id.split_first() else {
            return None;
        };
        let number = u32::from_be_bytes(number.try_into().ok()?);
        let place = number as usize % NAMELESS;
        if number != 0 && self.nameless[place] == number {
            return None;
        }
        // Said in the handshake. One that is no text is not to be had, nor one that begins with a
        // zero byte, which it was not given: to C that is an empty text.
        let own = body.gets("Identity").filter(|own| !own.is_empty());
        if own.is_none() {
            // libzmq gives each number once, so it stays true; it is looked for once, not a
            // message.
            self.nameless[place] = number;
        }
        own.map(Frame::from)
    }
}
