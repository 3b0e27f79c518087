//! The newest stretch of the order, and older ones that were read back: what members are fed from.
//!
//! Members at the head, and those that catch up side by side, are sent the same bytes.

use std::collections::{BTreeSet, VecDeque};

use super::frames::{Rendered, render};
use super::{Frames, Limits};
use crate::core::order::Chunk;
use crate::wire::{Dialect, OrderNumber};

/// What an entry takes besides its bytes, so that many small chunks are bounded, too.
const ENTRY_OVERHEAD: usize = 256;

/// Chunks in memory. Invariant: `tail` has no gaps and ends at `end`.
#[derive(Debug)]
pub(super) struct Backlog {
    tail: Shelf,
    /// Stretches older than the tail, in the order in which they were read.
    loaded: Shelf,
    loading: BTreeSet<OrderNumber>,
    most_loading: usize,
    /// Whether somebody has to ask again, as too much was being read.
    put_off: bool,
    end: OrderNumber,
}

impl Backlog {
    /// Nothing in memory, of an order that goes on with `end`.
    pub(super) fn new(end: OrderNumber, limits: &Limits) -> Self {
        Self {
            tail: Shelf::new(limits.tail_bytes),
            loaded: Shelf::new(limits.loaded_bytes),
            loading: BTreeSet::new(),
            most_loading: limits.catch_ups,
            put_off: false,
            end,
        }
    }

    /// The number after the newest message.
    pub(super) fn end(&self) -> OrderNumber {
        self.end
    }

    /// Adds the next chunk.
    pub(super) fn push(&mut self, chunk: Chunk) {
        assert_eq!(chunk.first(), self.end, "the order has no gaps");
        self.end = chunk.end();
        self.tail.push(chunk);
    }

    /// Joins the chunks from `from` on, up to so many bytes each: members that are all fed from
    /// there get one frame instead of many.
    pub(super) fn join(&mut self, from: OrderNumber, most_bytes: usize) {
        let entries = &mut self.tail.entries;
        let first = entries.partition_point(|entry| entry.chunk.first() < from);
        let mut rest = entries.drain(first..).map(|entry| entry.chunk).peekable();
        let mut joined = Vec::new();
        while let Some(chunk) = rest.next() {
            let mut bytes = chunk.bytes().len();
            let mut parts = vec![chunk];
            while let Some(next) = rest.next_if(|next| bytes + next.bytes().len() <= most_bytes) {
                bytes += next.bytes().len();
                parts.push(next);
            }
            joined.push(Chunk::join(&parts));
        }
        drop(rest);
        self.tail.count();
        for chunk in joined {
            self.tail.push(chunk);
        }
    }

    /// Takes a stretch that was asked for with [`want`](Self::want), or that it failed.
    pub(super) fn loaded(&mut self, asked: OrderNumber, chunk: Option<Chunk>) {
        self.loading.remove(&asked);
        let Some(chunk) = chunk else { return };
        // Two members may have asked for two places in one stretch; and the last stretch of the
        // log grows, so that one read later holds more.
        let same = |entry: &Entry| entry.chunk.first() == chunk.first();
        let before = self.loaded.entries.iter().position(same);
        if let Some(at) = before {
            if self.loaded.entries[at].chunk.end() >= chunk.end() {
                return;
            }
            self.loaded.remove(at);
        }
        self.loaded.push(chunk);
    }

    /// Whether the stretch that holds `order` has to be asked for: not if it already was, and
    /// not while as many are being read as may be.
    pub(super) fn want(&mut self, order: OrderNumber) -> bool {
        if self.loading.len() >= self.most_loading && !self.loading.contains(&order) {
            self.put_off = true;
            return false;
        }
        self.loading.insert(order)
    }

    /// Whether there is room for those that were put off to ask again.
    pub(super) fn take_put_off(&mut self) -> bool {
        self.loading.len() < self.most_loading && std::mem::take(&mut self.put_off)
    }

    /// The chunk that holds `order`, if it is in memory.
    pub(super) fn find(&mut self, order: OrderNumber) -> Option<Found<'_>> {
        let newest = self
            .tail
            .entries
            .front()
            .is_some_and(|entry| entry.chunk.first() <= order);
        if newest {
            let entries = &self.tail.entries;
            let at = entries.partition_point(|entry| entry.chunk.end() <= order);
            return (at < entries.len()).then_some(Found {
                shelf: &mut self.tail,
                at,
            });
        }
        let holds = |entry: &Entry| entry.chunk.first() <= order && order < entry.chunk.end();
        let at = self.loaded.entries.iter().position(holds)?;
        Some(Found {
            shelf: &mut self.loaded,
            at,
        })
    }
}

/// Chunks up to a number of bytes, of which the oldest go first.
#[derive(Debug)]
struct Shelf {
    entries: VecDeque<Entry>,
    bytes: usize,
    most_bytes: usize,
}

#[derive(Debug)]
struct Entry {
    chunk: Chunk,
    /// The chunk in the binary, the JSON and the raw dialect, once somebody needs it.
    rendered: [Option<Rendered>; 3],
    bytes: usize,
}

impl Shelf {
    fn new(most_bytes: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            bytes: 0,
            most_bytes,
        }
    }

    /// Counts the bytes of the entries anew.
    fn count(&mut self) {
        self.bytes = self.entries.iter().map(|entry| entry.bytes).sum();
    }

    fn push(&mut self, chunk: Chunk) {
        let bytes = chunk.bytes().len() + ENTRY_OVERHEAD;
        self.bytes += bytes;
        self.entries.push_back(Entry {
            chunk,
            rendered: [const { None }; 3],
            bytes,
        });
        while self.bytes > self.most_bytes && self.entries.len() > 1 {
            self.remove(0);
        }
    }

    fn remove(&mut self, at: usize) {
        let removed = self.entries.remove(at);
        self.bytes -= removed.map_or(0, |entry| entry.bytes);
    }
}

/// A chunk in memory.
pub(super) struct Found<'a> {
    shelf: &'a mut Shelf,
    at: usize,
}

impl Found<'_> {
    /// The chunk itself, as native peers get it.
    pub(super) fn chunk(&self) -> &Chunk {
        &self.shelf.entries[self.at].chunk
    }

    /// The chunk's frames in a fixed dialect, and whether this was the first to ask for them;
    /// only then are the messages that had to be altered to be counted.
    pub(super) fn frames(&mut self, dialect: Dialect) -> (Frames, u64) {
        let entry = &mut self.shelf.entries[self.at];
        let slot = match dialect {
            Dialect::Binary | Dialect::Native => 0,
            Dialect::Json => 1,
            Dialect::Raw => 2,
        };
        if let Some(rendered) = &entry.rendered[slot] {
            return (rendered.frames.clone(), 0);
        }
        let rendered = render(&entry.chunk, dialect);
        let bytes = rendered.frames.bytes().len();
        let result = (rendered.frames.clone(), rendered.altered);
        entry.bytes += bytes;
        self.shelf.bytes += bytes;
        entry.rendered[slot] = Some(rendered);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::order::OpenBatch;
    use crate::wire::record::{Flags, Record};
    use crate::wire::{ClientSequence, Epoch, LogId};

    fn chunk(first: u64) -> Chunk {
        let mut batch = OpenBatch::new(OrderNumber(first));
        batch.push(Record {
            order: OrderNumber(0),
            client_sequence: ClientSequence::NONE,
            time: 0,
            flags: Flags::default(),
            sender: b"ana",
            payload: b"text",
        });
        batch.seal(LogId(1), Epoch(1)).unwrap()
    }

    /// A backlog whose tail may have three chunks, and had four.
    fn full() -> Backlog {
        let limits = Limits {
            tail_bytes: 3 * (chunk(0).bytes().len() + ENTRY_OVERHEAD),
            ..Limits::default()
        };
        let mut backlog = Backlog::new(OrderNumber(0), &limits);
        for first in 0..4 {
            backlog.push(chunk(first));
        }
        backlog
    }

    #[test]
    fn the_tail_has_as_many_bytes_as_it_may() {
        let mut backlog = full();
        assert!(backlog.find(OrderNumber(0)).is_none());
        assert!(backlog.find(OrderNumber(1)).is_some());
        assert_eq!(backlog.tail.bytes, backlog.tail.most_bytes);
    }

    #[test]
    fn what_is_joined_is_counted_once() {
        let mut backlog = full();
        backlog.join(OrderNumber(2), usize::MAX);
        assert_eq!(backlog.tail.entries.len(), 2);
        let held: usize = backlog.tail.entries.iter().map(|entry| entry.bytes).sum();
        assert_eq!(backlog.tail.bytes, held);
    }
}
