//! The log on a medium: the writing half.
//!
//! Appending is one write of the batch's own bytes, and a sync one sync of one file: nothing is
//! done per message. After any error nothing is written any more.

use std::io;
use std::sync::Arc;

use super::begin::{Current, begin, name_segment};
use super::catalog::{Catalog, Place};
use super::error::Error;
use super::helper::{Beside, Helper, Job};
use super::mark::{self, Mark};
use super::medium::Medium;
use super::reader::FileReader;
use super::recovery::recover;
use super::retention::Retention;
use super::segment::{Header, Identity};
use super::{Log, LogReader, Opened};
use crate::core::{Chunk, Mutant};
use crate::wire::batch::Kind;
use crate::wire::{Epoch, LogId, OrderNumber};

/// Room that is kept for marks: of the last sync, of a reopening, of the close or the roll.
const RESERVE: u64 = 4 * mark::LEN as u64;
/// Of a segment's bytes, the part after which the next one is made ready: a log that is hardly
/// used, or often restarted, does not cost a second segment.
const PREPARE_AFTER: u64 = 4;

/// How segments are made and kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) segment_bytes: u64,
    pub(super) retention: Retention,
    pub(super) beside: Beside,
}

/// A log on a medium.
pub(super) struct FileLog {
    /// First, since it must have ended before the lock is let go.
    helper: Helper,
    medium: Arc<dyn Medium>,
    plan: Plan,
    identity: Identity,
    epoch: Epoch,
    catalog: Arc<Catalog>,
    current: Current,
    next: OrderNumber,
    /// What readers will see after the next sync.
    unpublished: Vec<(Place, Place)>,
    /// Whether anything was written since the last sync.
    dirty: bool,
    /// The last batch: it has the newest time, which is looked at only when a segment is full.
    last: Option<Chunk>,
    newest: u64,
    ended: bool,
    _lock: Box<dyn Send>,
}

impl FileLog {
    /// Opens the log on a medium, or begins one with the identity `fresh`.
    pub(super) fn open(
        medium: Arc<dyn Medium>,
        plan: Plan,
        fresh: impl FnOnce() -> io::Result<Identity>,
    ) -> Result<Opened, Error> {
        let lock = medium
            .lock()
            .map_err(Error::io("lock", medium.place()))?
            .ok_or_else(|| Error::InUse(medium.place().to_owned()))?;
        let helper = Helper::new(Arc::clone(&medium), plan.beside)?;
        let found = if let Some(found) = recover(&*medium)? {
            found
        } else {
            let identity = fresh().map_err(Error::io("draw an id for", medium.place()))?;
            begin(&*medium, &helper, plan.segment_bytes, identity)?
        };
        let log = Self {
            helper,
            plan,
            identity: found.identity,
            epoch: Epoch(found.recovered.epoch.0 + 1),
            catalog: Arc::new(Catalog::new(found.entries)),
            current: Current {
                sequence: found.header.sequence,
                file: found.file,
                tail: found.tail,
                limit: found.header.filled,
                following: plan.segment_bytes,
            },
            next: found.recovered.next,
            unpublished: Vec::new(),
            dirty: false,
            last: None,
            newest: found.newest,
            ended: false,
            medium,
            _lock: lock,
        };
        Ok(Opened {
            log: Box::new(log),
            recovered: found.recovered,
            repair: found.repair,
        })
    }

    /// Does something that ends the log if it fails.
    fn guarded<T>(&mut self, act: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        if self.ended {
            return Err(Error::Ended);
        }
        let result = act(self);
        self.ended = result.is_err();
        result
    }

    /// Asks about the segment that follows. Want of space passes; any other error ends the log.
    fn of_the_next<T>(
        &mut self,
        ask: impl FnOnce(&Helper, u64) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if self.ended {
            return Err(Error::Ended);
        }
        let answer = ask(&self.helper, self.current.following);
        self.ended = matches!(&answer, Err(error) if !matches!(error, Error::NoSpace(_)));
        answer
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let Current { file, tail, .. } = &mut self.current;
        match file.write_at(bytes, *tail) {
            Ok(()) => {
                *tail += bytes.len() as u64;
                self.dirty = true;
                Ok(())
            }
            Err(error) => Err(self.io("write", error)),
        }
    }

    fn write_mark(&mut self, kind: Kind) -> Result<(), Error> {
        let mark = self.mark(kind).encode(self.current.tail);
        self.write(&mark)
    }

    fn mark(&self, kind: Kind) -> Mark {
        Mark {
            kind,
            identity: self.identity,
            epoch: self.epoch,
            next: self.next,
        }
    }

    fn sync_and_mark(&mut self) -> Result<(), Error> {
        if !self.dirty {
            return Ok(());
        }
        if !Mutant::TellBeforeSync.lives()
            && let Err(error) = self.current.file.sync_data()
            && !Mutant::SwallowSyncError.lives()
        {
            return Err(self.io("sync", error));
        }
        self.catalog.publish(self.unpublished.drain(..));
        self.write_mark(Kind::Synced)?;
        // The mark itself need not be safe: it goes with the next sync.
        self.dirty = false;
        if self.current.tail > self.current.limit / PREPARE_AFTER {
            self.helper.prepare(self.current.following);
        }
        Ok(())
    }

    fn roll_to_next(&mut self, snapshot: &[u8]) -> Result<(), Error> {
        // Opening reads the newest segment only: nothing may be missing in the one before it.
        self.sync_and_mark()?;
        if let Some(record) = self.last.take().and_then(|chunk| newest_of(&chunk)) {
            self.newest = record;
        }
        let (file, filled) = self.helper.take(self.current.following)?;
        let header = Header {
            identity: self.identity,
            epoch: self.epoch,
            sequence: self.current.sequence.next(),
            first: self.next,
            filled,
            newest: self.newest,
        };
        let segment_bytes = self.plan.segment_bytes;
        let (current, entry) = name_segment(&*self.medium, file, &header, snapshot, segment_bytes)?;
        let full = std::mem::replace(&mut self.current, current);
        self.mark_continued(full);
        let (retention, next, newest) = (self.plan.retention, self.next, self.newest);
        let gone = self
            .catalog
            .roll(entry, |all| retention.surplus(all, next, newest));
        for entry in gone {
            self.helper.give(Job::Remove(entry.sequence.file_name()));
        }
        Ok(())
    }

    /// Says in a full segment that there is a next one, so that its loss is noticed.
    fn mark_continued(&self, full: Current) {
        self.helper.give(Job::Mark {
            name: full.sequence.file_name(),
            file: full.file,
            bytes: self.mark(Kind::Continued).encode(full.tail).to_vec(),
            offset: full.tail,
        });
    }

    fn io(&self, doing: &'static str, error: io::Error) -> Error {
        let name = self.current.sequence.file_name();
        Error::io(doing, self.medium.place().join(name))(error)
    }
}

impl Log for FileLog {
    fn log_id(&self) -> LogId {
        self.identity.log_id
    }

    fn room(&self) -> usize {
        let used = self.current.tail + RESERVE;
        usize::try_from(self.current.limit.saturating_sub(used)).unwrap_or(usize::MAX)
    }

    fn can_roll(&mut self) -> Result<bool, Error> {
        self.of_the_next(Helper::is_ready)
    }

    fn await_roll(&mut self) -> Result<(), Error> {
        self.of_the_next(Helper::wait)
    }

    fn roll(&mut self, snapshot: &[u8]) -> Result<(), Error> {
        self.guarded(|log| log.roll_to_next(snapshot))
    }

    fn append_sessions(&mut self, sessions: &[u8]) -> Result<(), Error> {
        self.guarded(|log| log.write(sessions))
    }

    fn append(&mut self, batch: &Chunk) -> Result<(), Error> {
        assert_eq!(batch.first(), self.next, "the order has no gaps");
        self.guarded(|log| {
            let place = |order, offset| Place { order, offset };
            let start = place(batch.first(), log.current.tail);
            log.write(batch.bytes())?;
            let end = place(batch.end(), log.current.tail);
            log.unpublished.push((start, end));
            log.next = batch.end();
            log.last = Some(batch.clone());
            Ok(())
        })
    }

    fn publish(&mut self) -> Result<(), Error> {
        self.guarded(|log| {
            log.catalog.publish(log.unpublished.drain(..));
            Ok(())
        })
    }

    fn sync(&mut self) -> Result<(), Error> {
        self.guarded(Self::sync_and_mark)
    }

    fn oldest(&self) -> OrderNumber {
        self.catalog.oldest()
    }

    fn reader(&self) -> Box<dyn LogReader> {
        Box::new(FileReader::new(
            Arc::clone(&self.medium),
            Arc::clone(&self.catalog),
            self.identity,
        ))
    }

    fn close(mut self: Box<Self>) -> Result<(), Error> {
        self.guarded(|log| {
            log.sync_and_mark()?;
            log.write_mark(Kind::Closed)?;
            log.current
                .file
                .sync_data()
                .map_err(|error| log.io("sync", error))
        })
    }
}

/// When the last message of a chunk was ordered.
fn newest_of(chunk: &Chunk) -> Option<u64> {
    chunk.records().last().map(|record| record.time)
}
