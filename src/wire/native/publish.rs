//! Messages on their way to be ordered: the native dialect's publish frame.
//!
//! A peer packs as many as it has at hand into one frame, and numbers them itself, so that a
//! frame sent twice is ordered once.

use super::layout::field::publish as field;
use super::layout::{PUBLISH_LEN, kind, prefix};
use crate::wire::fields::{read_u32, read_u64, split_items};
use crate::wire::{ClientSequence, DecodeError};

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
    pub(super) fn decode(frame: &'a [u8]) -> Result<Self, DecodeError> {
        let count = read_u32(frame, field::COUNT)?;
        let first = ClientSequence(read_u64(frame, field::SEQUENCE)?);
        Self::of_parts(first, count, &frame[PUBLISH_LEN..])
    }

    /// Messages that were taken out of a frame, as they stand in a record of the stream.
    pub(in crate::wire) fn of_parts(
        first: ClientSequence,
        count: u32,
        messages: &'a [u8],
    ) -> Result<Self, DecodeError> {
        let in_range = first.0 != 0 && count != 0;
        if !in_range || first.checked_plus(u64::from(count)).is_none() {
            return Err(DecodeError::FieldOutOfRange);
        }
        let mut rest = messages;
        for _ in 0..count {
            (_, rest) = split_payload(rest)?;
        }
        let publish = Self {
            first,
            count,
            messages,
        };
        rest.is_empty()
            .then_some(publish)
            .ok_or(DecodeError::Trailing)
    }

    /// Length and payload of each message, as they lie in the frame.
    pub(in crate::wire) fn messages(&self) -> &'a [u8] {
        self.messages
    }

    /// The first messages of these as far as they take at most `most` bytes, but at least one,
    /// and what is left.
    #[must_use]
    pub fn split(&self, most: usize) -> (Self, Option<Self>) {
        let (mut count, mut rest) = (0, self.messages);
        while let Ok((_, after)) = split_payload(rest) {
            if count > 0 && self.messages.len() - after.len() > most {
                break;
            }
            count += 1;
            rest = after;
        }
        let taken = self.messages.len() - rest.len();
        let head = Self {
            first: self.first,
            count,
            messages: &self.messages[..taken],
        };
        let tail = Self {
            first: ClientSequence(self.first.0 + u64::from(count)),
            count: self.count - count,
            messages: rest,
        };
        (head, (tail.count > 0).then_some(tail))
    }

    /// Bytes of all payloads and of their lengths.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.messages.len()
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
    let length = read_u32(messages, field::MESSAGE_LENGTH)?;
    split_items(&messages[field::MESSAGE_LENGTH.end..], length, 1)
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
        self.bytes[field::COUNT].copy_from_slice(&self.count.to_be_bytes());
        self.bytes
    }
}
