//! The native dialect, from the broker to the peer. Batches of messages are in [`super::batch`].
//!
//! ```text
//!  welcome  | O 1 11 options | epoch (4) | log id (8) | begin (8) | end (8) |
//!           | last client sequence (8) | publish window (4) | largest message (4) |
//!  confirm  | O 1 12 0       | count (4) | runs (20 each, see sessions::run_field) |
//!  refusal  | O 1 13 0       | code (2) | text length (2) | detail (8) | text |
//!  goodbye  | O 1 04 options |
//!  ping     | O 1 05 0       |
//!  pong     | O 1 06 0       |
//! ```

use super::fields::{read_u8, read_u16, read_u32, read_u64, split_items};
use super::native::{self, PREFIX_LEN, VERSION, prefix};
use super::sessions::{RUN_LEN, SequenceRun};
use super::{ClientSequence, DecodeError, Epoch, LogId, OrderNumber, batch};

/// The third byte of the frames that only the broker sends.
pub mod kind {
    /// One or more batches of messages.
    pub const MESSAGES: u8 = super::batch::Kind::Messages as u8;
    /// The answer to a hello.
    pub const WELCOME: u8 = 0x11;
    /// Messages of the peer's own that are ordered, and durable as far as `--sync` says.
    pub const CONFIRM: u8 = 0x12;
    /// Something was refused, or the peer must know something.
    pub const REFUSAL: u8 = 0x13;
}

/// The layouts of the frames in this file, each stated once. All begin as
/// [`native::field`] says.
pub mod field {
    /// A [`super::Welcome`].
    pub mod welcome {
        use crate::wire::fields::Field;
        /// [`crate::wire::Epoch`].
        pub const EPOCH: Field = 4..8;
        /// [`crate::wire::LogId`].
        pub const LOG_ID: Field = 8..16;
        /// The first number that will be delivered.
        pub const BEGIN: Field = 16..24;
        /// The number that the next ordered message gets.
        pub const END: Field = 24..32;
        /// The last client sequence of the name that was ordered.
        pub const LAST_SEQUENCE: Field = 32..40;
        /// How many messages may be unconfirmed at a time.
        pub const PUBLISH_WINDOW: Field = 40..44;
        /// The most bytes a message can have.
        pub const LARGEST_MESSAGE: Field = 44..48;
    }

    /// Confirmations; that many runs follow, see [`crate::wire::sessions::run_field`].
    pub mod confirm {
        /// How many runs.
        pub const COUNT: crate::wire::fields::Field = 4..8;
    }

    /// A [`super::Refusal`]; the text follows.
    pub mod refusal {
        use crate::wire::fields::Field;
        /// [`super::super::Code`].
        pub const CODE: Field = 4..6;
        /// Bytes of the text.
        pub const TEXT_LENGTH: Field = 6..8;
        /// A number that belongs to the code.
        pub const DETAIL: Field = 8..16;
    }
}

/// Bytes of a welcome.
pub const WELCOME_LEN: usize = 48;
/// Option of a welcome: the name was known, its session goes on.
pub const WELCOME_RESUMED: u8 = 1;
/// Bytes of confirmations before the first run.
pub const CONFIRM_LEN: usize = 8;
/// Bytes of a refusal before its text.
pub const REFUSAL_LEN: usize = 16;

/// Everything that the broker says to a native peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BrokerMessage<'a> {
    /// One or more batches: read them with [`batch::records`].
    Messages(&'a [u8]),
    /// The answer to a hello.
    Welcome(Welcome),
    /// Confirmations, oldest first.
    Confirm(Vec<SequenceRun>),
    /// Something was refused, or the peer must know something.
    Refusal(Refusal<'a>),
    /// The peer's goodbye, heard: what it means is durable, and nothing more follows.
    Goodbye,
    /// "Are you there?"; to be answered by a pong.
    Ping,
    /// The answer to a ping.
    Pong,
}

/// The broker has opened, or gone on with, the session of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// Whether the name was known.
    pub resumed: bool,
    /// The broker's epoch.
    pub epoch: Epoch,
    /// Which log the order numbers belong to.
    pub log_id: LogId,
    /// The first number that will be delivered.
    pub begin: OrderNumber,
    /// The number that the next ordered message gets.
    pub end: OrderNumber,
    /// The last client sequence of this name that was ordered; the next publish has the next.
    pub last_sequence: ClientSequence,
    /// How many messages may be unconfirmed at a time.
    pub publish_window: u32,
    /// The most bytes a message can have.
    pub largest_message: u32,
}

/// What the broker did not do, or what the peer must know, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal<'a> {
    /// The reason.
    pub code: Code,
    /// A number that belongs to the reason, see [`Code`].
    pub detail: u64,
    /// The reason in words for a person.
    pub text: &'a str,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $value:literal, $key:literal;)*) => {
        /// Reasons for a refusal.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$doc])* $name,)*
            /// A reason of a broker newer than this program: its text is what there is to show.
            Unknown(u16),
        }

        impl Code {
            /// All codes that this program knows, in ascending order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The reason as a counter's or a log line's key.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $key,)*
                    Self::Unknown(_) => "unknown",
                }
            }

            /// The reason as it passes over the wire.
            #[must_use]
            pub fn number(self) -> u16 {
                match self {
                    $(Self::$name => $value,)*
                    Self::Unknown(number) => number,
                }
            }

            fn of(number: u16) -> Self {
                match number {
                    $($value => Self::$name,)*
                    _ => Self::Unknown(number),
                }
            }
        }
    };
}

codes! {
    /// The frame is not of the dialect; the text says how.
    Malformed = 1, "malformed";
    /// The peer has to say hello first.
    NoSession = 2, "no_session";
    /// Another connection has said this name; this one is over.
    Superseded = 3, "superseded";
    /// A client sequence was skipped. Detail: the one expected.
    SequenceGap = 4, "sequence_gap";
    /// A client sequence came again with another payload. Detail: the sequence.
    SequenceReused = 5, "sequence_reused";
    /// A message is larger than the broker takes. Detail: the most bytes.
    TooLarge = 6, "too_large";
    /// The disk is full; try again later. Detail: the first client sequence not ordered.
    NoSpace = 7, "no_space";
    /// An ACK beyond what was sent. Detail: the number that would have been right at most.
    AckAhead = 8, "ack_ahead";
    /// What comes next is no longer kept. Detail: the number from which on it is served.
    Trimmed = 9, "trimmed";
    /// The peer's position belongs to another log, or lies beyond this one's end.
    /// Detail: the number that the next ordered message gets.
    LogRegressed = 10, "log_regressed";
    /// The name belongs to another key, or the key may not do this.
    NotAllowed = 11, "not_allowed";
    /// A limit of the broker. The text says which.
    LimitReached = 12, "limit_reached";
    /// The session has ended: the peer was away longer than the broker waits.
    SessionEnded = 13, "session_ended";
    /// The broker is going down; what it has accepted it finishes.
    Closing = 14, "closing";
    /// An operator has ended the connection; the session stays.
    Removed = 15, "removed";
    /// What comes next cannot be read from the log, which is damaged there. Detail: its number.
    Damaged = 16, "damaged";
}

impl Welcome {
    /// The frame that says this.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut frame = prefix(kind::WELCOME, u8::from(self.resumed) * WELCOME_RESUMED);
        frame.extend_from_slice(&self.epoch.0.to_be_bytes());
        frame.extend_from_slice(&self.log_id.0.to_be_bytes());
        frame.extend_from_slice(&self.begin.0.to_be_bytes());
        frame.extend_from_slice(&self.end.0.to_be_bytes());
        frame.extend_from_slice(&self.last_sequence.0.to_be_bytes());
        frame.extend_from_slice(&self.publish_window.to_be_bytes());
        frame.extend_from_slice(&self.largest_message.to_be_bytes());
        frame
    }

    fn decode(frame: &[u8]) -> Result<Self, DecodeError> {
        exactly(frame, WELCOME_LEN)?;
        Ok(Self {
            resumed: read_u8(frame, native::field::OPTIONS)? & WELCOME_RESUMED != 0,
            epoch: Epoch(read_u32(frame, field::welcome::EPOCH)?),
            log_id: LogId(read_u64(frame, field::welcome::LOG_ID)?),
            begin: OrderNumber(read_u64(frame, field::welcome::BEGIN)?),
            end: OrderNumber(read_u64(frame, field::welcome::END)?),
            last_sequence: ClientSequence(read_u64(frame, field::welcome::LAST_SEQUENCE)?),
            publish_window: read_u32(frame, field::welcome::PUBLISH_WINDOW)?,
            largest_message: read_u32(frame, field::welcome::LARGEST_MESSAGE)?,
        })
    }
}

/// The frame that confirms these runs.
///
/// # Panics
/// If there are more than 4 billion runs, which the publish window rules out.
#[must_use]
pub fn confirm(runs: &[SequenceRun]) -> Vec<u8> {
    let count = u32::try_from(runs.len()).expect("bounded by the publish window");
    let mut frame = prefix(kind::CONFIRM, 0);
    frame.extend_from_slice(&count.to_be_bytes());
    for run in runs {
        run.encode(&mut frame);
    }
    frame
}

fn decode_confirm(frame: &[u8]) -> Result<Vec<SequenceRun>, DecodeError> {
    let count = read_u32(frame, field::confirm::COUNT)?;
    let (runs, rest) = split_items(&frame[CONFIRM_LEN..], count, RUN_LEN)?;
    exactly(rest, 0)?;
    runs.chunks_exact(RUN_LEN)
        .map(SequenceRun::decode)
        .collect()
}

impl<'a> Refusal<'a> {
    /// The frame that says this; a text too long for its field is cut at a character.
    ///
    /// # Panics
    /// Never: the text is cut to what its length field holds.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let text = &self.text[..self.text.floor_char_boundary(usize::from(u16::MAX))];
        let text_length = u16::try_from(text.len()).expect("cut to fit");
        let mut frame = prefix(kind::REFUSAL, 0);
        frame.extend_from_slice(&self.code.number().to_be_bytes());
        frame.extend_from_slice(&text_length.to_be_bytes());
        frame.extend_from_slice(&self.detail.to_be_bytes());
        frame.extend_from_slice(text.as_bytes());
        frame
    }

    fn decode(frame: &'a [u8]) -> Result<Self, DecodeError> {
        let code = read_u16(frame, field::refusal::CODE)?;
        let detail = read_u64(frame, field::refusal::DETAIL)?;
        exactly(
            frame,
            REFUSAL_LEN + usize::from(read_u16(frame, field::refusal::TEXT_LENGTH)?),
        )?;
        Ok(Self {
            code: Code::of(code),
            detail,
            text: str::from_utf8(&frame[REFUSAL_LEN..])
                .map_err(|_| DecodeError::FieldOutOfRange)?,
        })
    }
}

/// Decodes a frame from the broker. Of batches only the kind is looked at.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn decode(frame: &[u8]) -> Result<BrokerMessage<'_>, DecodeError> {
    if read_u8(frame, native::field::MAGIC)? != native::MAGIC
        || read_u8(frame, native::field::VERSION)? != VERSION
    {
        return Err(DecodeError::UnsupportedVersion);
    }
    match read_u8(frame, native::field::KIND)? {
        kind::MESSAGES => Ok(BrokerMessage::Messages(frame)),
        kind::WELCOME => Welcome::decode(frame).map(BrokerMessage::Welcome),
        kind::CONFIRM => decode_confirm(frame).map(BrokerMessage::Confirm),
        kind::REFUSAL => Refusal::decode(frame).map(BrokerMessage::Refusal),
        native::kind::GOODBYE => exactly(frame, PREFIX_LEN).map(|()| BrokerMessage::Goodbye),
        native::kind::PING => exactly(frame, PREFIX_LEN).map(|()| BrokerMessage::Ping),
        native::kind::PONG => exactly(frame, PREFIX_LEN).map(|()| BrokerMessage::Pong),
        _ => Err(DecodeError::UnexpectedKind),
    }
}

fn exactly(frame: &[u8], length: usize) -> Result<(), DecodeError> {
    match frame.len() {
        shorter if shorter < length => Err(DecodeError::Truncated),
        longer if longer > length => Err(DecodeError::Trailing),
        _ => Ok(()),
    }
}
