//! Bytes to messages and back: one file a dialect, and the words that all of them share.
//!
//! Decoding is total. Any bytes give a value or a [`DecodeError`] that names what is wrong;
//! nothing here panics on what a peer sent, and no number is ever cut to fit.

pub mod batch;
pub mod binary;
pub mod json;
pub mod native;
pub mod raw;
pub mod record;
pub mod rendering;
pub mod reply;
pub mod sessions;

pub(crate) mod fields;
mod key;
mod name;
mod publish;

pub use key::{BadKey, PublicKey, SecretKey};
pub use name::{BadName, Name, SERVER_NAME};

use std::borrow::Cow;
use std::fmt;

/// The place of a message in the one order: 0 for the first, then without gaps, never reused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderNumber(pub u64);

impl OrderNumber {
    /// The number `count` places after this one.
    ///
    /// # Panics
    /// When the order runs out of numbers, which at a million messages a second takes half a
    /// million years.
    #[must_use]
    pub fn plus(self, count: u64) -> Self {
        Self(self.0.checked_add(count).expect("order numbers ran out"))
    }

    /// How many numbers lie from `earlier` (with it) to this one (without it); 0 if none do.
    #[must_use]
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for OrderNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A publisher's own number for a message, from 1, used only to recognise what was sent twice.
///
/// It never takes part in ordering; [`ClientSequence::NONE`] marks a message without one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientSequence(pub u64);

impl ClientSequence {
    /// What a message of a dialect without client sequences carries.
    pub const NONE: Self = Self(0);

    /// The sequence `count` places later, or `None` past the last one that fits.
    #[must_use]
    pub fn checked_plus(self, count: u64) -> Option<Self> {
        self.0.checked_add(count).map(Self)
    }
}

impl fmt::Display for ClientSequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which log a number belongs to: drawn at random when a log is created. 0 stands for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LogId(pub u64);

/// Raised at each start of a broker on a log, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u32);

/// What a peer says its messages in, told by the first byte of each frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// One frame: a 256-bit order number, an ACK flag, the payload.
    Binary,
    /// One frame: a UTF-8 JSON object.
    Json,
    /// The binary dialect's bytes over plain TCP, without framing.
    Raw,
    /// Orden's own: many messages in a frame, confirmation, resume.
    Native,
}

/// How far a peer says it holds the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acked {
    /// Nothing: a program that has just started.
    Nothing,
    /// Everything up to and including this number.
    UpTo(OrderNumber),
}

/// Everything that a peer can say to the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientMessage<'a> {
    /// An entirely empty message, as `ZMQ_PROBE_ROUTER` sends it: "I am here".
    Probe,
    /// A payload to order, in a fixed dialect: opaque bytes, `name: text` by convention.
    Text(Cow<'a, [u8]>),
    /// A cumulative acknowledgement.
    Ack(Acked),
    /// A native peer names itself and says where its deliveries begin.
    Hello(native::Hello),
    /// Messages to order, in the native dialect.
    Publish(native::Publish<'a>),
    /// A native peer goes.
    Goodbye(native::Goodbye),
    /// "Are you there?"; answered by a pong.
    Ping,
    /// The answer to a ping.
    Pong,
}

/// Why bytes are not a message. Each reason is counted under its own [`name`](Self::name).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Fewer bytes than the layout has.
    #[error("frame too short")]
    Truncated,
    /// More bytes than the layout has.
    #[error("bytes left over after the message")]
    Trailing,
    /// More frames than the dialect has.
    #[error("too many frames")]
    TooManyFrames,
    /// An ACK flag other than 0 or 1.
    #[error("flag byte is neither 0 nor 1")]
    BadFlag,
    /// An order number outside the 64-bit range, or a negative one other than -1 in an ACK.
    #[error("order number out of range")]
    OrderOutOfRange,
    /// Text that is not a JSON object.
    #[error("not a JSON object")]
    NotJson,
    /// A JSON object whose keys are missing or have other types than the dialect's.
    #[error("JSON object without the right fields")]
    BadJsonFields,
    /// Bytes on a plain TCP connection that do not begin with a header.
    #[error("bytes without a header")]
    NoHeader,
    /// A version of the native dialect that this broker does not speak.
    #[error("version of the native dialect not supported")]
    UnsupportedVersion,
    /// A kind of native frame that does not exist, or that only the broker sends.
    #[error("kind of frame unknown or not for this direction")]
    UnexpectedKind,
    /// A count, length or option with a value outside its range.
    #[error("field out of range")]
    FieldOutOfRange,
    /// A name that is empty, too long or begins with a zero byte.
    #[error("name not allowed")]
    BadName,
    /// A checksum that does not match its bytes.
    #[error("checksum does not match")]
    BadChecksum,
}

impl DecodeError {
    /// The reason as a counter's or a log line's key.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::Trailing => "trailing_bytes",
            Self::TooManyFrames => "too_many_frames",
            Self::BadFlag => "bad_flag",
            Self::OrderOutOfRange => "order_out_of_range",
            Self::NotJson => "not_json",
            Self::BadJsonFields => "bad_json_fields",
            Self::NoHeader => "no_header",
            Self::UnsupportedVersion => "unsupported_version",
            Self::UnexpectedKind => "unexpected_kind",
            Self::FieldOutOfRange => "field_out_of_range",
            Self::BadName => "bad_name",
            Self::BadChecksum => "bad_checksum",
        }
    }
}

/// Tells the dialect of a frame from a ZeroMQ peer by its first byte.
///
/// An empty frame belongs to no dialect: it is the probe, see [`ClientMessage::Probe`].
#[must_use]
pub fn dialect_of(frame: &[u8]) -> Option<Dialect> {
    match frame.first()? {
        0x00 | 0xFF => Some(Dialect::Binary),
        &native::MAGIC => Some(Dialect::Native),
        _ => Some(Dialect::Json),
    }
}

/// Decodes one frame from a ZeroMQ peer, whichever dialect it is in.
///
/// # Errors
/// The named reason why the frame is no message of the dialect its first byte claims.
pub fn decode(frame: &[u8]) -> Result<ClientMessage<'_>, DecodeError> {
    match dialect_of(frame) {
        None => Ok(ClientMessage::Probe),
        Some(Dialect::Native) => native::decode(frame),
        Some(Dialect::Json) => json::decode(frame),
        Some(Dialect::Binary | Dialect::Raw) => binary::decode(frame),
    }
}
