//! Everybody's records, in the order of their positions: holes are fetched, and what comes twice
//! or early is put right.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::core::Time;
use crate::wire::Position;

/// Bytes of records that may wait, early or in turn; what comes beyond is fetched later.
const MOST_BYTES: usize = 16 << 20;
/// How much is asked for at a time.
const FETCH_RECORDS: u32 = 256;
const FETCH_BYTES: u32 = 4 << 20;
/// A fetch without an answer is made again after so long.
const PATIENCE: Duration = Duration::from_secs(1);
/// A fetch that found nothing is made again after so long, at first and at most.
const PAUSE_LEAST: Duration = Duration::from_millis(5);
const PAUSE_MOST: Duration = Duration::from_millis(500);

/// A stretch of the stream to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// The first position.
    pub from: Position,
    /// The most records.
    pub records: u32,
    /// About the most bytes.
    pub bytes: u32,
}

/// See the module.
#[derive(Debug)]
pub struct Follower {
    /// The position that is due.
    next: Position,
    /// Records that wait: the one that is due, and later ones.
    waiting: BTreeMap<Position, Vec<u8>>,
    bytes: usize,
    /// The last position that there is, as far as is known.
    head: Position,
    /// When what is being fetched is given up.
    fetching: Option<Time>,
    /// Nothing is fetched before.
    not_before: Time,
    pause: Duration,
}

impl Follower {
    /// Goes on behind a position that is applied.
    #[must_use]
    pub fn new(applied: Position) -> Self {
        Self {
            next: applied.next(),
            waiting: BTreeMap::new(),
            bytes: 0,
            head: applied,
            fetching: None,
            not_before: Time::default(),
            pause: PAUSE_LEAST,
        }
    }

    /// A record has come from somewhere.
    pub fn take(&mut self, position: Position, record: Vec<u8>) {
        self.head = self.head.max(position);
        if position < self.next || self.waiting.contains_key(&position) {
            return;
        }
        if position > self.next && self.bytes + record.len() > MOST_BYTES {
            return;
        }
        self.bytes += record.len();
        self.waiting.insert(position, record);
    }

    /// The stream goes so far.
    pub fn goes_to(&mut self, head: Position) {
        self.head = self.head.max(head);
    }

    /// A fetch has ended; `found`: whether it has brought anything.
    pub fn fetched(&mut self, now: Time, found: bool) {
        self.fetching = None;
        if found {
            self.pause = PAUSE_LEAST;
        } else {
            self.not_before = now + self.pause;
            self.pause = (self.pause * 2).min(PAUSE_MOST);
        }
    }

    /// The record that is due, if it is there.
    pub fn pop(&mut self) -> Option<(Position, Vec<u8>)> {
        let record = self.waiting.remove(&self.next)?;
        let position = self.next;
        self.bytes -= record.len();
        self.next = position.next();
        Some((position, record))
    }

    /// Whether the record that is due is there.
    #[must_use]
    pub fn has_next(&self) -> bool {
        self.waiting.contains_key(&self.next)
    }

    /// Whether everything was taken that is known to be there.
    #[must_use]
    pub fn is_level(&self) -> bool {
        self.next > self.head
    }

    /// How many positions are known and not taken.
    #[must_use]
    pub fn behind(&self) -> u64 {
        (self.head.0 + 1).saturating_sub(self.next.0)
    }

    /// What to ask for now.
    pub fn fetch(&mut self, now: Time) -> Option<Fetch> {
        let is_due = match self.fetching {
            Some(given_up) => given_up <= now,
            None => self.not_before <= now,
        };
        if !self.has_hole() || !is_due {
            return None;
        }
        self.fetching = Some(now + PATIENCE);
        Some(Fetch {
            from: self.next,
            records: FETCH_RECORDS,
            bytes: FETCH_BYTES,
        })
    }

    /// When [`fetch`](Self::fetch) is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        let at = self.fetching.unwrap_or(self.not_before);
        self.has_hole().then_some(at)
    }

    fn has_hole(&self) -> bool {
        !self.is_level() && !self.has_next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn positions(follower: &mut Follower) -> Vec<u64> {
        std::iter::from_fn(|| follower.pop().map(|(position, _)| position.0)).collect()
    }

    #[test]
    fn early_and_doubled_records_are_put_in_order() {
        let mut follower = Follower::new(Position(4));
        for position in [7, 5, 3, 5] {
            follower.take(Position(position), vec![0]);
        }
        assert_eq!(positions(&mut follower), [5]);
        follower.take(Position(6), vec![0]);
        assert_eq!(positions(&mut follower), [6, 7]);
        assert!(follower.is_level());
    }

    #[test]
    fn a_hole_is_fetched_and_asked_for_again() {
        let mut follower = Follower::new(Position(0));
        assert_eq!(follower.fetch(Time(0)), None);
        follower.take(Position(3), vec![0]);
        assert_eq!(follower.fetch(Time(0)).unwrap().from, Position(1));
        assert_eq!(follower.fetch(Time(1)), None, "it is under way");
        follower.fetched(Time(2), false);
        assert_eq!(
            follower.fetch(Time(3)),
            None,
            "a lagging replica needs time"
        );
        let at = follower.deadline().unwrap();
        assert!(follower.fetch(at).is_some());
        follower.take(Position(1), vec![0]);
        follower.take(Position(2), vec![0]);
        assert_eq!(positions(&mut follower), [1, 2, 3]);
        assert_eq!(follower.deadline(), None);
    }

    #[test]
    fn the_end_of_the_stream_is_fetched_if_its_tail_was_dropped() {
        let mut follower = Follower::new(Position(9));
        follower.goes_to(Position(11));
        assert_eq!(follower.behind(), 2);
        assert_eq!(follower.fetch(Time(0)).unwrap().from, Position(10));
    }
}
