//! The log without a medium: `--in-memory`. It ends with the process.
//!
//! It keeps what connected members have not acknowledged, and the newest messages for those who
//! come later; both up to a bound. The same contract as the log on a disk, with nothing
//! in it that could fail: a commit makes messages visible to readers, and makes nothing safe.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::catalog::GRANULE;
use super::figures::Figures;
use super::{Error, Failure, Identity, Log, LogReader, Opened, Room};
use crate::core::{Chunk, Index, Recovered, Write};
use crate::wire::{LogId, OrderNumber};

/// How much a log in memory keeps, in bytes of messages. The newest batch is always kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryOptions {
    /// Kept of the newest messages, whether or not a member needs them.
    pub retain_bytes: u64,
    /// The most that is kept for connected members that have not acknowledged it.
    pub behind_bytes: u64,
}

impl Default for MemoryOptions {
    fn default() -> Self {
        Self {
            retain_bytes: 256 << 20,
            behind_bytes: 1 << 30,
        }
    }
}

/// Begins a log in memory.
#[must_use]
pub fn memory(identity: Identity, options: MemoryOptions) -> Opened {
    Opened {
        log: Box::new(MemoryLog {
            log_id: identity.log_id,
            options,
            kept: Arc::default(),
            appended: Index::default(),
            committed: Index::default(),
            unexposed: Vec::new(),
            figures: Arc::default(),
        }),
        recovered: Recovered::nothing(identity.log_id, identity.secret),
        repair: None,
    }
}

struct MemoryLog {
    log_id: LogId,
    options: MemoryOptions,
    kept: Arc<Mutex<Kept>>,
    appended: Index,
    /// What was shown to readers.
    committed: Index,
    unexposed: Vec<Chunk>,
    figures: Arc<Figures>,
}

/// What readers see.
#[derive(Default)]
struct Kept {
    /// Each with the bytes of all that came before it: by them stretches are cut.
    chunks: VecDeque<(u64, Chunk)>,
    /// Bytes of all chunks there ever were.
    end: u64,
    /// The number that the next message gets.
    next: OrderNumber,
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    // Nothing in here panics half way through a change.
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Kept {
    fn oldest(&self) -> OrderNumber {
        let first = self.chunks.front().map(|(_, chunk)| chunk.first());
        first.unwrap_or(self.next)
    }

    fn push(&mut self, chunk: Chunk) {
        let begins = self.end;
        self.end += chunk.bytes().len() as u64;
        self.next = chunk.end();
        self.chunks.push_back((begins, chunk));
    }

    /// Lets go of what is older than what is kept for all, unless a connected member needs it and
    /// is not too far behind.
    fn let_go(&mut self, options: MemoryOptions, needed: &mut dyn FnMut() -> OrderNumber) {
        let retained_from = self.end.saturating_sub(options.retain_bytes);
        let kept_from = self.end.saturating_sub(options.behind_bytes);
        let is_old = |kept: &Self| kept.chunks.len() > 1 && kept.chunks[0].0 < retained_from;
        if !is_old(self) {
            return;
        }
        let needed = needed();
        while is_old(self) && (self.chunks[0].0 < kept_from || self.chunks[0].1.end() <= needed) {
            self.chunks.pop_front();
        }
    }

    /// The chunks of the stretch that holds `from`.
    fn stretch(&self, from: OrderNumber) -> Result<Vec<Chunk>, Error> {
        if from >= self.next {
            return Err(Error::Beyond(self.next));
        }
        let after = self
            .chunks
            .partition_point(|(_, chunk)| chunk.first() <= from);
        let Some(at) = after.checked_sub(1) else {
            return Err(Error::Trimmed(self.oldest()));
        };
        let granule = self.chunks[at].0 / GRANULE;
        let same = |&&(begins, _): &&(u64, Chunk)| begins / GRANULE == granule;
        let before = self.chunks.range(..at).rev().take_while(same).count();
        let stretch = self.chunks.range(at - before..).take_while(same);
        Ok(stretch.map(|(_, chunk)| chunk.clone()).collect())
    }
}

impl Log for MemoryLog {
    fn log_id(&self) -> LogId {
        self.log_id
    }

    fn append(&mut self, index: Index, write: &Write) -> Result<(), Failure> {
        // Sessions live as long as the broker: only messages are read again.
        if let Write::Messages(chunk) = write {
            self.figures.add_batch(chunk.end().since(chunk.first()));
            self.unexposed.push(chunk.clone());
        }
        self.appended = index;
        Ok(())
    }

    fn commit(&mut self) -> Result<(), Error> {
        self.expose()?;
        // As safe as it will be.
        self.committed = self.appended;
        Ok(())
    }

    fn committed(&self) -> Index {
        self.committed
    }

    fn expose(&mut self) -> Result<(), Error> {
        if !self.unexposed.is_empty() {
            let mut kept = lock(&self.kept);
            for chunk in self.unexposed.drain(..) {
                kept.push(chunk);
            }
        }
        Ok(())
    }

    fn make_room(
        &mut self,
        _wanted: usize,
        _checkpoint: &mut dyn FnMut() -> Vec<u8>,
    ) -> Result<Room, Error> {
        Ok(Room {
            bytes: usize::MAX,
            shortage: None,
        })
    }

    fn let_go(&mut self, needed: &mut dyn FnMut() -> OrderNumber) {
        lock(&self.kept).let_go(self.options, needed);
    }

    fn oldest(&self) -> OrderNumber {
        lock(&self.kept).oldest()
    }

    fn reader(&self) -> Box<dyn LogReader> {
        Box::new(MemoryReader {
            kept: Arc::clone(&self.kept),
            last: None,
        })
    }

    fn figures(&self) -> Arc<Figures> {
        Arc::clone(&self.figures)
    }

    fn close(mut self: Box<Self>) -> Result<(), Error> {
        self.commit()
    }
}

struct MemoryReader {
    kept: Arc<Mutex<Kept>>,
    /// The last stretch: members that catch up side by side ask for it again and again.
    last: Option<Chunk>,
}

impl LogReader for MemoryReader {
    fn read(&mut self, from: OrderNumber) -> Result<Chunk, Error> {
        if let Some(chunk) = &self.last
            && chunk.first() <= from
            && from < chunk.end()
        {
            return Ok(chunk.clone());
        }
        let stretch = lock(&self.kept).stretch(from)?;
        let chunk = Chunk::join(&stretch);
        self.last = Some(chunk.clone());
        Ok(chunk)
    }

    fn extent(&self) -> Range<OrderNumber> {
        let kept = lock(&self.kept);
        kept.oldest()..kept.next
    }

    fn fork(&self) -> Box<dyn LogReader> {
        Box::new(Self {
            kept: Arc::clone(&self.kept),
            last: None,
        })
    }
}
