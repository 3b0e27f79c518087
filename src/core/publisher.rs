//! What is remembered of a publisher, so that a message sent twice is ordered once.
//!
//! Client sequences are ordered without gaps, so one number decides for all time whether a
//! message is new. For the newest ones it is also remembered which order number they got and
//! what they said: a repeated publish is confirmed with the original number, and a sequence used
//! for two different messages is found out.

use std::collections::VecDeque;

use crate::wire::sessions::{SequenceRun, SessionEntry};
use crate::wire::{ClientSequence, OrderNumber};

/// A publisher's client sequences. Invariant: `runs` cover exactly the last `digests.len()`
/// sequences up to `last`.
#[derive(Clone, Debug, Default)]
pub(super) struct Publisher {
    last: ClientSequence,
    runs: VecDeque<SequenceRun>,
    digests: VecDeque<u32>,
}

/// What a client sequence is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The next one: to be ordered.
    New,
    /// Ordered before, with this number.
    Known(OrderNumber),
    /// Ordered before with another payload, or so long ago that nothing more is known of it.
    Reused,
    /// Not the next one.
    Gap {
        /// The next one.
        expected: ClientSequence,
    },
}

impl Publisher {
    /// What the log kept, cut to the newest `remember` messages.
    pub(super) fn recover(entry: &SessionEntry, remember: u32) -> Self {
        let mut publisher = Self {
            last: entry.last_sequence,
            runs: entry.runs.iter().copied().collect(),
            digests: entry.digests.iter().copied().collect(),
        };
        publisher.forget(remember);
        publisher
    }

    /// The last sequence that was ordered.
    pub(super) fn last(&self) -> ClientSequence {
        self.last
    }

    /// What is remembered, for the log.
    pub(super) fn remembered(&self) -> (Vec<SequenceRun>, Vec<u32>) {
        (
            self.runs.iter().copied().collect(),
            self.digests.iter().copied().collect(),
        )
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
        let age = self.last.0 - sequence.0;
        let remembered = self.digests.len() as u64;
        let index = match remembered.checked_sub(age + 1).map(usize::try_from) {
            Some(Ok(index)) if self.digests[index] == digest => index,
            _ => return Verdict::Reused,
        };
        debug_assert!(index < self.digests.len());
        let at = self.runs.partition_point(|run| run.sequence <= sequence);
        match at.checked_sub(1).map(|at| self.runs[at]) {
            Some(run) => Verdict::Known(run.order.plus(sequence.0 - run.sequence.0)),
            None => Verdict::Reused,
        }
    }

    /// Takes the next sequence, which has got the number `order`.
    pub(super) fn ordered(&mut self, order: OrderNumber, digest: u32, remember: u32) {
        // First room is made: one more than the window for a moment would double what the queues
        // hold for good.
        self.forget(remember.saturating_sub(1));
        self.last.0 += 1;
        self.digests.push_back(digest);
        match self.runs.back_mut() {
            Some(run) if run.order.plus(u64::from(run.count)) == order && run.count < u32::MAX => {
                run.count += 1;
            }
            _ => self.runs.push_back(SequenceRun {
                sequence: self.last,
                order,
                count: 1,
            }),
        }
    }

    fn forget(&mut self, remember: u32) {
        while self.digests.len() > remember as usize {
            self.digests.pop_front();
            let Some(run) = self.runs.front_mut() else {
                return;
            };
            run.sequence.0 += 1;
            run.order = run.order.plus(1);
            run.count -= 1;
            if run.count == 0 {
                self.runs.pop_front();
            }
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
        assert_eq!(
            known(6, 0),
            Verdict::Gap {
                expected: ClientSequence(5)
            }
        );
    }

    #[test]
    fn another_payload_under_the_same_sequence_is_found_out() {
        assert_eq!(
            publisher(&[5], 10).judge(ClientSequence(1), 7),
            Verdict::Reused
        );
    }

    #[test]
    fn what_is_forgotten_is_still_not_ordered_again() {
        let publisher = publisher(&[5, 6, 9, 10], 3);
        assert_eq!(publisher.judge(ClientSequence(1), 100), Verdict::Reused);
        assert_eq!(
            publisher.judge(ClientSequence(2), 101),
            Verdict::Known(OrderNumber(6))
        );
        assert_eq!(publisher.runs.len(), 2);
    }
}
