//! The binary dialect: one frame with an order number of 256 bits, an ACK flag and a payload.
//!
//! ```text
//!  0              24             32     33
//!  | sign (24)    | number (8)   | flag | payload ...
//!  | order number, signed (32)   |
//! ```
//!
//! The order number is big-endian and in two's complement. orden takes -2^63 to 2^64 - 1, so
//! the first 24 bytes are all 0x00 or all 0xFF; a larger number is refused, never cut to its
//! low bytes. The plain TCP dialect, [`super::raw`], has the same bytes without framing.

use super::fields::{Field, put, read_u8, read_u64};
use super::rendering::Parts;
use super::{Acked, ClientMessage, DecodeError, OrderNumber};

/// The layout of a frame's header, stated once.
pub mod field {
    use super::Field;
    /// [`super::OrderNumber`], signed; -1 in an ACK says "nothing".
    pub const ORDER: Field = 0..32;
    /// The bytes of the order number that only repeat its sign.
    pub const ORDER_SIGN: Field = 0..24;
    /// The bytes of the order number that hold its value.
    pub const ORDER_VALUE: Field = 24..32;
    /// [`super::MESSAGE`] or [`super::ACK`].
    pub const FLAG: Field = 32..33;
}

/// Bytes before the payload; also the length of an ACK.
pub const HEADER_LEN: usize = 33;
/// The flag of a message.
pub const MESSAGE: u8 = 0;
/// The flag of an ACK.
pub const ACK: u8 = 1;

/// Decodes one frame from a peer.
///
/// The order number of a message means nothing, as its sender cannot know it, but it has to be
/// in range. An ACK is its header and nothing more: text behind one would be lost in silence.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn decode(frame: &[u8]) -> Result<ClientMessage<'_>, DecodeError> {
    let flag = read_u8(frame, field::FLAG)?;
    let order = order_of(frame)?;
    match flag {
        MESSAGE => Ok(ClientMessage::Text(frame[HEADER_LEN..].into())),
        ACK if frame.len() > HEADER_LEN => Err(DecodeError::Trailing),
        ACK => acked(order).map(ClientMessage::Ack),
        _ => Err(DecodeError::BadFlag),
    }
}

/// Decodes one frame from the broker: a message and its place in the order.
///
/// # Errors
/// The first thing that is wrong with it; a broker sends no ACKs.
pub fn decode_delivery(frame: &[u8]) -> Result<(OrderNumber, &[u8]), DecodeError> {
    let flag = read_u8(frame, field::FLAG)?;
    let order = u64::try_from(order_of(frame)?).map_err(|_| DecodeError::OrderOutOfRange)?;
    match flag {
        MESSAGE => Ok((OrderNumber(order), &frame[HEADER_LEN..])),
        ACK => Err(DecodeError::UnexpectedKind),
        _ => Err(DecodeError::BadFlag),
    }
}

/// Appends the frame of a message. It grows `into` at most once.
///
/// A peer that publishes may give any number: the broker passes over it.
pub fn encode_message(order: OrderNumber, payload: Parts<'_>, into: &mut Vec<u8>) {
    into.reserve(HEADER_LEN + payload.iter().map(|part| part.len()).sum::<usize>());
    into.extend_from_slice(&header(Acked::UpTo(order), MESSAGE));
    for part in payload {
        into.extend_from_slice(part);
    }
}

/// The frame that acknowledges.
#[must_use]
pub fn encode_ack(acked: Acked) -> [u8; HEADER_LEN] {
    header(acked, ACK)
}

/// What an ACK of this number says.
pub(super) fn acked(order: i128) -> Result<Acked, DecodeError> {
    match u64::try_from(order) {
        Ok(order) => Ok(Acked::UpTo(OrderNumber(order))),
        Err(_) if order == -1 => Ok(Acked::Nothing),
        Err(_) => Err(DecodeError::OrderOutOfRange),
    }
}

/// Whether 64 bits, signed or not, hold the number.
pub(super) fn in_range(order: i128) -> bool {
    (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&order)
}

fn order_of(frame: &[u8]) -> Result<i128, DecodeError> {
    let sign = frame.get(field::ORDER_SIGN).ok_or(DecodeError::Truncated)?;
    let value = read_u64(frame, field::ORDER_VALUE)?;
    let order = match sign.first() {
        Some(0x00) if sign.iter().all(|&byte| byte == 0x00) => i128::from(value),
        Some(0xFF) if sign.iter().all(|&byte| byte == 0xFF) => i128::from(value) - (1 << 64),
        _ => return Err(DecodeError::OrderOutOfRange),
    };
    if in_range(order) {
        Ok(order)
    } else {
        Err(DecodeError::OrderOutOfRange)
    }
}

fn header(order: Acked, flag: u8) -> [u8; HEADER_LEN] {
    let mut header = [0; HEADER_LEN];
    match order {
        Acked::Nothing => put(&mut header, field::ORDER, &[0xFF; 32]),
        Acked::UpTo(order) => put(&mut header, field::ORDER_VALUE, &order.0.to_be_bytes()),
    }
    put(&mut header, field::FLAG, &[flag]);
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame with the 256-bit number `high * 2^64 + low`, `high` repeated in every sign byte.
    fn frame(high: u8, low: u64, flag: u8, payload: &[u8]) -> Vec<u8> {
        [&[high; 24], &low.to_be_bytes()[..], &[flag], payload].concat()
    }

    #[test]
    fn a_message_is_as_the_protocol_shows_it() {
        let mut bytes = b"before".to_vec();
        encode_message(OrderNumber(17), [b"ana", b": ", b"hola"], &mut bytes);
        assert_eq!(
            bytes,
            [b"before", &frame(0, 17, 0, b"ana: hola")[..]].concat()
        );
        let (order, payload) = decode_delivery(&bytes[6..]).unwrap();
        assert_eq!((order, payload), (OrderNumber(17), &b"ana: hola"[..]));
        let heard = decode(&bytes[6..]).unwrap();
        assert_eq!(heard, ClientMessage::Text(b"ana: hola"[..].into()));
    }

    #[test]
    fn an_ack_is_exactly_33_bytes() {
        assert_eq!(
            encode_ack(Acked::Nothing)[..],
            frame(0xFF, u64::MAX, 1, b"")
        );
        let ack = Acked::UpTo(OrderNumber(u64::MAX));
        assert_eq!(encode_ack(ack)[..], frame(0, u64::MAX, 1, b""));
        assert_eq!(decode(&encode_ack(ack)), Ok(ClientMessage::Ack(ack)));
        assert_eq!(decode(&frame(0, 5, 1, b"x")), Err(DecodeError::Trailing));
    }

    #[test]
    fn numbers_beyond_64_bits_are_never_cut() {
        let mut two_to_the_64_plus_5 = frame(0, 5, 1, b"");
        two_to_the_64_plus_5[23] = 1;
        let mut most_negative = frame(0, 0, 1, b"");
        most_negative[0] = 0x80;
        for bad in [
            two_to_the_64_plus_5,
            most_negative,
            frame(0xFF, 0, 1, b""),               // -2^64
            frame(0xFF, i64::MAX as u64, 0, b""), // -2^63 - 1, in a message
            frame(0xFF, u64::MAX - 1, 1, b""),    // -2, in an ACK
        ] {
            assert_eq!(decode(&bad), Err(DecodeError::OrderOutOfRange), "{bad:?}");
        }
    }

    #[test]
    fn the_number_in_a_message_from_a_peer_is_ignored() {
        for (high, low) in [(0, 0), (0, u64::MAX), (0xFF, u64::MAX), (0xFF, 1 << 63)] {
            let text = ClientMessage::Text(b"x"[..].into());
            assert_eq!(decode(&frame(high, low, 0, b"x")), Ok(text));
        }
        let negative = frame(0xFF, u64::MAX, 0, b"x");
        assert_eq!(
            decode_delivery(&negative),
            Err(DecodeError::OrderOutOfRange)
        );
    }

    #[test]
    fn short_frames_and_odd_flags_are_refused() {
        for length in 0..HEADER_LEN {
            assert_eq!(decode(&vec![0; length]), Err(DecodeError::Truncated));
            assert_eq!(
                decode_delivery(&vec![0; length]),
                Err(DecodeError::Truncated)
            );
        }
        for flag in 2..=255 {
            assert_eq!(decode(&frame(0, 0, flag, b"")), Err(DecodeError::BadFlag));
        }
        let ack = encode_ack(Acked::UpTo(OrderNumber(0)));
        assert_eq!(decode_delivery(&ack), Err(DecodeError::UnexpectedKind));
    }
}
