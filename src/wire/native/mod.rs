//! The native dialect, from the peer to the broker. What the broker answers is in [`super::reply`].
//!
//! Every frame begins `magic, version, kind, options`; integers are big-endian.
//!
//! ```text
//!  hello    | O 1 01 options | start | 0 (2) | name length | number (8) | log id (8) | name |
//!                                with option 2 then | life (8) | attempt (4) |
//!  publish  | O 1 02 0       | count (4)    | first client sequence (8) | messages |
//!  ack      | O 1 03 0       | 0 (4)        | order number (8) |
//!  goodbye  | O 1 04 options |
//!  ping     | O 1 05 0       |
//!  pong     | O 1 06 0       |
//! ```
//! A message of a publish is its length (4) and its payload.

mod hello;
mod layout;
mod publish;

use super::client_message::{Acked, ClientMessage};
use super::error::DecodeError;
use super::fields::{read_u8, read_u32, read_u64};
use super::numbers::OrderNumber;

pub use hello::{Attempt, Goodbye, Hello, Start};
pub(super) use layout::prefix;
pub use layout::{
    ACK_LEN, ATTEMPT_LEN, GOODBYE_KEEP, HELLO_ATTEMPT, HELLO_LEN, HELLO_OBSERVE, HELLO_RECEIVE,
    MAGIC, PREFIX_LEN, PUBLISH_LEN, PUBLISH_MESSAGE_LEN, VERSION, field, kind, start,
};
pub use publish::{Publish, PublishFrame};

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
