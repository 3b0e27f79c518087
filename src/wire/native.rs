//! The native dialect, from the peer to the broker. What the broker answers is in [`super::reply`].
//!
//! Every frame begins `magic, version, kind, options`; integers are big-endian.
//!
//! ```text
//!  hello    | O 1 01 options | start | 0 (2) | name length | number (8) | log id (8) | name |
//!  publish  | O 1 02 0       | count (4)    | first client sequence (8) | messages |
//!  ack      | O 1 03 0       | 0 (4)        | order number (8) |
//!  goodbye  | O 1 04 options |
//!  ping     | O 1 05 0       |
//!  pong     | O 1 06 0       |
//! ```
//! A message of a publish is its length (4) and its payload.

use super::fields::{Field, read_u8, read_u16, read_u32, read_u64};
use super::{Acked, ClientMessage, DecodeError, LogId, Name, OrderNumber};

pub use super::publish::{Publish, PublishFrame};

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

/// The layouts of the frames in this file, each stated once.
pub mod field {
    use super::Field;

    /// [`super::MAGIC`].
    pub const MAGIC: Field = 0..1;
    /// [`super::VERSION`].
    pub const VERSION: Field = 1..2;
    /// [`super::kind`], or one of those in [`crate::wire::reply`].
    pub const KIND: Field = 2..3;
    /// Bits that a kind gives a meaning; the others are zero.
    pub const OPTIONS: Field = 3..4;

    /// A [`super::Hello`]; the name follows.
    pub mod hello {
        use super::Field;
        /// How to read [`NUMBER`]: see [`super::super::start`].
        pub const START: Field = 4..5;
        /// Zero.
        pub const RESERVED: Field = 5..7;
        /// Bytes of the name.
        pub const NAME_LENGTH: Field = 7..8;
        /// An order number or a count, or 0, as `START` says.
        pub const NUMBER: Field = 8..16;
        /// The log that the peer has seen; 0 for none.
        pub const LOG_ID: Field = 16..24;
    }

    /// A [`super::Publish`]; the messages follow.
    pub mod publish {
        use super::Field;
        /// How many messages.
        pub const COUNT: Field = 4..8;
        /// The client sequence of the first.
        pub const SEQUENCE: Field = 8..16;
        /// Bytes of the payload, before each message.
        pub const MESSAGE_LENGTH: Field = 0..4;
    }

    /// An ACK.
    pub mod ack {
        use super::Field;
        /// Zero.
        pub const RESERVED: Field = 4..8;
        /// Everything up to and including this number is delivered.
        pub const ORDER: Field = 8..16;
    }
}

/// What a hello says of its number, and so where deliveries begin: see [`Start`].
pub mod start {
    /// [`super::Start::Now`].
    pub const NOW: u8 = 0;
    /// [`super::Start::Beginning`].
    pub const BEGINNING: u8 = 1;
    /// [`super::Start::At`].
    pub const AT: u8 = 2;
    /// [`super::Start::Last`].
    pub const LAST: u8 = 3;
    /// [`super::Start::Resume`].
    pub const RESUME: u8 = 4;
}

/// Bytes before what a kind has of its own.
pub const PREFIX_LEN: usize = 4;
/// Bytes of a hello before its name.
pub const HELLO_LEN: usize = 24;
/// Option of a hello: the peer wants deliveries, not only to publish.
pub const HELLO_RECEIVE: u8 = 1;
/// Bytes of a publish frame before its first message.
pub const PUBLISH_LEN: usize = 16;
/// Bytes before each message of a publish frame.
pub const PUBLISH_MESSAGE_LEN: usize = 4;
/// Bytes of an ACK.
pub const ACK_LEN: usize = 16;
/// Option of a goodbye: the session stays, for the peer to come back to.
pub const GOODBYE_KEEP: u8 = 1;

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
            Start::Now => (start::NOW, 0),
            Start::Beginning => (start::BEGINNING, 0),
            Start::At(order) => (start::AT, order.0),
            Start::Last(count) => (start::LAST, count),
            Start::Resume(order) => (start::RESUME, order.0),
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
        let options = read_u8(frame, field::OPTIONS)?;
        let number = read_u64(frame, field::hello::NUMBER)?;
        let log_id = LogId(read_u64(frame, field::hello::LOG_ID)?);
        let reserved = read_u16(frame, field::hello::RESERVED)?;
        if options & !HELLO_RECEIVE != 0 || reserved != 0 {
            return Err(DecodeError::FieldOutOfRange);
        }
        let start = match (read_u8(frame, field::hello::START)?, number) {
            (start::NOW, 0) => Start::Now,
            (start::BEGINNING, 0) => Start::Beginning,
            (start::AT, order) => Start::At(OrderNumber(order)),
            (start::LAST, count) => Start::Last(count),
            (start::RESUME, order) => Start::Resume(OrderNumber(order)),
            _ => return Err(DecodeError::FieldOutOfRange),
        };
        let name = &frame[HELLO_LEN..];
        match usize::from(read_u8(frame, field::hello::NAME_LENGTH)?) {
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
    if read_u8(frame, field::VERSION)? != VERSION {
        return Err(DecodeError::UnsupportedVersion);
    }
    let options = read_u8(frame, field::OPTIONS)?;
    let of_length = |expected: usize, options_allowed: u8| match frame.len() {
        length if length < expected => Err(DecodeError::Truncated),
        length if length > expected => Err(DecodeError::Trailing),
        _ if options & !options_allowed != 0 => Err(DecodeError::FieldOutOfRange),
        _ => Ok(()),
    };
    match read_u8(frame, field::KIND)? {
        kind::HELLO => Hello::decode(frame).map(ClientMessage::Hello),
        kind::PUBLISH if options != 0 => Err(DecodeError::FieldOutOfRange),
        kind::PUBLISH => Publish::decode(frame).map(ClientMessage::Publish),
        kind::ACK => {
            of_length(ACK_LEN, 0)?;
            if read_u32(frame, field::ack::RESERVED)? != 0 {
                return Err(DecodeError::FieldOutOfRange);
            }
            let order = OrderNumber(read_u64(frame, field::ack::ORDER)?);
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
