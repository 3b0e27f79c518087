//! A broker's own records: filled, sealed, sent, and sent again until they have come back.
//!
//! An engine's acknowledgement ends nothing here: after a change of its leader, a record that was
//! acknowledged may be gone, or stand behind a later one. What counts is applied; what is not
//! applied yet is sent again, from the first such record on.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::core::Time;
use crate::wire::stream_record::{HEADER_LEN, Header, Part, Proposal};
use crate::wire::{LogId, Position, Writer};

/// Bytes after which a record is sealed; a larger message has one of its own.
const RECORD_BYTES: usize = 512 << 10;
/// Bytes that may be unapplied before nothing more is taken in.
const FULL: usize = 8 << 20;
/// The least and most time without an answer after which records are sent again.
const RESEND_LEAST: Duration = Duration::from_millis(50);
const RESEND_MOST: Duration = Duration::from_secs(1);
/// After a refusal they are sent again so much later.
const AFTER_REFUSAL: Duration = Duration::from_millis(100);
/// A broker that has nothing to say says so, or the others would take it for gone.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// A record to append.
#[derive(Clone, Debug)]
pub struct Append {
    /// The writer's number for it.
    pub number: u64,
    /// Its bytes.
    pub record: Arc<Vec<u8>>,
    /// Whether it is a part of a snapshot, which lies apart from the rest.
    pub is_part: bool,
}

/// A record that is not applied yet.
#[derive(Clone, Debug)]
struct Sealed {
    record: Arc<Vec<u8>>,
    is_part: bool,
}

/// See the module.
#[derive(Debug)]
pub struct Scribe {
    log_id: LogId,
    writer: Writer,
    /// The record that is being filled, behind room for its header.
    open: Vec<u8>,
    count: u32,
    /// The number of the first record in `sealed`, or of the one to come.
    first: u64,
    /// Records that are not applied yet.
    sealed: VecDeque<Sealed>,
    sealed_bytes: usize,
    /// How many of them were sent since the last time that all were sent again.
    sent: usize,
    sent_at: Time,
    resend_at: Option<Time>,
    /// When they were sent again last because one was seen out of its turn.
    hurried_at: Option<Time>,
    /// How long the last record took that was sent once.
    round_trip: Duration,
    resends: u32,
    /// Bytes that wait, from which on a second record is in flight.
    second_from: usize,
}

impl Sealed {
    fn append(&self, number: u64) -> Append {
        Append {
            number,
            record: Arc::clone(&self.record),
            is_part: self.is_part,
        }
    }
}

impl Scribe {
    /// The records of a new process. While less than `second_from` bytes wait, one record is in
    /// flight: each costs the engine a sync, and what waits meanwhile goes with the next.
    #[must_use]
    pub fn new(log_id: LogId, writer: Writer, now: Time, second_from: usize) -> Self {
        Self {
            log_id,
            writer,
            open: vec![0; HEADER_LEN],
            count: 0,
            first: 1,
            sealed: VecDeque::new(),
            sealed_bytes: 0,
            sent: 0,
            sent_at: now,
            resend_at: None,
            hurried_at: None,
            round_trip: RESEND_LEAST,
            resends: 0,
            second_from,
        }
    }

    /// The process whose records these are.
    #[must_use]
    pub fn writer(&self) -> Writer {
        self.writer
    }

    /// Adds a proposal to the open record.
    pub fn propose(&mut self, proposal: &Proposal<'_>) {
        proposal.encode(&mut self.open);
        self.count += 1;
    }

    /// Adds a proposal to the open record, or to the next one if that would be too large with it.
    pub fn propose_fitting(
        &mut self,
        proposal: &Proposal<'_>,
        wall: u64,
        applied: (Position, u64),
    ) {
        let (end, count) = (self.open.len(), self.count);
        self.propose(proposal);
        if count > 0 && self.open.len() > RECORD_BYTES {
            let last = self.open.split_off(end);
            self.count = count;
            self.seal(wall, applied);
            self.open.extend(last);
            self.count = 1;
        }
        self.seal_if_full(wall, applied);
    }

    /// The most bytes that still fit into the open record, unless it is empty.
    #[must_use]
    pub fn room(&self) -> usize {
        RECORD_BYTES.saturating_sub(self.open.len())
    }

    /// Whether nothing more is to be taken in.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.sealed_bytes + self.open.len() >= FULL
    }

    /// Sends everything, whatever is in flight: nothing will come after it.
    pub fn flush(&mut self, wall: u64, applied: (Position, u64)) -> Vec<Append> {
        if self.count > 0 {
            self.seal(wall, applied);
        }
        let numbers = self.first + self.sent as u64..;
        let unsent = self.sealed.iter().skip(self.sent).zip(numbers);
        let appends = unsent
            .map(|(sealed, number)| sealed.append(number))
            .collect();
        self.sent = self.sealed.len();
        appends
    }

    /// The number of the record that holds the last proposal.
    #[must_use]
    pub fn last_number(&self) -> u64 {
        let sealed = self.first + self.sealed.len() as u64;
        sealed - u64::from(self.count == 0)
    }

    /// A record that is under way.
    #[must_use]
    pub fn record(&self, number: u64) -> Option<Arc<Vec<u8>>> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        Some(Arc::clone(&self.sealed.get(index)?.record))
    }

    /// Whether the open record holds nothing.
    #[must_use]
    pub fn is_open_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether all that was proposed is applied.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.count == 0 && self.sealed.is_empty()
    }

    /// Ends the open record if it has come to its size, so that the next proposal begins another.
    pub fn seal_if_full(&mut self, wall: u64, applied: (Position, u64)) {
        if self.open.len() >= RECORD_BYTES {
            self.seal(wall, applied);
        }
    }

    /// Adds a part of a snapshot: a record of its own.
    pub fn propose_part(&mut self, part: Part<'_>, wall: u64, applied: (Position, u64)) {
        if self.count > 0 {
            self.seal(wall, applied);
        }
        self.propose(&Proposal::Part(part));
        self.seal(wall, applied);
        if let Some(sealed) = self.sealed.back_mut() {
            sealed.is_part = true;
        }
    }

    /// Ends the open record.
    pub fn seal(&mut self, wall: u64, (seen, chain): (Position, u64)) {
        let mut record = std::mem::replace(&mut self.open, vec![0; HEADER_LEN]);
        let header = Header {
            count: std::mem::take(&mut self.count),
            log_id: self.log_id,
            writer: self.writer,
            number: self.first + self.sealed.len() as u64,
            wall,
            seen,
            chain,
        };
        header.seal(&mut record);
        self.sealed_bytes += record.len();
        self.sealed.push_back(Sealed {
            record: Arc::new(record),
            is_part: false,
        });
    }

    /// What is to be appended now. `applied` is what a record that is sealed now has seen.
    pub fn appends(&mut self, now: Time, wall: u64, applied: (Position, u64)) -> Vec<Append> {
        if self.resend_at.is_some_and(|at| at <= now) {
            self.send_again(now);
        }
        if self.sent_at + HEARTBEAT <= now && self.sealed.is_empty() {
            self.seal(wall, applied);
        }
        let mut appends = Vec::new();
        loop {
            let waiting: usize = (self.sealed.iter().skip(self.sent))
                .map(|sealed| sealed.record.len())
                .sum();
            let waiting = waiting + self.open.len() - HEADER_LEN;
            let may_send = match self.sent {
                0 => true,
                1 => waiting >= self.second_from,
                _ => false,
            };
            if !may_send {
                break;
            }
            if self.sent == self.sealed.len() {
                if self.count == 0 {
                    break;
                }
                self.seal(wall, applied);
            }
            let number = self.first + self.sent as u64;
            appends.push(self.sealed[self.sent].append(number));
            self.sent += 1;
        }
        if !appends.is_empty() {
            self.sent_at = now;
            let after = (self.round_trip * 8).clamp(RESEND_LEAST, RESEND_MOST);
            let after = (after * 2_u32.pow(self.resends.min(4))).min(RESEND_MOST);
            self.resend_at = Some(now + after);
        }
        appends
    }

    /// A record has come back, in its turn.
    pub fn applied(&mut self, now: Time, number: u64) {
        while self.first <= number
            && let Some(sealed) = self.sealed.pop_front()
        {
            self.sealed_bytes -= sealed.record.len();
            self.first += 1;
            if self.sent > 0 {
                self.sent -= 1;
                if self.resends == 0 {
                    self.round_trip = now.since(self.sent_at);
                }
            }
        }
        self.resends = 0;
        if self.sent == 0 {
            self.resend_at = None;
        }
    }

    /// A later record than the next one has come back: what comes before it is lost.
    pub fn seen_out_of_turn(&mut self, now: Time) {
        let patience = self.round_trip.max(Duration::from_millis(2));
        if self.hurried_at.is_none_or(|at| at + patience <= now) {
            self.hurried_at = Some(now);
            self.send_again(now);
        }
    }

    /// The engine has refused a record.
    pub fn refused(&mut self, now: Time) {
        self.resend_at = Some(now + AFTER_REFUSAL);
    }

    /// The stream is there again: what is under way may be lost.
    pub fn reconnected(&mut self, now: Time) {
        if self.sent > 0 {
            self.resend_at = Some(now);
        }
    }

    /// When [`appends`](Self::appends) is due.
    #[must_use]
    pub fn deadline(&self) -> Time {
        let heartbeat = self.sent_at + HEARTBEAT;
        self.resend_at.map_or(heartbeat, |at| at.min(heartbeat))
    }

    fn send_again(&mut self, now: Time) {
        if self.sent > 0 {
            self.resends += 1;
        }
        self.sent = 0;
        self.resend_at = None;
        self.sent_at = self.sent_at.min(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEEN: (Position, u64) = (Position(0), 0);

    fn scribe() -> Scribe {
        Scribe::new(LogId(1), Writer(7), Time(0), 256 << 10)
    }

    fn numbers(appends: &[Append]) -> Vec<u64> {
        appends.iter().map(|append| append.number).collect()
    }

    fn leave(scribe: &mut Scribe) {
        scribe.propose(&Proposal::Leave { seat: 1 });
    }

    #[test]
    fn what_waits_goes_with_the_next_record() {
        let mut scribe = scribe();
        leave(&mut scribe);
        assert_eq!(numbers(&scribe.appends(Time(1), 0, SEEN)), [1]);
        leave(&mut scribe);
        leave(&mut scribe);
        assert!(scribe.appends(Time(2), 0, SEEN).is_empty());
        scribe.applied(Time(3), 1);
        let appends = scribe.appends(Time(3), 0, SEEN);
        assert_eq!(numbers(&appends), [2]);
        assert_eq!(Header::decode(&appends[0].record).unwrap().count, 2);
    }

    #[test]
    fn what_is_not_applied_is_sent_again_whatever_was_acknowledged() {
        let mut scribe = scribe();
        leave(&mut scribe);
        let first = scribe.appends(Time(1), 0, SEEN);
        let at = scribe.deadline();
        let again = scribe.appends(at, 99, (Position(5), 5));
        assert_eq!(numbers(&again), [1]);
        assert_eq!(again[0].record, first[0].record, "the same bytes");
        scribe.applied(at, 1);
        assert!(scribe.is_idle());
        assert!(scribe.appends(at, 0, SEEN).is_empty());
    }

    #[test]
    fn a_silent_broker_says_that_it_lives() {
        let mut scribe = scribe();
        assert!(scribe.appends(Time(1), 0, SEEN).is_empty());
        let appends = scribe.appends(Time(2_000_000), 0, SEEN);
        assert_eq!(Header::decode(&appends[0].record).unwrap().count, 0);
    }

    #[test]
    fn it_is_full_before_it_holds_too_much() {
        let mut scribe = scribe();
        let payload = vec![0; 300 << 10];
        for _ in 0..40 {
            scribe.propose(&Proposal::Say {
                seat: 1,
                payload: &payload,
            });
            scribe.seal_if_full(0, SEEN);
        }
        assert!(scribe.is_full());
        assert_eq!(numbers(&scribe.appends(Time(1), 0, SEEN)), [1, 2]);
    }
}
