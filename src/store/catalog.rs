//! Where messages lie: which segment, and in it a sparse index. Shared by writer and readers.
//!
//! It knows only what is synced: readers cannot see more. It reads no files; whoever holds its
//! lock never waits for the medium.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::segment::Sequence;
use crate::wire::OrderNumber;

/// An index entry stands for about so many bytes: what one read fetches.
pub(super) const GRANULE: u64 = 256 << 10;

/// A batch boundary: where in the order, where in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) order: OrderNumber,
    pub(super) offset: u64,
}

/// The index of one segment: stretches of about [`GRANULE`] bytes.
#[derive(Clone, Debug)]
pub(super) struct Index {
    /// Where each stretch begins: at a batch of messages.
    starts: Vec<Place>,
    /// Where the last one ends.
    end: Place,
}

impl Index {
    /// The index of a segment without messages so far.
    pub(super) fn empty(end: Place) -> Self {
        Self {
            starts: Vec::new(),
            end,
        }
    }

    /// Takes a batch of messages that lies behind all others.
    pub(super) fn push(&mut self, start: Place, end: Place) {
        let begins = |last: &Place| start.offset - last.offset >= GRANULE;
        if self.starts.last().is_none_or(begins) {
            self.starts.push(start);
        }
        self.end = end;
    }

    /// The stretch that holds `order`.
    fn stretch(&self, order: OrderNumber) -> Option<(Place, Place)> {
        let after = self.starts.partition_point(|start| start.order <= order);
        let start = self.starts.get(after.checked_sub(1)?)?;
        let end = self.starts.get(after).unwrap_or(&self.end);
        (order < end.order).then_some((*start, *end))
    }
}

/// What is known of one segment.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) sequence: Sequence,
    /// Order number of its first message.
    pub(super) first: OrderNumber,
    /// Time of the newest message before it, in microseconds since 1970.
    pub(super) newest: u64,
    /// Bytes of its file.
    pub(super) bytes: u64,
    /// `None` until somebody reads in it.
    pub(super) index: Option<Index>,
}

/// The answer to where a message lies.
#[derive(Clone, Copy, Debug)]
pub(super) enum Located {
    /// In this stretch of this segment.
    Stretch {
        sequence: Sequence,
        start: Place,
        end: Place,
    },
    /// In this segment, which has no index yet; the next segment's first message is `end`.
    Unread {
        sequence: Sequence,
        first: OrderNumber,
        end: OrderNumber,
    },
    /// Nowhere any more: this is the oldest message.
    Trimmed(OrderNumber),
    /// Nowhere yet: this is the next message.
    Beyond(OrderNumber),
}

/// All segments, oldest first. Never empty.
#[derive(Debug)]
pub(super) struct Catalog(Mutex<VecDeque<Entry>>);

impl Catalog {
    pub(super) fn new(entries: impl IntoIterator<Item = Entry>) -> Self {
        let entries = VecDeque::from_iter(entries);
        assert!(!entries.is_empty(), "a log has at least one segment");
        Self(Mutex::new(entries))
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Entry>> {
        // Nothing in here panics half way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows readers what has been synced in the newest segment.
    pub(super) fn expose(&self, batches: impl IntoIterator<Item = (Place, Place)>) {
        let mut entries = self.lock();
        let index = entries.back_mut().and_then(|entry| entry.index.as_mut());
        let index = index.expect("the newest segment is never without its index");
        for (start, end) in batches {
            index.push(start, end);
        }
    }

    /// Adds the next segment and takes away those that `surplus` says are too many, given all.
    pub(super) fn roll(
        &self,
        entry: Entry,
        surplus: impl FnOnce(&VecDeque<Entry>) -> usize,
    ) -> Vec<Entry> {
        let mut entries = self.lock();
        entries.push_back(entry);
        let surplus = surplus(&entries).min(entries.len() - 1);
        entries.drain(..surplus).collect()
    }

    /// The oldest message that is kept.
    pub(super) fn oldest(&self) -> OrderNumber {
        self.lock()[0].first
    }

    /// The oldest message that is kept, and the next that readers cannot see yet.
    pub(super) fn extent(&self) -> Range<OrderNumber> {
        let entries = self.lock();
        let newest = &entries[entries.len() - 1];
        let end = newest.index.as_ref().map(|index| index.end.order);
        entries[0].first..end.unwrap_or(newest.first)
    }

    /// Gives a segment its index, if it still is without one.
    pub(super) fn learn(&self, sequence: Sequence, index: Index) {
        let mut entries = self.lock();
        let entry = entries.iter_mut().find(|entry| entry.sequence == sequence);
        if let Some(entry) = entry {
            entry.index.get_or_insert(index);
        }
    }

    /// Where a message lies.
    pub(super) fn locate(&self, order: OrderNumber) -> Located {
        let entries = self.lock();
        let after = entries.partition_point(|entry| entry.first <= order);
        let Some(at) = after.checked_sub(1) else {
            return Located::Trimmed(entries[0].first);
        };
        // Segments without messages begin with the same number as the one that has it.
        let Entry {
            sequence,
            first,
            index,
            ..
        } = &entries[at];
        match (index, entries.get(after)) {
            (None, Some(next)) => Located::Unread {
                sequence: *sequence,
                first: *first,
                end: next.first,
            },
            (None, None) => Located::Beyond(*first),
            (Some(index), _) => match index.stretch(order) {
                Some((start, end)) => Located::Stretch {
                    sequence: *sequence,
                    start,
                    end,
                },
                None => Located::Beyond(index.end.order),
            },
        }
    }
}
