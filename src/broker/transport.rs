//! The broker's sockets: the only file of the broker that speaks to the `zmq` crate, besides
//! `libzmq.rs`. It moves bytes; it never blocks, but in [`Transport::wait`].

use std::collections::HashSet;
use std::ops::Range;
use std::os::fd::RawFd;
use std::sync::Arc;

use crossbeam_channel::Sender;

use super::door::Door;
use super::exchange::Arrival;
use super::libzmq::{self, SharedFrame, peer_address};
use super::sockets::{self, Options, random_u32, socket_error};
use super::zap::{Numbers, proof_of};
use crate::core::{Frames, Route, Transport as Kind, Undelivered};

/// A frame as libzmq hands it over.
pub(super) type Frame = zmq::Message;

/// How often it is looked for connections that say nothing.
const TEND_MS: i64 = 500;

/// The ROUTER, and the STREAM socket for plain TCP peers.
pub(super) struct Transport {
    router: zmq::Socket,
    stream: Option<zmq::Socket>,
    door: Door,
    /// Whether keys decide who is served.
    guarded: bool,
    /// Connections of the STREAM socket that have said that they are there.
    streams: HashSet<Box<[u8]>>,
    /// Ends the threads of the guard when it is dropped.
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
        numbers: Numbers,
        serving: Sender<()>,
    ) -> Result<Self, super::Error> {
        let (router, monitor) = sockets::router(context, options)?;
        Ok(Self {
            router,
            stream: sockets::stream(context, options)?,
            door: Door::new(monitor, numbers, options.bounds),
            guarded: options.secret.is_some(),
            streams: HashSet::new(),
            _serving: serving,
            _context: context.clone(),
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
        if !self.guarded
            && id.first() == Some(&0)
            && let Some(own) = superseded_id(&mut body)
        {
            id = own;
        }
        let mut more = body.get_more();
        while more {
            let mut surplus = Frame::new();
            receive(&self.router, &mut surplus)?;
            more = surplus.get_more();
            excess = true;
        }
        // Without keys nobody vouches for what a message says of its sender: it is not read.
        let proof = if self.guarded {
            proof_of(&mut id)
        } else {
            None
        };
        if let Some(proof) = proof {
            let name: Box<[u8]> = id[..].into();
            self.door
                .heard(&name, proof, || libzmq::descriptor_of(&mut id));
        }
        Ok(Some(Arrival::Packet {
            id,
            delimited,
            body,
            excess,
            proof,
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
        if self.guarded && route.transport == Kind::Zmq && !self.leads(route)? {
            return Ok(Some(Undelivered::Gone));
        }
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

    /// Whether a route still leads to the connection that it was made for.
    ///
    /// First the ROUTER does what libzmq's I/O thread has asked of it, then the news is read: of
    /// any connection that the ROUTER has let go of by then, the news is there.
    fn leads(&mut self, route: &Route) -> Result<bool, super::Error> {
        // Nobody can be given a routing id that libzmq made up for somebody else.
        if !route.is_generated() {
            self.router.get_events().map_err(socket_error)?;
            self.door.follow()?;
        }
        Ok(self.door.leads(route))
    }

    /// Looks at who has connected; says who was refused, and whose connection has ended.
    ///
    /// # Errors
    /// Errors of the monitor's socket.
    pub(super) fn tend(&mut self) -> Result<Vec<Arrival>, super::Error> {
        self.door.follow()?;
        self.door.end_silent();
        Ok(self.door.news())
    }

    /// Closes a connection.
    ///
    /// # Errors
    /// Errors of the socket itself.
    pub(super) fn close(&mut self, route: &Route) -> Result<(), super::Error> {
        if route.transport == Kind::Zmq {
            self.door.close(route);
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
    pub(super) fn wait(&self, descriptor: RawFd, receiving: bool) -> Result<(), super::Error> {
        let mut items = vec![
            zmq::PollItem::from_fd(descriptor, zmq::POLLIN),
            self.door.as_poll_item(),
        ];
        if receiving {
            items.push(self.router.as_poll_item(zmq::POLLIN));
            items.extend(
                self.stream
                    .iter()
                    .map(|stream| stream.as_poll_item(zmq::POLLIN)),
            );
        }
        let patience = if self.guarded { TEND_MS } else { -1 };
        match zmq::poll(&mut items, patience) {
            Ok(_) | Err(zmq::Error::EINTR) => Ok(()),
            Err(error) => Err(socket_error(error)),
        }
    }
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

/// The routing id of the peer that has sent `body`, if it has one of its own.
///
/// When somebody connects under a routing id that is in use, libzmq gives the older connection a
/// generated one before it ends it. What that connection had said already is still to be read,
/// and would be taken for a stranger's.
fn superseded_id(body: &mut Frame) -> Option<Frame> {
    // Said in the handshake. One that is no text is not to be had.
    let own = body.gets("Identity").filter(|own| !own.is_empty())?;
    Some(Frame::from(own))
}
