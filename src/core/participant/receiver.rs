//! Deliveries: in order, each once, and acknowledged.
//!
//! ```text
//!            acknowledged        processed     handed out      to come
//!  begin ─────────────────► acked ─────► processed ─────► next ─────────►
//! ```
//! Only what begins at or before `next` and goes beyond it is new. Whatever lies further ahead
//! is dropped, and the broker is asked to begin again at `processed`.

use std::collections::VecDeque;
use std::ops::Range;

use super::{Acknowledging, Limits, NotDelivered};
use crate::core::{Mutant, Time};
use crate::wire::batch::{Header, Kind};
use crate::wire::{DecodeError, LogId, OrderNumber};

/// How far deliveries are. Invariant: `acked <= processed <= next`.
#[derive(Debug)]
pub(super) struct Receiver {
    acknowledging: Acknowledging,
    /// The next number to hand out.
    next: OrderNumber,
    /// The first number that is not processed.
    processed: OrderNumber,
    /// The first number that the broker does not hold for processed, as far as we have told it.
    acked: OrderNumber,
    /// Frames handed out and not processed to their end.
    unprocessed: VecDeque<HandedOut>,
    /// Bytes and frames processed since the last acknowledgement.
    unacked_bytes: usize,
    unacked_frames: u32,
    ack: Ack,
}

#[derive(Clone, Copy, Debug)]
struct HandedOut {
    end: OrderNumber,
    bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ack {
    /// There is nothing to acknowledge.
    Idle,
    /// Something was processed; it waits for more until then.
    At(Time),
    /// As soon as something can be sent.
    Due,
}

/// What a frame of deliveries is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// These numbers in it are new, and now handed out.
    New(Range<OrderNumber>),
    /// All of it was handed out before.
    Old,
    /// Something before it is missing.
    Gap,
}

impl Receiver {
    /// Deliveries that begin with `begin`.
    pub(super) fn new(begin: OrderNumber, acknowledging: Acknowledging) -> Self {
        Self {
            acknowledging,
            next: begin,
            processed: begin,
            acked: begin,
            unprocessed: VecDeque::new(),
            unacked_bytes: 0,
            unacked_frames: 0,
            ack: Ack::Idle,
        }
    }

    /// The next number to hand out.
    pub(super) fn next(&self) -> OrderNumber {
        self.next
    }

    /// The first number that is not processed: where to resume.
    pub(super) fn processed(&self) -> OrderNumber {
        self.processed
    }

    /// The broker has heard where we are, and begins again with `begin`. Returns what it leaves
    /// out.
    pub(super) fn resumed(&mut self, begin: OrderNumber) -> Option<Range<OrderNumber>> {
        self.acked = self.processed;
        self.forget_unacked();
        self.skip_to(begin)
    }

    /// Everything before `oldest` is no longer kept. Returns what is missed by that.
    pub(super) fn skip_to(&mut self, oldest: OrderNumber) -> Option<Range<OrderNumber>> {
        if oldest <= self.next {
            return None;
        }
        let missed = self.next..oldest;
        if self.processed == self.next {
            self.processed = oldest;
            self.acked = oldest;
            self.forget_unacked();
        }
        self.next = oldest;
        Some(missed)
    }

    /// Takes a frame of deliveries, of which only the headers are looked at.
    pub(super) fn arrived(
        &mut self,
        now: Time,
        frame: &[u8],
        log_id: LogId,
        limits: &Limits,
    ) -> Result<Arrival, DecodeError> {
        let numbers = numbers(frame, log_id)?;
        if numbers.start > self.next && !Mutant::TakeBehindGap.lives() {
            return Ok(Arrival::Gap);
        }
        if numbers.end <= self.next {
            // The broker has not heard how far we are.
            self.acknowledge_now();
            return Ok(Arrival::Old);
        }
        let new = self.next..numbers.end;
        self.next = numbers.end;
        self.unprocessed.push_back(HandedOut {
            end: numbers.end,
            bytes: frame.len(),
        });
        if self.acknowledging == Acknowledging::OnDelivery {
            self.process(now, numbers.end, limits);
        }
        Ok(Arrival::New(new))
    }

    /// The application has processed everything up to and including `order`.
    pub(super) fn acknowledge(
        &mut self,
        now: Time,
        order: OrderNumber,
        limits: &Limits,
    ) -> Result<(), NotDelivered> {
        if order >= self.next {
            return Err(NotDelivered(order));
        }
        self.process(now, order.plus(1), limits);
        Ok(())
    }

    /// The next acknowledgement waits for nothing.
    pub(super) fn acknowledge_now(&mut self) {
        // Before the first message of all there is no number to say.
        if self.processed > OrderNumber(0) {
            self.ack = Ack::Due;
        }
    }

    /// Acknowledges now, if there is something that was not acknowledged.
    pub(super) fn flush(&mut self) {
        if self.acked < self.processed {
            self.acknowledge_now();
        }
    }

    /// The number to acknowledge, if it is time to.
    pub(super) fn next_ack(&mut self, now: Time) -> Option<OrderNumber> {
        let is_due = match self.ack {
            Ack::Idle => false,
            Ack::At(at) => at <= now,
            Ack::Due => true,
        };
        let order = self.processed.0.checked_sub(1).map(OrderNumber)?;
        is_due.then(|| {
            self.acked = self.processed;
            self.forget_unacked();
            order
        })
    }

    /// Whether an acknowledgement should not wait.
    pub(super) fn is_ack_due(&self) -> bool {
        self.ack == Ack::Due
    }

    /// When to acknowledge.
    pub(super) fn deadline(&self) -> Option<Time> {
        match self.ack {
            Ack::Idle => None,
            Ack::At(at) => Some(at),
            Ack::Due => Some(Time::default()),
        }
    }

    fn process(&mut self, now: Time, end: OrderNumber, limits: &Limits) {
        if end <= self.processed {
            return;
        }
        self.processed = end;
        while let Some(first) = self.unprocessed.front()
            && first.end <= end
        {
            self.unacked_bytes += first.bytes;
            self.unacked_frames += 1;
            self.unprocessed.pop_front();
        }
        let enough = self.unacked_bytes >= limits.ack_bytes
            || self.unacked_frames >= limits.ack_frames
            || self.processed.since(self.acked) >= limits.ack_messages;
        if enough {
            self.ack = Ack::Due;
        } else if self.ack == Ack::Idle {
            self.ack = Ack::At(now + limits.ack_delay);
        }
    }

    fn forget_unacked(&mut self) {
        self.unacked_bytes = 0;
        self.unacked_frames = 0;
        self.ack = Ack::Idle;
    }
}

/// The numbers in a frame of one or more batches of one log, without a gap between them.
fn numbers(frame: &[u8], log_id: LogId) -> Result<Range<OrderNumber>, DecodeError> {
    let first = Header::decode(frame)?.first;
    let mut end = first;
    let mut rest = frame;
    while !rest.is_empty() {
        let header = Header::decode(rest)?;
        let follows = header.first == end && header.log_id == log_id;
        if header.kind != Kind::Messages || !follows {
            return Err(DecodeError::FieldOutOfRange);
        }
        end = header.end();
        rest = &rest[header.length..];
    }
    Ok(first..end)
}
