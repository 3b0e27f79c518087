//! Peers of the binary and the JSON dialect, and whatever else a DEALER can send.

use std::sync::LazyLock;
use std::time::Duration;

use orden::wire::rendering::Parts;
use orden::wire::{Acked, Dialect, OrderNumber, binary, dialect_of, json};

use crate::PATIENCE;

/// All peers of a test program share libzmq's thread. It ends with the process.
static CONTEXT: LazyLock<zmq::Context> = LazyLock::new(zmq::Context::new);

/// A DEALER that is, or tries to be, connected to a broker.
pub struct Dealer {
    socket: zmq::Socket,
    name: String,
    dialect: Dialect,
    is_delimited: bool,
    /// The next number in the order, once it has one.
    next: Option<u64>,
}

/// A message of the order, as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    pub order: u64,
    pub payload: Vec<u8>,
    pub dialect: Dialect,
}

impl Heard {
    /// The payload as text.
    pub fn text(&self) -> &str {
        str::from_utf8(&self.payload).expect("tests that do not send text do not ask for it")
    }
}

impl Dealer {
    /// A peer of the binary dialect that has said nothing yet.
    pub fn connect(endpoint: &str, name: &str) -> Self {
        Self::connect_with(endpoint, name, |_| Ok(()))
    }

    /// The same with options of the socket's; an empty name leaves it to libzmq.
    pub fn connect_with(
        endpoint: &str,
        name: &str,
        options: impl FnOnce(&zmq::Socket) -> zmq::Result<()>,
    ) -> Self {
        let socket = CONTEXT.socket(zmq::DEALER).expect("a socket");
        let patience = i32::try_from(PATIENCE.as_millis()).expect("it is short");
        if !name.is_empty() {
            socket.set_identity(name.as_bytes()).expect("a name");
        }
        socket.set_rcvtimeo(patience).expect("a timeout");
        socket.set_sndtimeo(patience).expect("a timeout");
        // What was said is still sent after the peer is dropped, and nothing waits for it.
        socket.set_linger(patience).expect("a time");
        options(&socket).expect("options");
        socket.connect(endpoint).expect("an endpoint");
        Self {
            socket,
            name: name.to_owned(),
            dialect: Dialect::Binary,
            is_delimited: false,
            next: None,
        }
    }

    /// The number it expects next.
    pub fn expects(&self) -> u64 {
        self.next.expect("it has heard something")
    }

    /// Notes that it has everything before `next`.
    pub fn expect_from(&mut self, next: u64) {
        self.next = Some(next);
    }

    /// From now on it speaks this dialect.
    pub fn speak(&mut self, dialect: Dialect) {
        self.dialect = dialect;
    }

    /// From now on it puts an empty frame before each message.
    pub fn delimit(&mut self, is_delimited: bool) {
        self.is_delimited = is_delimited;
    }

    /// A peer that has joined, as a member that holds nothing.
    pub fn join(endpoint: &str, name: &str) -> Self {
        let peer = Self::connect(endpoint, name);
        peer.ack_nothing();
        peer
    }

    /// A member of this name that misses nothing from here on.
    pub fn member(endpoint: &str, name: &str) -> Self {
        let mut peer = Self::join(endpoint, name);
        peer.say("here");
        assert_eq!(peer.next().text(), format!("{name}: here"));
        peer
    }

    /// Sends frames as they are.
    pub fn send(&self, frames: &[&[u8]]) {
        let empty: &[u8] = b"";
        let delimiter = self.is_delimited.then_some(empty);
        let frames = delimiter.into_iter().chain(frames.iter().copied());
        let sent = self.socket.send_multipart(frames, 0);
        sent.unwrap_or_else(|error| panic!("{} cannot send: {error}", self.name));
    }

    /// Sends a text as it is.
    pub fn say_bytes(&self, payload: &[u8]) {
        let mut frame = Vec::new();
        let parts: Parts = [payload, b"", b""];
        match self.dialect {
            Dialect::Json => drop(json::encode_message(OrderNumber(0), parts, &mut frame)),
            _ => binary::encode_message(OrderNumber(0), parts, &mut frame),
        }
        self.send(&[&frame]);
    }

    /// Says something under its name, as peers of the fixed dialects do.
    pub fn say(&self, text: &str) {
        self.say_bytes(format!("{}: {text}", self.name).as_bytes());
    }

    /// "I hold everything up to and including `order`."
    pub fn ack(&self, order: u64) {
        self.acked(Acked::UpTo(OrderNumber(order)));
    }

    /// "I hold nothing."
    pub fn ack_nothing(&self) {
        self.acked(Acked::Nothing);
    }

    fn acked(&self, acked: Acked) {
        match self.dialect {
            Dialect::Json => self.send(&[&json::encode_ack(acked)]),
            _ => self.send(&[&binary::encode_ack(acked)]),
        }
    }

    /// The frames that come next, as they are.
    pub fn receive(&self) -> Vec<Vec<u8>> {
        let frames = self.socket.recv_multipart(0);
        frames.unwrap_or_else(|error| panic!("{} hears nothing: {error}", self.name))
    }

    /// As `receive`, if something comes within this time.
    pub fn receive_within(&self, time: Duration) -> Option<Vec<Vec<u8>>> {
        let time = i64::try_from(time.as_millis()).expect("it is short");
        let comes = self.socket.poll(zmq::POLLIN, time).expect("a socket");
        (comes > 0).then(|| self.receive())
    }

    /// What comes next, again or not; nothing is acknowledged.
    pub fn hear(&self) -> Heard {
        self.read(self.receive())
    }

    /// As `hear`, if there is something.
    pub fn hear_now(&self) -> Option<Heard> {
        match self.socket.recv_multipart(zmq::DONTWAIT) {
            Ok(frames) => Some(self.read(frames)),
            Err(zmq::Error::EAGAIN) => None,
            Err(error) => panic!("{} hears nothing: {error}", self.name),
        }
    }

    fn read(&self, mut frames: Vec<Vec<u8>>) -> Heard {
        let frame = frames.pop().expect("a frame");
        let delimiter: &[Vec<u8>] = if self.is_delimited { &[vec![]] } else { &[] };
        assert_eq!(frames, delimiter, "{}: answered as it spoke", self.name);
        let dialect = dialect_of(&frame).expect("the broker sends no probes");
        let (order, payload) = if dialect == Dialect::Json {
            let (order, payload) = json::decode_delivery(&frame).expect("JSON");
            (order, payload.into_owned().into_bytes())
        } else {
            let (order, payload) = binary::decode_delivery(&frame).expect("a message");
            (order, payload.to_vec())
        };
        Heard {
            order: order.0,
            payload,
            dialect,
        }
    }

    /// The next message in the order; what comes again is dropped. Nothing is acknowledged.
    pub fn next_unacknowledged(&mut self) -> Heard {
        loop {
            let heard = self.hear();
            if self.takes(&heard) {
                return heard;
            }
        }
    }

    /// The next message in the order, acknowledged.
    pub fn next(&mut self) -> Heard {
        loop {
            let heard = self.hear();
            let is_next = self.takes(&heard);
            // What comes again was not heard to be acknowledged: it is said once more.
            self.ack(self.expects() - 1);
            if is_next {
                return heard;
            }
        }
    }

    /// Whether it is the next message, or the first.
    fn takes(&mut self, heard: &Heard) -> bool {
        let is_next = self.next.is_none_or(|next| heard.order == next);
        if is_next {
            self.next = Some(heard.order + 1);
        }
        is_next
    }

    /// What is said from here on, acknowledged, up to and with this text.
    pub fn next_until(&mut self, text: &str) -> Vec<Heard> {
        let mut all = vec![self.next()];
        while all[all.len() - 1].payload != text.as_bytes() {
            all.push(self.next());
        }
        all
    }
}
