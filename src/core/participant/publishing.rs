//! Publishes on their way to be ordered: packed, sent, repeated until confirmed.
//!
//! ```text
//!        confirmed          unconfirmed: `sealed`        not packed yet: `open`
//!  ──────────────► confirmed ──── sent ──► cursor ────────────► last
//! ```
//! Loss is mended by going back: to the first unconfirmed frame when no confirmation comes, to
//! the frame the broker asks for when it has noticed a gap. What arrives twice the broker knows
//! by its client sequence, and confirms with the number it got the first time.

use std::collections::VecDeque;
use std::time::Duration;

use super::retry::Retry;
use super::{Ending, Limits, Numbering, PublishError};
use crate::core::Time;
use crate::wire::ClientSequence;
use crate::wire::native::{PUBLISH_LEN, PUBLISH_MESSAGE_LEN, PublishFrame};
use crate::wire::reply::Welcome;
use crate::wire::sessions::SequenceRun;

/// What the broker lets a frame have besides its largest message.
const FRAME_OVERHEAD: usize = 64 << 10;

/// The publishing half of a participant, from its first welcome on.
/// Invariant: `confirmed <= sent <= last`, and `sealed`, then `open`, hold exactly the messages
/// after `confirmed`, save for those of a frame that is confirmed in part.
#[derive(Debug)]
pub(super) struct Publishing {
    /// Everything up to here is confirmed.
    confirmed: ClientSequence,
    /// The highest that was ever sent.
    sent: ClientSequence,
    /// The last that was given out.
    last: ClientSequence,
    /// Up to here everything was ordered before this program started, too long ago to ask.
    ordered_before: ClientSequence,
    /// Up to here the broker knew messages when it first welcomed us.
    known: ClientSequence,
    window: u32,
    /// The most bytes of a message, and of a frame with more than one.
    largest: usize,
    frame_bytes: usize,
    open: Option<PublishFrame>,
    sealed: VecDeque<Sealed>,
    /// Bytes of the messages in `open` and `sealed`.
    bytes: usize,
    /// How many of `sealed` are sent and not taken for lost.
    cursor: usize,
    /// How many of them may be: after silence, sending begins with one and doubles.
    allowance: usize,
    pace: Pace,
    /// Where a gap led back to: the frames behind it complain about the same gap.
    went_back_to: Option<ClientSequence>,
    no_space_after: Duration,
}

/// A complete frame.
#[derive(Debug)]
struct Sealed {
    /// The last one before it.
    before: ClientSequence,
    last: ClientSequence,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    /// Nothing is on its way.
    Idle,
    /// Unless something is confirmed before, the first unconfirmed frame is sent again.
    Waiting(Retry),
    /// The broker's disk was full: nothing is sent until then.
    Paused(Time),
}

impl Publishing {
    /// What follows from the first welcome.
    pub(super) fn new(
        welcome: &Welcome,
        numbering: Numbering,
        limits: &Limits,
    ) -> Result<Self, Ending> {
        let known = welcome.last_sequence;
        let first = match numbering {
            Numbering::GoOn => ClientSequence(known.0.saturating_add(1)),
            Numbering::From(first) => first,
        };
        let Some(before) = first.0.checked_sub(1).filter(|&before| before <= known.0) else {
            let expected = ClientSequence(known.0.saturating_add(1));
            return Err(Ending::SequenceAhead { expected, first });
        };
        let before = ClientSequence(before);
        let window = u64::from(welcome.publish_window);
        Ok(Self {
            confirmed: before,
            sent: before,
            last: before,
            ordered_before: ClientSequence(known.0.saturating_sub(window)),
            known,
            window: welcome.publish_window,
            largest: largest(welcome),
            frame_bytes: frame_bytes(welcome, limits),
            open: None,
            sealed: VecDeque::new(),
            bytes: 0,
            cursor: 0,
            allowance: usize::MAX,
            pace: Pace::Idle,
            went_back_to: None,
            no_space_after: limits.no_space_retry,
        })
    }

    /// A later welcome: everything that is unconfirmed is sent again.
    pub(super) fn resumed(&mut self, welcome: &Welcome, limits: &Limits) -> Result<(), Ending> {
        let theirs = welcome.last_sequence;
        if theirs < self.confirmed {
            let expected = ClientSequence(theirs.0.saturating_add(1));
            return Err(Ending::ConfirmedLost { expected });
        }
        if theirs > self.last.max(self.known) {
            return Err(Ending::SequencesTaken(theirs));
        }
        self.window = welcome.publish_window;
        self.largest = largest(welcome);
        self.frame_bytes = frame_bytes(welcome, limits);
        self.go_back(0, usize::MAX);
        self.pace = Pace::Idle;
        self.no_space_after = limits.no_space_retry;
        Ok(())
    }

    /// Takes a message; returns its client sequence, and whether it is old enough not to be
    /// sent at all.
    pub(super) fn publish(
        &mut self,
        payload: &[u8],
        limits: &Limits,
    ) -> Result<(ClientSequence, Fate), PublishError> {
        if payload.len() > self.largest {
            let most = self.largest;
            return Err(PublishError::TooLarge { most });
        }
        let sequence = self.last.checked_plus(1).ok_or(PublishError::Over)?;
        if sequence <= self.ordered_before {
            self.confirmed = sequence;
            self.sent = sequence;
            self.last = sequence;
            return Ok((sequence, Fate::OrderedBefore));
        }
        let unconfirmed = self.last.0 - self.confirmed.0;
        let too_many = self.repeatable() >= u64::from(self.window);
        let length = PUBLISH_MESSAGE_LEN + payload.len();
        let too_long = unconfirmed > 0 && self.bytes + length > limits.unconfirmed_bytes;
        if too_many || too_long {
            return Err(PublishError::WindowFull);
        }
        let is_full = |frame: &PublishFrame| {
            frame.count() >= limits.frame_messages || frame.len() + length > self.frame_bytes
        };
        if self.open.as_ref().is_some_and(is_full) {
            self.seal();
        }
        let open = self.open.get_or_insert_with(|| PublishFrame::new(sequence));
        open.push(payload);
        self.bytes += length;
        self.last = sequence;
        Ok((sequence, Fate::ToSend))
    }

    /// Whether everything that was taken is confirmed.
    pub(super) fn is_done(&self) -> bool {
        self.confirmed == self.last
    }

    /// The last client sequence that was given out.
    pub(super) fn last(&self) -> ClientSequence {
        self.last
    }

    /// Everything up to this client sequence is confirmed.
    pub(super) fn confirmed_up_to(&self) -> ClientSequence {
        self.confirmed
    }

    /// The frame to send next, which counts as sent.
    pub(super) fn next_frame(&mut self, now: Time, limits: &Limits) -> Option<&[u8]> {
        match &mut self.pace {
            Pace::Paused(until) if *until > now => return None,
            Pace::Paused(_) => self.pace = Pace::Idle,
            Pace::Waiting(retry) if retry.is_due(now) => {
                retry.tried(now, limits.publish_retry_most);
                self.go_back(0, 1);
            }
            Pace::Waiting(_) | Pace::Idle => {}
        }
        if self.cursor >= self.allowance {
            return None;
        }
        if self.cursor == self.sealed.len() {
            self.seal();
        }
        let frame = self.sealed.get(self.cursor)?;
        self.cursor += 1;
        self.sent = self.sent.max(frame.last);
        if self.pace == Pace::Idle {
            self.pace = Pace::Waiting(waiting(now, limits));
        }
        Some(&frame.bytes)
    }

    /// The broker confirms; returns what of it is news.
    ///
    /// Confirmations count in order only: what lies behind one that was lost is confirmed again
    /// when the lost one's frame is repeated.
    pub(super) fn confirm(
        &mut self,
        now: Time,
        run: SequenceRun,
        limits: &Limits,
    ) -> Option<SequenceRun> {
        let last = ClientSequence(run.sequence.0 + u64::from(run.count) - 1);
        let next = ClientSequence(self.confirmed.0 + 1);
        if run.sequence > next || last < next || last > self.sent {
            return None;
        }
        let known = next.0 - run.sequence.0;
        let count = u32::try_from(last.0 - self.confirmed.0).unwrap_or(run.count);
        self.confirmed = last;
        while let Some(first) = self.sealed.front()
            && first.last <= last
        {
            self.bytes -= first.bytes.len() - PUBLISH_LEN;
            self.sealed.pop_front();
            self.cursor = self.cursor.saturating_sub(1);
        }
        self.allowance = self.allowance.saturating_mul(2);
        self.went_back_to = None;
        // What is confirmed during a pause was ordered before it.
        if !self.is_paused() {
            self.no_space_after = limits.no_space_retry;
            self.pace = match self.cursor {
                0 => Pace::Idle,
                _ => Pace::Waiting(waiting(now, limits)),
            };
        }
        Some(SequenceRun {
            sequence: next,
            order: run.order.plus(known),
            count,
        })
    }

    /// The broker has everything up to `expected`, and something behind it: sending goes on
    /// there.
    pub(super) fn gap(&mut self, expected: ClientSequence) {
        let is_ours = self.confirmed < expected && expected <= self.sent;
        if is_ours && self.went_back_to != Some(expected) {
            self.go_back_to(expected);
        }
    }

    /// Whether `expected` was confirmed already.
    pub(super) fn is_confirmed(&self, expected: ClientSequence) -> bool {
        expected <= self.confirmed
    }

    /// The broker's disk is full from `sequence` on.
    pub(super) fn no_space(&mut self, now: Time, sequence: ClientSequence, limits: &Limits) {
        let is_ours = self.confirmed < sequence && sequence <= self.sent;
        if !is_ours || self.is_paused() {
            return;
        }
        self.go_back_to(sequence);
        self.pace = Pace::Paused(now + self.no_space_after);
        self.no_space_after = (self.no_space_after * 2).min(limits.no_space_retry_most);
    }

    /// Whether publishing rests because the broker's disk was full.
    pub(super) fn is_paused(&self) -> bool {
        matches!(self.pace, Pace::Paused(_))
    }

    /// When something is to be sent, if nothing else happens.
    pub(super) fn deadline(&self) -> Option<Time> {
        match self.pace {
            Pace::Idle => None,
            Pace::Waiting(retry) => Some(retry.at),
            Pace::Paused(until) => Some(until),
        }
    }

    /// How many messages may be sent again. A frame is sent again as a whole, even if some of it is
    /// confirmed, and the broker remembers no more messages than its window has.
    fn repeatable(&self) -> u64 {
        let first = self.sealed.front();
        let before = first.map_or(self.confirmed, |first| first.before.min(self.confirmed));
        self.last.0 - before.0
    }

    fn seal(&mut self) {
        if let Some(open) = self.open.take() {
            let last = self.last;
            self.sealed.push_back(Sealed {
                before: ClientSequence(last.0 - u64::from(open.count())),
                last,
                bytes: open.finish(),
            });
        }
    }

    fn go_back_to(&mut self, sequence: ClientSequence) {
        let index = self.sealed.partition_point(|frame| frame.last < sequence);
        self.go_back(index, usize::MAX);
        self.went_back_to = Some(sequence);
    }

    fn go_back(&mut self, index: usize, allowance: usize) {
        self.cursor = self.cursor.min(index);
        self.allowance = allowance;
        self.went_back_to = None;
    }
}

/// What becomes of a message that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is sent until it is confirmed.
    ToSend,
    /// It was ordered long before.
    OrderedBefore,
}

fn waiting(now: Time, limits: &Limits) -> Retry {
    let mut retry = Retry::new(now, limits.publish_retry);
    retry.tried(now, limits.publish_retry_most);
    retry
}

fn largest(welcome: &Welcome) -> usize {
    usize::try_from(welcome.largest_message).unwrap_or(usize::MAX)
}

fn frame_bytes(welcome: &Welcome, limits: &Limits) -> usize {
    limits
        .frame_bytes
        .min(largest(welcome).saturating_add(FRAME_OVERHEAD))
}
