//! The native dialect, from the peer to the broker. What the broker answers is in [`super::reply`].
//!
//! Every frame begins `magic, version, kind, options`; integers are big-endian.
//!
//! ```text
//!  hello    | O 1 01 options | start | 0 0 | name length | n (8) | log id (8) | name |
//!  publish  | O 1 02 0       | count (4) | first client sequence (8) | then count times: length (4), payload |
//!  ack      | O 1 03 0       | 0 (4)     | order number (8) |
//!  goodbye  | O 1 04 options |
//!  ping     | O 1 05 0       |
//!  pong     | O 1 06 0       |
//! ```

use super::fields::{Field, read_u8, read_u16, read_u32, read_u64, split_items};
use super::{Acked, ClientMessage, ClientSequence, DecodeError, LogId, Name, OrderNumber};

/// The first byte of every native frame. No frame of another dialect begins with it: the binary
/// dialect's begin with 0x00 or 0xFF, a JSON object's with `{` or white space.
pub const MAGIC: u8 = b'O';
/// The version of the dialect, the second byte.
pub const VERSION: u8 = 1;

/// The third byte of the frames in this file. Those of the broker's are in [`super::reply`].
pub mod kind {
    /// Names the peer and opens its session.
    pub const HELLO: u8 = 0x01;
    /// Messages to order.
    pub const PUBLISH: u8 = 0x02;
    /// Everything up to a number has been delivered.
    pub const ACK: u8 = 0x03;
    /// The peer goes.
    pub const GOODBYE: u8 = 0x04;
    /// Either side asks whether the other is there.
    pub const PING: u8 = 0x05;
    /// The answer.
    pub const PONG: u8 = 0x06;
}

/// Bytes before what a kind has of its own.
pub const PREFIX_LEN: usize = 4;
const KIND: Field = 2..3;
const OPTIONS: Field = 3..4;

const HELLO_START: Field = 4..5;
const HELLO_RESERVED: Field = 5..7;
const HELLO_NAME_LENGTH: Field = 7..8;
const HELLO_NUMBER: Field = 8..16;
const HELLO_LOG_ID: Field = 16..24;
const HELLO_LEN: usize = 24;
/// Option of a hello: the peer wants deliveries, not only to publish.
const HELLO_RECEIVE: u8 = 1;

const PUBLISH_COUNT: Field = 4..8;
const PUBLISH_SEQUENCE: Field = 8..16;
/// Bytes of a publish frame before its first message.
pub const PUBLISH_LEN: usize = 16;
/// Bytes before each message of a publish frame.
pub const PUBLISH_MESSAGE_LEN: usize = 4;

const ACK_RESERVED: Field = 4..8;
const ACK_ORDER: Field = 8..16;
const ACK_LEN: usize = 16;

/// Option of a goodbye: the session stays, for the peer to come back to.
const GOODBYE_KEEP: u8 = 1;

/// Where a peer's deliveries begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With what is ordered after its join. Only if the broker does not know the name.
    Now,
    /// With the oldest message there is. Only if the broker does not know the name.
    Beginning,
    /// With this number. Only if the broker does not know the name.
    At(OrderNumber),
    /// With the last so many. Only if the broker does not know the name.
    Last(u64),
    /// With this number, known name or not: the peer knows what it has processed.
    Resume(OrderNumber),
}

/// A peer names itself. Said again on the same connection it means "from here again".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The session's name; whoever said it before on another connection is superseded.
    pub name: Name,
    /// Where deliveries begin.
    pub start: Start,
    /// Whether it wants deliveries at all.
    pub receive: bool,
    /// The log that `start` and its earlier deliveries refer to; 0 if it has seen none.
    pub log_id: LogId,
}

impl Hello {
    /// The frame that says this.
    ///
    /// # Panics
    /// Never: a name has at most 255 bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let (start, number) = match self.start {
            Start::Now => (0, 0),
            Start::Beginning => (1, 0),
            Start::At(order) => (2, order.0),
            Start::Last(count) => (3, count),
            Start::Resume(order) => (4, order.0),
        };
        let name = self.name.as_bytes();
        let name_length = u8::try_from(name.len()).expect("a name has at most 255 bytes");
        let mut frame = prefix(kind::HELLO, u8::from(self.receive) * HELLO_RECEIVE);
        frame.extend_from_slice(&[start, 0, 0, name_length]);
        frame.extend_from_slice(&number.to_be_bytes());
        frame.extend_from_slice(&self.log_id.0.to_be_bytes());
        frame.extend_from_slice(name);
        frame
    }

    fn decode(frame: &[u8]) -> Result<Self, DecodeError> {
        let options = read_u8(frame, OPTIONS)?;
        let number = read_u64(frame, HELLO_NUMBER)?;
        let log_id = LogId(read_u64(frame, HELLO_LOG_ID)?);
        let reserved = read_u16(frame, HELLO_RESERVED)?;
        if options & !HELLO_RECEIVE != 0 || reserved != 0 {
            return Err(DecodeError::FieldOutOfRange);
        }
        let start = match (read_u8(frame, HELLO_START)?, number) {
            (0, 0) => Start::Now,
            (1, 0) => Start::Beginning,
            (2, n) => Start::At(OrderNumber(n)),
            (3, n) => Start::Last(n),
            (4, n) => Start::Resume(OrderNumber(n)),
            _ => return Err(DecodeError::FieldOutOfRange),
        };
        let name = &frame[HELLO_LEN..];
        match usize::from(read_u8(frame, HELLO_NAME_LENGTH)?) {
            length if length > name.len() => return Err(DecodeError::Truncated),
            length if length < name.len() => return Err(DecodeError::Trailing),
            _ => {}
        }
        let name = Name::new(name).map_err(|_| DecodeError::BadName)?;
        Ok(Self {
            name,
            start,
            receive: options & HELLO_RECEIVE != 0,
            log_id,
        })
    }
}

/// Messages to order, one after the other; checked as a whole when decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Publish<'a> {
    /// The client sequence of the first; the others follow without gaps.
    pub first: ClientSequence,
    /// How many there are; at least 1.
    pub count: u32,
    /// Length and payload of each.
    messages: &'a [u8],
}

impl<'a> Publish<'a> {
    fn decode(frame: &'a [u8]) -> Result<Self, DecodeError> {
        let count = read_u32(frame, PUBLISH_COUNT)?;
        let first = ClientSequence(read_u64(frame, PUBLISH_SEQUENCE)?);
        let in_range = first.0 != 0 && count != 0;
        if !in_range || first.checked_plus(u64::from(count)).is_none() {
            return Err(DecodeError::FieldOutOfRange);
        }
        let mut rest = &frame[PUBLISH_LEN..];
        for _ in 0..count {
            (_, rest) = split_payload(rest)?;
        }
        let messages = &frame[PUBLISH_LEN..];
        if rest.is_empty() {
            Ok(Self {
                first,
                count,
                messages,
            })
        } else {
            Err(DecodeError::Trailing)
        }
    }

    /// The payloads, in order.
    pub fn payloads(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = self.messages;
        std::iter::from_fn(move || {
            let (payload, after) = split_payload(rest).ok()?;
            rest = after;
            Some(payload)
        })
    }
}

/// Splits off the first payload of a publish frame's messages.
fn split_payload(messages: &[u8]) -> Result<(&[u8], &[u8]), DecodeError> {
    let length = read_u32(messages, 0..PUBLISH_MESSAGE_LEN)?;
    split_items(&messages[PUBLISH_MESSAGE_LEN..], length, 1)
}

/// Builds a publish frame message by message.
#[derive(Debug)]
pub struct PublishFrame {
    bytes: Vec<u8>,
    count: u32,
}

impl PublishFrame {
    /// A frame whose first message has this client sequence.
    #[must_use]
    pub fn new(first: ClientSequence) -> Self {
        let mut bytes = prefix(kind::PUBLISH, 0);
        bytes.extend_from_slice(&0_u32.to_be_bytes());
        bytes.extend_from_slice(&first.0.to_be_bytes());
        Self { bytes, count: 0 }
    }

    /// Adds the next message.
    ///
    /// # Panics
    /// If the payload is longer than 4 GiB; the broker's limit is far below.
    pub fn push(&mut self, payload: &[u8]) {
        let length = u32::try_from(payload.len()).expect("message size is limited");
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.extend_from_slice(payload);
        self.count += 1;
    }

    /// How many messages it holds.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Bytes so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether it holds no message; such a frame must not be sent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The frame's bytes.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.bytes[PUBLISH_COUNT].copy_from_slice(&self.count.to_be_bytes());
        self.bytes
    }
}

/// How a native peer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goodbye {
    /// Its session ends: everybody is told, and the name starts anew next time.
    Leave,
    /// Its session stays: the broker stops sending at once instead of finding out.
    Away,
}

impl Goodbye {
    /// The frame that says this.
    #[must_use]
    pub fn encode(self) -> Vec<u8> {
        prefix(kind::GOODBYE, u8::from(self == Self::Away) * GOODBYE_KEEP)
    }
}

/// The frame that acknowledges everything up to and including `order`.
#[must_use]
pub fn ack(order: OrderNumber) -> Vec<u8> {
    let mut frame = prefix(kind::ACK, 0);
    frame.extend_from_slice(&0_u32.to_be_bytes());
    frame.extend_from_slice(&order.0.to_be_bytes());
    frame
}

/// The frame that asks whether the other side is there.
#[must_use]
pub fn ping() -> Vec<u8> {
    prefix(kind::PING, 0)
}

/// The frame that answers a ping.
#[must_use]
pub fn pong() -> Vec<u8> {
    prefix(kind::PONG, 0)
}

/// The four bytes that every native frame begins with.
pub(super) fn prefix(kind: u8, options: u8) -> Vec<u8> {
    vec![MAGIC, VERSION, kind, options]
}

/// Decodes a frame that begins with [`MAGIC`].
///
/// # Errors
/// The first thing that is wrong with it.
pub fn decode(frame: &[u8]) -> Result<ClientMessage<'_>, DecodeError> {
    if read_u8(frame, 1..2)? != VERSION {
        return Err(DecodeError::UnsupportedVersion);
    }
    let options = read_u8(frame, OPTIONS)?;
    let of_length = |expected: usize, options_allowed: u8| match frame.len() {
        length if length < expected => Err(DecodeError::Truncated),
        length if length > expected => Err(DecodeError::Trailing),
        _ if options & !options_allowed != 0 => Err(DecodeError::FieldOutOfRange),
        _ => Ok(()),
    };
    match read_u8(frame, KIND)? {
        kind::HELLO => Hello::decode(frame).map(ClientMessage::Hello),
        kind::PUBLISH if options != 0 => Err(DecodeError::FieldOutOfRange),
        kind::PUBLISH => Publish::decode(frame).map(ClientMessage::Publish),
        kind::ACK => {
            of_length(ACK_LEN, 0)?;
            if read_u32(frame, ACK_RESERVED)? != 0 {
                return Err(DecodeError::FieldOutOfRange);
            }
            let order = OrderNumber(read_u64(frame, ACK_ORDER)?);
            Ok(ClientMessage::Ack(Acked::UpTo(order)))
        }
        kind::GOODBYE => {
            of_length(PREFIX_LEN, GOODBYE_KEEP)?;
            let keep = options & GOODBYE_KEEP != 0;
            Ok(ClientMessage::Goodbye(if keep {
                Goodbye::Away
            } else {
                Goodbye::Leave
            }))
        }
        kind::PING => of_length(PREFIX_LEN, 0).map(|()| ClientMessage::Ping),
        kind::PONG => of_length(PREFIX_LEN, 0).map(|()| ClientMessage::Pong),
        _ => Err(DecodeError::UnexpectedKind),
    }
}
