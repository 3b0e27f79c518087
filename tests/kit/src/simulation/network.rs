//! What lies between the peers and the broker: sockets that connect again by themselves, and
//! connections that deliver in order, late, or not at all.
//!
//! As with ZeroMQ over TCP, nothing is lost or changes places while a connection lives; when it
//! ends, the end of what was under way is lost, in both directions. Either side may not notice.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use orden::core::{Transport, Undelivered};

use crate::simulation::dice::Dice;
use crate::simulation::direction::Direction;
use crate::simulation::plan::Plan;
use crate::simulation::queue::{Happening, Queue};
use crate::simulation::queued::{QueueJudge, Queued};

/// A peer's socket, by its place in the list of all there ever were.
pub(crate) type SocketId = usize;
/// A connection, likewise.
pub(crate) type ConnectionId = usize;

/// What a peer sends with: a DEALER, or a plain TCP connection.
#[derive(Debug)]
struct Socket {
    peer: usize,
    /// The routing id, on plain TCP the name for the connection; empty if libzmq makes up another
    /// for each connection.
    key: Vec<u8>,
    transport: Transport,
    /// Whether frames wait for a connection, as they do unless `ZMQ_IMMEDIATE` is set.
    patient: bool,
    /// Whether its owner reads at all.
    reads: bool,
    waiting: VecDeque<Vec<u8>>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Dialing,
    Up(ConnectionId),
    Closed,
}

#[derive(Debug)]
struct Connection {
    socket: SocketId,
    /// What the broker calls it.
    key: Vec<u8>,
    /// Which of the broker's processes it was made to.
    incarnation: u64,
    is_cut: bool,
    up: Direction,
    down: Direction,
    /// Frames of messages in its queue.
    queued: Queued,
}

/// A socket that has just connected.
#[derive(Debug)]
pub(crate) struct Dialed {
    pub(crate) peer: usize,
    pub(crate) transport: Transport,
    pub(crate) key: Vec<u8>,
}

/// All sockets and connections.
#[derive(Debug)]
pub(crate) struct Network {
    dice: Dice,
    sockets: Vec<Socket>,
    connections: Vec<Connection>,
    /// Where the broker's sockets send what is for a routing id.
    routes: BTreeMap<(Transport, Vec<u8>), ConnectionId>,
    delay_micros: (u64, u64),
    pipe_frames: u64,
    /// How much longer everything takes at the moment.
    pub(crate) clogged: u64,
    /// The number in the last routing id that was made up.
    made_up: u32,
    judge: QueueJudge,
}

impl Network {
    pub(crate) fn new(mut dice: Dice, plan: &Plan) -> Self {
        Self {
            judge: QueueJudge::new(&plan.limits),
            // So that some worlds see the numbers go round.
            made_up: u32::MAX - u32::try_from(dice.below(100)).expect("it fits"),
            dice,
            sockets: Vec::new(),
            connections: Vec::new(),
            routes: BTreeMap::new(),
            delay_micros: plan.delay_micros,
            pipe_frames: plan.pipe_frames as u64,
            clogged: 0,
        }
    }

    /// A socket that begins to connect.
    pub(crate) fn open(
        &mut self,
        peer: usize,
        transport: Transport,
        key: Vec<u8>,
        patient: bool,
        queue: &mut Queue,
    ) -> SocketId {
        let socket = self.sockets.len();
        self.sockets.push(Socket {
            peer,
            key,
            transport,
            patient,
            reads: true,
            waiting: VecDeque::new(),
            state: State::Dialing,
        });
        self.dial(socket, queue);
        socket
    }

    /// The socket's owner reads nothing from now on.
    pub(crate) fn stop_reading(&mut self, socket: SocketId) {
        self.sockets[socket].reads = false;
    }

    /// The peer's process is gone, or wants another socket. Of what it sent some still arrives.
    pub(crate) fn close(&mut self, socket: SocketId, silent: bool, queue: &mut Queue) {
        if let State::Up(connection) = self.sockets[socket].state {
            self.cut(connection, silent, true, queue);
        }
        self.sockets[socket].state = State::Closed;
    }

    /// A peer sends.
    pub(crate) fn send_up(&mut self, socket: SocketId, frame: Vec<u8>, queue: &mut Queue) {
        let delay = self.delay();
        let sender = &mut self.sockets[socket];
        let State::Up(connection) = sender.state else {
            if sender.patient && sender.state == State::Dialing {
                sender.waiting.push_back(frame);
            }
            return;
        };
        let up = &mut self.connections[connection].up;
        let (number, at) = up.send(queue.now(), delay);
        queue.add(
            at,
            Happening::ToBroker {
                connection,
                number,
                frame,
            },
        );
    }

    /// The broker's sockets send; or say why not. `message_bytes` are those of the frame without
    /// what only the simulation adds, if it holds messages.
    pub(crate) fn send_down(
        &mut self,
        transport: Transport,
        key: &[u8],
        frame: Vec<u8>,
        message_bytes: Option<usize>,
        queue: &mut Queue,
    ) -> Result<(), Undelivered> {
        let delay = self.delay();
        let route = self.routes.get(&(transport, key.to_vec()));
        let connection = *route.ok_or(Undelivered::Gone)?;
        let down = &mut self.connections[connection].down;
        if down.sent - down.arrived >= self.pipe_frames {
            return Err(Undelivered::Full);
        }
        let (number, at) = down.send(queue.now(), delay);
        if let Some(bytes) = message_bytes {
            let queued = &mut self.connections[connection].queued;
            self.judge.take(queued, number, bytes, queue.now());
        }
        if self.sockets[self.connections[connection].socket].reads {
            queue.add(
                at,
                Happening::ToPeer {
                    connection,
                    number,
                    frame,
                },
            );
        }
        Ok(())
    }

    /// A frame to the broker is due: over which socket it came, if it has.
    pub(crate) fn arrives_up(
        &mut self,
        connection: ConnectionId,
        number: u64,
        incarnation: u64,
    ) -> Option<(Transport, Vec<u8>)> {
        let link = &mut self.connections[connection];
        let arrives = link.up.arrives(number) && link.incarnation == incarnation;
        let socket = &self.sockets[link.socket];
        arrives.then(|| (socket.transport, link.key.clone()))
    }

    /// A frame to a peer is due: for which peer and socket it is, if it has arrived.
    pub(crate) fn arrives_down(
        &mut self,
        connection: ConnectionId,
        number: u64,
    ) -> Option<(usize, SocketId)> {
        let link = &mut self.connections[connection];
        link.queued.left(number);
        let open = self.sockets[link.socket].state != State::Closed;
        let arrives = link.down.arrives(number) && open;
        arrives.then(|| (self.sockets[link.socket].peer, link.socket))
    }

    /// A socket tries to connect; says whose it is, if it has.
    pub(crate) fn dialed(
        &mut self,
        socket: SocketId,
        incarnation: Option<u64>,
        queue: &mut Queue,
    ) -> Option<Dialed> {
        if self.sockets[socket].state != State::Dialing {
            return None;
        }
        let Some(incarnation) = incarnation else {
            self.dial(socket, queue);
            return None;
        };
        let connection = self.connections.len();
        let key = self.key(socket);
        self.connections.push(Connection {
            socket,
            key: key.clone(),
            incarnation,
            is_cut: false,
            up: Direction::default(),
            down: Direction::default(),
            queued: Queued::of(&key),
        });
        let up = &mut self.sockets[socket];
        up.state = State::Up(connection);
        let waiting = std::mem::take(&mut up.waiting);
        let route = (up.transport, key.clone());
        let dialed = Dialed {
            peer: up.peer,
            transport: up.transport,
            key,
        };
        // ROUTER_HANDOVER: who comes last has the routing id.
        if let Some(before) = self.routes.insert(route, connection) {
            self.cut(before, false, false, queue);
            self.stop_hearing(before);
        }
        for frame in waiting {
            self.send_up(socket, frame, queue);
        }
        Some(dialed)
    }

    /// Ends a connection: what is under way is lost from some place on. Those who do not notice
    /// go on as if nothing were.
    pub(crate) fn cut(
        &mut self,
        connection: ConnectionId,
        broker_misses: bool,
        peer_misses: bool,
        queue: &mut Queue,
    ) {
        let link = &mut self.connections[connection];
        if link.is_cut {
            return;
        }
        link.is_cut = true;
        link.up.cut(&mut self.dice);
        link.down.cut(&mut self.dice);
        // Whoever notices has seen everything that arrives before.
        let (up, down) = (link.up.last, link.down.last);
        if !broker_misses {
            queue.add(up.max(queue.now()), Happening::BrokerNotices(connection));
        }
        if !peer_misses {
            queue.add(down.max(queue.now()), Happening::PeerNotices(connection));
        }
    }

    /// The broker's process is gone, and every connection to it.
    pub(crate) fn broker_gone(&mut self, silent: bool, queue: &mut Queue) {
        self.routes.clear();
        for connection in 0..self.connections.len() {
            self.cut(connection, true, silent, queue);
        }
    }

    /// Nothing goes on being unnoticed.
    pub(crate) fn heal(&mut self, queue: &mut Queue) {
        self.clogged = 0;
        for (connection, link) in self.connections.iter().enumerate() {
            if link.is_cut {
                let (up, down) = (link.up.last, link.down.last);
                queue.add(up.max(queue.now()), Happening::BrokerNotices(connection));
                queue.add(down.max(queue.now()), Happening::PeerNotices(connection));
            }
        }
    }

    /// The broker's side notices that a connection is gone; says how it was called.
    pub(crate) fn broker_notices(
        &mut self,
        connection: ConnectionId,
        incarnation: u64,
    ) -> Option<(Transport, Vec<u8>)> {
        let link = &self.connections[connection];
        let socket = &self.sockets[link.socket];
        let route = (socket.transport, link.key.clone());
        if self.routes.get(&route) != Some(&connection) || link.incarnation != incarnation {
            return None;
        }
        self.routes.remove(&route);
        Some(route)
    }

    /// The peer's side notices that a connection is gone; says whose it was.
    pub(crate) fn peer_notices(
        &mut self,
        connection: ConnectionId,
        queue: &mut Queue,
    ) -> Option<(usize, SocketId)> {
        let socket = self.connections[connection].socket;
        if self.sockets[socket].state != State::Up(connection) {
            return None;
        }
        match self.sockets[socket].transport {
            Transport::Zmq => {
                self.sockets[socket].state = State::Dialing;
                self.dial(socket, queue);
            }
            Transport::Tcp => self.sockets[socket].state = State::Closed,
        }
        Some((self.sockets[socket].peer, socket))
    }

    /// Tells newer connections from older ones: which the broker's newest of this name is.
    pub(crate) fn newest_of(&self, key: &[u8]) -> Option<ConnectionId> {
        self.connections.iter().rposition(|link| link.key == key)
    }

    /// Some connection that lives.
    pub(crate) fn any_connection(&mut self) -> Option<ConnectionId> {
        let living = self.connections.iter().enumerate();
        let living: Vec<_> = living.filter(|(_, link)| !link.is_cut).collect();
        (!living.is_empty()).then(|| living[self.dice.below(living.len())].0)
    }

    /// Closes the connection that the broker calls so: it reads nothing more from it.
    pub(crate) fn close_route(&mut self, transport: Transport, key: &[u8], queue: &mut Queue) {
        if let Some(connection) = self.routes.remove(&(transport, key.to_vec())) {
            self.cut(connection, true, false, queue);
            self.stop_hearing(connection);
        }
    }

    /// What a connection still brings is nobody's.
    fn stop_hearing(&mut self, connection: ConnectionId) {
        let up = &mut self.connections[connection].up;
        up.limit = Some(up.arrived);
    }

    /// What the broker calls a socket's next connection.
    fn key(&mut self, socket: SocketId) -> Vec<u8> {
        let key = &self.sockets[socket].key;
        if !key.is_empty() {
            return key.clone();
        }
        self.made_up = self.made_up.wrapping_add(1);
        [&[0][..], &self.made_up.to_be_bytes()].concat()
    }

    fn dial(&mut self, socket: SocketId, queue: &mut Queue) {
        let delay = self.dice.millis(1, 300);
        queue.add(queue.now() + delay, Happening::Dialed(socket));
    }

    fn delay(&mut self) -> Duration {
        let (least, most) = self.delay_micros;
        self.dice.micros(least, most + self.clogged)
    }
}
