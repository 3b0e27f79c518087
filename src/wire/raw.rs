//! The raw dialect: the binary dialect's bytes over plain TCP, as the original `client.py`
//! speaks it, without framing.
//!
//! One `send` of the peer is one message, but TCP may glue sends together or split them. What a
//! message begins with is recognisable: the sign of its order number, 24 bytes that are all 0x00
//! or all 0xFF, which text never holds. So an ACK ends after its header, and a text ends where
//! the next header begins or where the bytes read so far end.

use super::binary::{self, ACK, HEADER_LEN, field};
use super::rendering::{Fidelity, Parts};
use super::{DecodeError, OrderNumber};

/// The most bytes of a message to a peer, header included: it takes what one `recv(2048)` gives
/// for one message.
pub const LIMIT: usize = 2048;
/// What a message ends with that had to be cut to [`LIMIT`].
pub const CUT_MARK: &str = "…";

/// Bytes that tell the beginning of a header.
const SIGN_LEN: usize = field::ORDER_SIGN.end;

/// Cuts what one connection sends into frames of the binary dialect.
///
/// Feed it what was read, then take frames until there are none: what it keeps between the two
/// is the beginning of a header, always less than a whole one.
#[derive(Debug, Default)]
pub struct Splitter {
    read: Vec<u8>,
    taken: usize,
    /// Whether the last bytes taken belonged to no header: they are reported only once.
    lost: bool,
}

impl Splitter {
    /// A splitter for a connection of which nothing has been read.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes as they were read.
    pub fn feed(&mut self, read: &[u8]) {
        self.read.drain(..self.taken);
        self.taken = 0;
        self.read.extend_from_slice(read);
    }

    /// The next frame, for [`binary::decode`]; `None` until more is read.
    ///
    /// [`DecodeError::NoHeader`] is said once for bytes that belong to no frame, however many
    /// they are; the next frame comes after them.
    pub fn next_frame(&mut self) -> Option<Result<&[u8], DecodeError>> {
        let rest = &self.read[self.taken..];
        let stray = header_place(rest);
        self.taken += stray;
        if stray > 0 && !std::mem::replace(&mut self.lost, true) {
            return Some(Err(DecodeError::NoHeader));
        }
        let rest = &self.read[self.taken..];
        let length = match rest.get(field::FLAG)? {
            [ACK] => HEADER_LEN,
            _ => HEADER_LEN + header_place(&rest[HEADER_LEN..]),
        };
        self.lost = false;
        self.taken += length;
        Some(Ok(&rest[..length]))
    }

    /// Says what is left when the connection has ended: nothing, or a header cut short.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] if there is the beginning of a header.
    pub fn finish(&self) -> Result<(), DecodeError> {
        if self.taken == self.read.len() {
            Ok(())
        } else {
            Err(DecodeError::Truncated)
        }
    }
}

/// Where in `bytes` a header begins, or could turn out to begin once more is read.
///
/// Looks at each byte at most [`SIGN_LEN`] times: a peer that sends a long run of zeros must not
/// cost more than one that sends text.
fn header_place(bytes: &[u8]) -> usize {
    let mut place = 0;
    while let Some(&first) = bytes.get(place) {
        let run = bytes[place..].iter().take(SIGN_LEN);
        let run = run.take_while(|&&byte| byte == first).count();
        let goes_on = run == SIGN_LEN || place + run == bytes.len();
        if matches!(first, 0x00 | 0xFF) && goes_on {
            return place;
        }
        place += run;
    }
    place
}

/// Appends a message for a peer. One longer than [`LIMIT`] is cut, at a character, and ends with
/// [`CUT_MARK`]: the peer would take the rest for another message.
pub fn encode_message(order: OrderNumber, payload: Parts<'_>, into: &mut Vec<u8>) -> Fidelity {
    let start = into.len();
    binary::encode_message(order, payload, into);
    if into.len() - start <= LIMIT {
        return Fidelity::Exact;
    }
    let end = start + LIMIT - CUT_MARK.len();
    // A character has at most three bytes after its first; more are no UTF-8 in any case.
    let back = (0..4).find(|back| !is_continuation(into[end - back]));
    into.truncate(end - back.unwrap_or(0));
    into.extend_from_slice(CUT_MARK.as_bytes());
    Fidelity::Cut
}

fn is_continuation(byte: u8) -> bool {
    byte & 0b1100_0000 == 0b1000_0000
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Acked, ClientMessage};

    fn ack(order: u64) -> Vec<u8> {
        binary::encode_ack(Acked::UpTo(OrderNumber(order))).to_vec()
    }

    fn text(order: u64, text: &str) -> Vec<u8> {
        let mut frame = Vec::new();
        binary::encode_message(OrderNumber(order), [text.as_bytes(), b"", b""], &mut frame);
        frame
    }

    fn feed(splitter: &mut Splitter, read: &[u8]) -> Vec<Result<Vec<u8>, DecodeError>> {
        splitter.feed(read);
        let mut frames = Vec::new();
        while let Some(frame) = splitter.next_frame() {
            frames.push(frame.map(<[u8]>::to_vec));
        }
        assert!(splitter.read.len() - splitter.taken < HEADER_LEN);
        frames
    }

    #[test]
    fn glued_sends_come_apart() {
        let nothing = binary::encode_ack(Acked::Nothing).to_vec();
        let sends = [
            nothing,
            text(0, "ana: hola"),
            ack(0),
            ack(300),
            text(7, ""),
            text(0, "ana: ñ"),
        ];
        let frames = feed(&mut Splitter::new(), &sends.concat());
        assert_eq!(frames, sends.map(Ok));
    }

    #[test]
    fn a_text_ends_where_the_bytes_read_so_far_end() {
        let mut splitter = Splitter::new();
        let whole = text(0, "ana: hola");
        assert_eq!(
            feed(&mut splitter, &whole[..36]),
            [Ok(whole[..36].to_vec())]
        );
        assert_eq!(feed(&mut splitter, b": ho"), [Err(DecodeError::NoHeader)]);
        assert_eq!(feed(&mut splitter, b"la"), []);
        assert_eq!(feed(&mut splitter, &ack(3)), [Ok(ack(3))]);
        assert_eq!(feed(&mut splitter, b"la"), [Err(DecodeError::NoHeader)]);
    }

    #[test]
    fn a_header_cut_anywhere_is_kept() {
        let stream = [text(0, "ana: hola"), ack(1 << 60)].concat();
        for cut in text(0, "ana: hola").len()..stream.len() {
            let mut splitter = Splitter::new();
            let before = feed(&mut splitter, &stream[..cut]);
            assert_eq!(before, [Ok(text(0, "ana: hola"))], "cut at {cut}");
            assert_eq!(splitter.finish().is_err(), cut > 42);
            assert_eq!(feed(&mut splitter, &stream[cut..]), [Ok(ack(1 << 60))]);
            assert_eq!(splitter.finish(), Ok(()));
        }
    }

    #[test]
    fn zeros_that_were_no_header_after_all_are_reported() {
        let mut splitter = Splitter::new();
        assert_eq!(feed(&mut splitter, &[0; 20]), []);
        assert_eq!(feed(&mut splitter, b"x"), [Err(DecodeError::NoHeader)]);
        assert_eq!(feed(&mut splitter, &text(0, "y")), [Ok(text(0, "y"))]);
    }

    #[test]
    fn any_chunking_of_glued_acks_gives_the_same_acks() {
        let acks: Vec<_> = [0, 1, 255, 256, 1 << 40, u64::MAX].map(ack).into();
        let stream = acks.concat();
        for size in 1..=stream.len() {
            let mut splitter = Splitter::new();
            let frames = stream
                .chunks(size)
                .flat_map(|chunk| feed(&mut splitter, chunk));
            let frames: Vec<_> = frames.map(Result::unwrap).collect();
            assert_eq!(frames, acks, "in chunks of {size}");
        }
    }

    #[test]
    fn a_message_too_long_is_cut_at_a_character() {
        for filler in 0..5 {
            let name = "a".repeat(filler);
            let long = "…".repeat(700);
            let mut frame = b"before".to_vec();
            let parts = [name.as_bytes(), b": ", long.as_bytes()];
            assert_eq!(
                encode_message(OrderNumber(9), parts, &mut frame),
                Fidelity::Cut
            );
            assert!((LIMIT - 3..=LIMIT).contains(&(frame.len() - 6)));
            let shown = str::from_utf8(&frame[6 + HEADER_LEN..]).unwrap();
            assert!(format!("{name}: {long}").starts_with(shown) && shown.ends_with(CUT_MARK));
        }
    }

    #[test]
    fn a_message_that_just_fits_is_left_alone() {
        let fits = vec![0x80; LIMIT - HEADER_LEN];
        let mut frame = Vec::new();
        assert_eq!(
            encode_message(OrderNumber(9), [&fits, b"", b""], &mut frame),
            Fidelity::Exact
        );
        assert_eq!(
            binary::decode(&frame),
            Ok(ClientMessage::Text(fits.as_slice().into()))
        );
        frame.clear();
        assert_eq!(
            encode_message(OrderNumber(9), [&fits, b"x", b""], &mut frame),
            Fidelity::Cut
        );
        assert_eq!(frame.len(), LIMIT);
    }
}
