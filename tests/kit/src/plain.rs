//! A plain TCP peer that sends and reads bytes as a test tells it.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};

use orden::wire::raw::LIMIT;
use orden::wire::{Acked, OrderNumber, binary};

use crate::PATIENCE;
use crate::dealer::Heard;

/// A connection to a broker's `--tcp-address`.
pub struct Plain {
    stream: TcpStream,
    /// What the last read gave beyond the message that was taken from it: the same once more.
    again: Vec<u8>,
}

impl Plain {
    pub fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("the broker listens");
        stream.set_nodelay(true).expect("an option");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        Self {
            stream,
            again: Vec::new(),
        }
    }

    /// Under which name the broker knows it.
    pub fn name(&self) -> String {
        self.stream.local_addr().expect("connected").to_string()
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the broker is there");
    }

    pub fn say(&mut self, text: &str) {
        self.send(&text_of(text));
    }

    pub fn ack(&mut self, order: u64) {
        self.send(&ack_of(order));
    }

    /// What one read gives, as the original takes it for one message; nothing at the end.
    pub fn read(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; LIMIT];
        let length = match self.stream.read(&mut bytes) {
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => 0,
            Err(error) => panic!("nothing from the broker: {error}"),
        };
        bytes.truncate(length);
        bytes
    }

    /// The next message; nothing is acknowledged. If it was sent again before it was read, both
    /// come with one read.
    pub fn hear(&mut self) -> Heard {
        let mut bytes = std::mem::take(&mut self.again);
        if bytes.is_empty() {
            bytes = self.read();
        }
        self.again = bytes.split_off(repeated(&bytes));
        let (order, payload) = binary::decode_delivery(&bytes).expect("one message");
        Heard {
            order: order.0,
            payload: payload.to_vec(),
            dialect: orden::wire::Dialect::Raw,
        }
    }

    /// The message that comes after `order` or, without one, whatever is next; acknowledged.
    pub fn next(&mut self, order: Option<u64>) -> Heard {
        loop {
            let heard = self.hear();
            self.ack(heard.order);
            if order.is_none_or(|order| heard.order == order + 1) {
                return heard;
            }
        }
    }

    /// Whether there is something to read.
    pub fn has_something(&self) -> bool {
        self.stream.set_nonblocking(true).expect("an option");
        let peeked = self.stream.peek(&mut [0]);
        self.stream.set_nonblocking(false).expect("an option");
        !peeked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }

    /// Sends nothing more.
    pub fn shut_down(&self) {
        self.stream.shutdown(Shutdown::Write).expect("connected");
    }
}

/// The length of what these bytes are repetitions of: all of them, if of nothing shorter.
fn repeated(bytes: &[u8]) -> usize {
    let is_period = |&length: &usize| {
        bytes.len().is_multiple_of(length)
            && bytes.chunks(length).all(|part| bytes.starts_with(part))
    };
    let shortest = binary::HEADER_LEN;
    (shortest..bytes.len())
        .find(is_period)
        .unwrap_or(bytes.len())
}

/// A text as the original sends it.
pub fn text_of(text: &str) -> Vec<u8> {
    let mut frame = Vec::new();
    binary::encode_message(OrderNumber(0), [text.as_bytes(), b"", b""], &mut frame);
    frame
}

/// An ACK as the original sends it.
pub fn ack_of(order: u64) -> Vec<u8> {
    binary::encode_ack(Acked::UpTo(OrderNumber(order))).to_vec()
}
