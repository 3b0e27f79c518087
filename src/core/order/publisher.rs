//! What is remembered of a member's own messages, so that each is ordered exactly once.
//!
//! Client sequences are 1, 2, 3 ... without gaps, so "is it new?" is one comparison with the last
//! one, for all time; of the newest messages their numbers and digests are remembered as well.
//! A publisher is the same whether it was followed live or read back from the log.

use std::collections::VecDeque;

use super::Runs;
use crate::wire::sessions::SessionEntry;
use crate::wire::{ClientSequence, OrderNumber};

/// One member's client sequences. Invariant: `runs` and `digests` cover the same newest messages,
/// and the last of them is `last`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Publisher {
    last: ClientSequence,
    runs: Runs,
    digests: VecDeque<u32>,
}

/// What a client sequence is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The next one: to be ordered.
    New,
    /// Ordered before, with this number.
    Known(OrderNumber),
    /// Ordered before with another payload.
    Reused,
    /// Ordered so long ago that nothing more is known of it.
    Forgotten,
    /// Not the next one.
    Gap {
        /// The next one.
        expected: ClientSequence,
    },
}

impl Publisher {
    /// What an entry of the log says.
    pub(super) fn of(entry: &SessionEntry) -> Self {
        Self {
            last: entry.last_sequence,
            runs: entry.runs.iter().copied().collect(),
            digests: entry.digests.iter().copied().collect(),
        }
    }

    /// Adds to an entry what is remembered, for a snapshot.
    pub(super) fn describe(&self, entry: &mut SessionEntry) {
        entry.runs = self.runs.to_vec();
        entry.digests = self.digests.iter().copied().collect();
    }

    /// The last sequence that was ordered.
    pub(super) fn last(&self) -> ClientSequence {
        self.last
    }

    /// Judges a message by its sequence and its payload's digest.
    pub(super) fn judge(&self, sequence: ClientSequence, digest: u32) -> Verdict {
        if sequence.0 == self.last.0 + 1 {
            return Verdict::New;
        }
        if sequence > self.last {
            return Verdict::Gap {
                expected: ClientSequence(self.last.0 + 1),
            };
        }
        let age = usize::try_from(self.last.0 - sequence.0).unwrap_or(usize::MAX);
        let index = self
            .digests
            .len()
            .checked_sub(1)
            .and_then(|newest| newest.checked_sub(age));
        match (index, self.runs.find(sequence)) {
            (Some(index), Some(order)) if self.digests[index] == digest => Verdict::Known(order),
            (Some(_), Some(_)) => Verdict::Reused,
            _ => Verdict::Forgotten,
        }
    }

    /// Takes the next sequence, which has got the number `order`; remembers the newest `remember`.
    pub(super) fn ordered(&mut self, order: OrderNumber, digest: u32, remember: u32) {
        // First room is made: one more than the window for a moment would double what the queues
        // hold for good.
        self.forget(remember.saturating_sub(1));
        self.last.0 += 1;
        self.digests.push_back(digest);
        self.runs.push(self.last, order);
    }

    /// Takes a message out of the log, unless an entry that lies before it counts it already.
    pub(super) fn replayed(&mut self, sequence: ClientSequence, order: OrderNumber, digest: u32) {
        if sequence > self.last {
            self.last = ClientSequence(sequence.0 - 1);
            self.ordered(order, digest, u32::MAX);
        }
    }

    /// Takes out what was counted of messages from `next` on: a power cut has taken them.
    pub(super) fn cut(&mut self, next: OrderNumber) {
        if let Some(lost) = self.runs.cut(next) {
            self.last = ClientSequence(lost.0 - 1);
            self.digests.truncate(self.runs.messages());
        }
    }

    /// Forgets all but the newest `remember` messages.
    pub(super) fn forget(&mut self, remember: u32) {
        while self.digests.len() > remember as usize {
            self.digests.pop_front();
            self.runs.forget_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publisher(orders: &[u64], remember: u32) -> Publisher {
        let mut publisher = Publisher::default();
        for (digest, &order) in (100..).zip(orders) {
            publisher.ordered(OrderNumber(order), digest, remember);
        }
        publisher
    }

    #[test]
    fn a_repeated_message_gets_its_first_number() {
        let publisher = publisher(&[5, 6, 9, 10], 10);
        let known = |sequence, digest| publisher.judge(ClientSequence(sequence), digest);
        assert_eq!(known(1, 100), Verdict::Known(OrderNumber(5)));
        assert_eq!(known(2, 101), Verdict::Known(OrderNumber(6)));
        assert_eq!(known(3, 102), Verdict::Known(OrderNumber(9)));
        assert_eq!(known(4, 103), Verdict::Known(OrderNumber(10)));
        assert_eq!(known(5, 0), Verdict::New);
        let expected = ClientSequence(5);
        assert_eq!(known(6, 0), Verdict::Gap { expected });
    }

    #[test]
    fn another_payload_under_the_same_sequence_is_found_out() {
        let verdict = publisher(&[5], 10).judge(ClientSequence(1), 7);
        assert_eq!(verdict, Verdict::Reused);
    }

    #[test]
    fn what_is_forgotten_is_still_not_ordered_again() {
        let publisher = publisher(&[5, 6, 9, 10], 3);
        assert_eq!(publisher.judge(ClientSequence(1), 100), Verdict::Forgotten);
        let second = publisher.judge(ClientSequence(2), 101);
        assert_eq!(second, Verdict::Known(OrderNumber(6)));
        assert_eq!(publisher.runs.len(), 2);
    }

    #[test]
    fn messages_that_were_torn_off_are_no_duplicates() {
        let mut publisher = publisher(&[50, 51, 52, 100, 101], 10);
        publisher.cut(OrderNumber(101));
        assert_eq!(publisher.judge(ClientSequence(5), 104), Verdict::New);
        publisher.cut(OrderNumber(0));
        assert_eq!(publisher, Publisher::default());
    }
}
