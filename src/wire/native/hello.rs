//! How a native peer comes and goes: the hello and the goodbye.

use super::layout::{
    ATTEMPT_LEN, GOODBYE_KEEP, HELLO_ATTEMPT, HELLO_LEN, HELLO_OBSERVE, HELLO_RECEIVE, field, kind,
    prefix, start,
};
use crate::wire::error::DecodeError;
use crate::wire::fields::{read_u8, read_u16, read_u32, read_u64};
use crate::wire::{LogId, Name, OrderNumber};

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

/// Which connection of which client a hello was said on. Among several brokers a hello can be
/// ordered after one that the same client said later, and must not take the session from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Drawn at random by each client when it begins.
    pub life: u64,
    /// Which of its connections this is, from 1; those with a lower number are over.
    pub number: u32,
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
    /// Whether it only reads: it has no session, no notice tells of it, and it publishes nothing.
    /// Its name is for the broker's log. Only together with `receive`.
    pub observe: bool,
    /// The log that `start` and its earlier deliveries refer to; 0 if it has seen none.
    pub log_id: LogId,
    /// Which of its connections this is; `None` if it knows one broker only.
    pub attempt: Option<Attempt>,
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
        let receive = u8::from(self.receive) * HELLO_RECEIVE;
        let observe = u8::from(self.observe) * HELLO_OBSERVE;
        let attempt = u8::from(self.attempt.is_some()) * HELLO_ATTEMPT;
        let mut frame = prefix(kind::HELLO, receive | attempt | observe);
        frame.extend_from_slice(&[start, 0, 0, name_length]);
        frame.extend_from_slice(&number.to_be_bytes());
        frame.extend_from_slice(&self.log_id.0.to_be_bytes());
        frame.extend_from_slice(name);
        if let Some(attempt) = self.attempt {
            frame.extend_from_slice(&attempt.life.to_be_bytes());
            frame.extend_from_slice(&attempt.number.to_be_bytes());
        }
        frame
    }

    pub(super) fn decode(frame: &[u8]) -> Result<Self, DecodeError> {
        let options = read_u8(frame, field::OPTIONS)?;
        let number = read_u64(frame, field::hello::NUMBER)?;
        let log_id = LogId(read_u64(frame, field::hello::LOG_ID)?);
        let reserved = read_u16(frame, field::hello::RESERVED)?;
        let receive = options & HELLO_RECEIVE != 0;
        let observe = options & HELLO_OBSERVE != 0;
        let is_known = options & !(HELLO_RECEIVE | HELLO_ATTEMPT | HELLO_OBSERVE) == 0;
        if !is_known || observe && !receive || reserved != 0 {
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
        let rest = &frame[HELLO_LEN..];
        let name_length = usize::from(read_u8(frame, field::hello::NAME_LENGTH)?);
        let (name, rest) = (rest.split_at_checked(name_length)).ok_or(DecodeError::Truncated)?;
        let attempt = (options & HELLO_ATTEMPT != 0)
            .then(|| Attempt::decode(rest))
            .transpose()?;
        if rest.len() > attempt.map_or(0, |_| ATTEMPT_LEN) {
            return Err(DecodeError::Trailing);
        }
        let name = Name::new(name).map_err(|_| DecodeError::BadName)?;
        Ok(Self {
            name,
            start,
            receive,
            observe,
            log_id,
            attempt,
        })
    }
}

impl Attempt {
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        Ok(Self {
            life: read_u64(bytes, field::hello::LIFE)?,
            number: read_u32(bytes, field::hello::ATTEMPT)?,
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
