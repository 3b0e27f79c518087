//! Runs: client sequences that follow one another and got order numbers that do, too. The one
//! place in which they are merged.

use std::collections::VecDeque;

use crate::wire::sessions::SequenceRun;
use crate::wire::{ClientSequence, OrderNumber};

/// Runs in ascending order of their client sequences.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Runs(VecDeque<SequenceRun>);

impl Runs {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The runs, to encode.
    pub fn as_slice(&mut self) -> &[SequenceRun] {
        self.0.make_contiguous()
    }

    /// Adds a message, which extends the last run if it follows it.
    pub(super) fn push(&mut self, sequence: ClientSequence, order: OrderNumber) {
        self.push_run(SequenceRun {
            sequence,
            order,
            count: 1,
        });
    }

    fn push_run(&mut self, next: SequenceRun) {
        if let Some(last) = self.0.back_mut() {
            let count = u64::from(last.count);
            let follows = last.sequence.0.checked_add(count) == Some(next.sequence.0)
                && last.order.0.checked_add(count) == Some(next.order.0);
            if let (true, Some(count)) = (follows, last.count.checked_add(next.count)) {
                last.count = count;
                return;
            }
        }
        self.0.push_back(next);
    }

    /// Adds all of `more` behind these.
    pub(in crate::core) fn append(&mut self, more: Self) {
        if self.0.is_empty() {
            *self = more;
            return;
        }
        for run in more.0 {
            self.push_run(run);
        }
    }

    /// The order number of a client sequence, if it is in one of the runs.
    pub(super) fn find(&self, sequence: ClientSequence) -> Option<OrderNumber> {
        let after = self.0.partition_point(|run| run.sequence <= sequence);
        let run = self.0.get(after.checked_sub(1)?)?;
        let place = sequence.0 - run.sequence.0;
        (place < u64::from(run.count)).then(|| run.order.plus(place))
    }

    /// Takes out the oldest message.
    pub(super) fn forget_first(&mut self) {
        let Some(run) = self.0.front_mut() else {
            return;
        };
        run.count -= 1;
        if run.count == 0 {
            self.0.pop_front();
        } else {
            run.sequence.0 += 1;
            run.order = run.order.plus(1);
        }
    }

    /// Takes out the messages from order number `next` on. As client sequences have no gaps,
    /// everything behind the first of them goes, too; returns that one's client sequence.
    pub(super) fn cut(&mut self, next: OrderNumber) -> Option<ClientSequence> {
        let ends_beyond = |run: &SequenceRun| run.order.plus(u64::from(run.count)) > next;
        let at = self.0.iter().position(ends_beyond)?;
        let run = &mut self.0[at];
        let kept = u32::try_from(next.since(run.order)).unwrap_or(run.count);
        let first_lost = ClientSequence(run.sequence.0 + u64::from(kept));
        run.count = kept;
        self.0.truncate(at + usize::from(kept > 0));
        Some(first_lost)
    }

    /// How many messages there are in all runs.
    pub(super) fn messages(&self) -> usize {
        self.0.iter().map(|run| run.count as usize).sum()
    }

    /// A copy of the runs, for the log.
    pub(super) fn to_vec(&self) -> Vec<SequenceRun> {
        self.0.iter().copied().collect()
    }
}

impl FromIterator<SequenceRun> for Runs {
    fn from_iter<I: IntoIterator<Item = SequenceRun>>(runs: I) -> Self {
        Self(runs.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(messages: &[(u64, u64)]) -> Runs {
        let mut runs = Runs::default();
        for &(sequence, order) in messages {
            runs.push(ClientSequence(sequence), OrderNumber(order));
        }
        runs
    }

    #[test]
    fn messages_that_follow_one_another_are_one_run() {
        let mut all = runs(&[(1, 5), (2, 6), (3, 9)]);
        assert_eq!(all.len(), 2);
        all.append(runs(&[(4, 10), (5, 11)]));
        assert_eq!((all.len(), all.messages()), (2, 5));
        assert_eq!(all.find(ClientSequence(5)), Some(OrderNumber(11)));
        assert_eq!(all.find(ClientSequence(6)), None);
        assert_eq!(all.find(ClientSequence(0)), None);
    }

    #[test]
    fn a_cut_takes_everything_behind_it() {
        let mut all = runs(&[(1, 5), (2, 6), (3, 9), (4, 10)]);
        assert_eq!(all.clone().cut(OrderNumber(11)), None);
        assert_eq!(all.cut(OrderNumber(6)), Some(ClientSequence(2)));
        assert_eq!(all, runs(&[(1, 5)]));
    }
}
