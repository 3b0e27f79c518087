//! The dialects, and which of them a frame is in.

use super::client_message::ClientMessage;
use super::error::DecodeError;
use super::{binary, json, native};

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

impl Dialect {
    /// Its number in what brokers write down.
    pub(super) fn number(self) -> u8 {
        match self {
            Self::Binary => 0,
            Self::Json => 1,
            Self::Raw => 2,
            Self::Native => 3,
        }
    }

    /// The dialect of a number.
    pub(super) fn of_number(number: u8) -> Result<Self, DecodeError> {
        match number {
            0 => Ok(Self::Binary),
            1 => Ok(Self::Json),
            2 => Ok(Self::Raw),
            3 => Ok(Self::Native),
            _ => Err(DecodeError::FieldOutOfRange),
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
