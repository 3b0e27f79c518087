//! The log on a medium: the writing half.
//!
//! Appending is one write of the batch's own bytes, and a commit one sync of one file: nothing is
//! done per message. After a final error nothing is written any more.

mod safe;
mod tail;

use std::io;
use std::sync::Arc;

use super::begin::{Beginning, Current, begin, head_of, name_segment};
use super::catalog::{Catalog, Place};
use super::error::Error;
use super::figures::Figures;
use super::log::{Failure, Room};
use super::maintenance::{Job, Maintenance, Readiness, Run};
use super::mark;
use super::medium::Medium;
use super::reader::FileReader;
use super::recovery::recover;
use super::retention::{LogTime, Retention};
use super::segment::{Header, Identity};
use super::syncing::Syncing;
use super::{Log, LogReader, Opened};
use crate::core::{Chunk, Index, Write};
use crate::wire::batch::Kind;
use crate::wire::{Epoch, LogId, OrderNumber};

/// Bytes after which a sync is begun beside the messages, if they need not be safe before they are
/// told of: the next roll has little left to wait for then.
const SYNC_AFTER: u64 = 8 << 20;

/// How segments are made and kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) segment_bytes: u64,
    pub(super) retention: Retention,
    pub(super) run: Run,
    /// See [`super::Options::positions`].
    pub(super) positions: bool,
}

/// A log on a medium.
pub(super) struct FileLog {
    /// First, since it must have ended before the lock is let go.
    maintenance: Maintenance,
    syncing: Syncing,
    medium: Arc<dyn Medium>,
    plan: Plan,
    identity: Identity,
    epoch: Epoch,
    catalog: Arc<Catalog>,
    current: Current,
    next: OrderNumber,
    /// The last group of which something was appended, and the last one that is safe.
    appended: Index,
    committed: Index,
    /// What readers will see after the next commit.
    unexposed: Vec<(Place, Place)>,
    /// What the last roll has left to do. It begins once the group after the roll is safe, which
    /// would have to share the disk with it.
    chores: Vec<Job>,
    /// Whether anything was written since the last sync.
    dirty: bool,
    /// Where the mark lies that is the last thing in the segment.
    mark: Option<u64>,
    /// Whether the mark of this start is safe.
    is_begun: bool,
    /// How far a write that was short of space may have come, behind the tail.
    torn: u64,
    clock: LogTime,
    figures: Arc<Figures>,
    ended: bool,
    _lock: Box<dyn Send>,
}

impl FileLog {
    /// Opens the log on a medium, or begins one with `fresh`.
    pub(super) fn open(
        medium: Arc<dyn Medium>,
        plan: Plan,
        fresh: impl FnOnce() -> io::Result<Beginning>,
    ) -> Result<Opened, Error> {
        let lock = medium
            .lock()
            .map_err(Error::io("lock", medium.place()))?
            .ok_or_else(|| Error::InUse(medium.place().to_owned()))?;
        let maintenance = Maintenance::new(Arc::clone(&medium), plan.run)?;
        let found = if let Some(found) = recover(&*medium, plan.positions)? {
            found
        } else {
            let beginning = fresh().map_err(Error::io("draw an id for", medium.place()))?;
            begin(&*medium, &maintenance, plan.segment_bytes, beginning)?
        };
        let figures = Arc::new(Figures::of(&medium));
        let log = Self {
            maintenance,
            syncing: Syncing::new(plan.run, &figures),
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
            appended: Index::default(),
            committed: Index::default(),
            unexposed: Vec::new(),
            chores: Vec::new(),
            dirty: false,
            mark: found.mark,
            is_begun: found.is_begun,
            torn: 0,
            clock: LogTime::after(found.newest),
            figures,
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

    /// Does something that ends the log if it fails, unless something beside it has failed
    /// already: then what was appended may depend on what is not there.
    fn guarded<T, E: From<Error>>(
        &mut self,
        act: impl FnOnce(&mut Self) -> Result<T, E>,
        is_final: impl FnOnce(&E) -> bool,
    ) -> Result<T, E> {
        if self.ended {
            return Err(Error::Ended.into());
        }
        if let Err(error) = self.maintenance.check() {
            self.ended = true;
            return Err(error.into());
        }
        if let Err(error) = self.syncing.check() {
            self.ended = true;
            return Err(self.io("sync", error).into());
        }
        let result = act(self);
        self.ended = result.as_ref().is_err_and(is_final);
        result
    }

    fn append_chunk(&mut self, batch: &Chunk) -> Result<(), Failure> {
        assert_eq!(batch.first(), self.next, "the order has no gaps");
        let place = |order, offset| Place { order, offset };
        let start = place(batch.first(), self.current.tail);
        self.write(batch.bytes())?;
        let end = place(batch.end(), self.current.tail);
        self.unexposed.push((start, end));
        let messages = batch.end().since(batch.first());
        self.figures.add_batch(messages);
        self.next = batch.end();
        if !self.clock.is_set() {
            let wall = batch.records().next().map(|record| record.time);
            self.clock.set(wall, self.medium.uptime());
        }
        Ok(())
    }

    /// Bytes that fit into the current segment.
    fn room(&self) -> usize {
        let used = self.current.tail + mark::RESERVE;
        usize::try_from(self.current.limit.saturating_sub(used)).unwrap_or(usize::MAX)
    }

    /// Goes over to the next segment before the current one is too full. Only a shortage makes
    /// messages be refused: a slow medium is waited for.
    fn make_room(
        &mut self,
        wanted: usize,
        checkpoint: &mut dyn FnMut() -> Vec<u8>,
    ) -> Result<Room, Error> {
        self.do_chores();
        let mut shortage = match self.begin() {
            Ok(()) => None,
            Err(Failure::Passing(shortage)) => {
                return Ok(Room {
                    bytes: 0,
                    shortage: Some(shortage),
                });
            }
            Err(Failure::Final(error)) => return Err(error),
        };
        // While there is room for as much again, the next segment can still be made.
        while self.room() < 2 * wanted {
            let mut readiness = self.maintenance.readiness(self.current.following);
            if matches!(readiness, Readiness::NotYet) && self.room() < wanted {
                readiness = self.maintenance.wait(self.current.following);
                self.maintenance.check()?;
            }
            match readiness {
                Readiness::Ready(bytes) => {
                    match self.roll_if_it_pays(bytes, wanted, &checkpoint()) {
                        Ok(()) => {}
                        Err(Failure::Passing(why)) => shortage = Some(why),
                        Err(Failure::Final(error)) => return Err(error),
                    }
                }
                Readiness::NotYet => break,
                Readiness::Short(why) => shortage = Some(why),
            }
            if shortage.is_some() {
                break;
            }
        }
        let bytes = self.room();
        Ok(Room { bytes, shortage })
    }

    /// Rolls, unless the snapshot would fill so much of the next segment that it had to be rolled
    /// at once: then a larger one is made. Room is never counted that was not allocated.
    fn roll_if_it_pays(
        &mut self,
        bytes: u64,
        wanted: usize,
        snapshot: &[u8],
    ) -> Result<(), Failure> {
        let head = head_of(snapshot) + mark::RESERVE;
        if head + 2 * wanted as u64 > bytes {
            let messages = self.plan.segment_bytes.max(4 * wanted as u64);
            self.current.following = 2 * head + messages;
            // What was made ready is emptied and filled anew.
            drop(self.maintenance.take());
            return Ok(());
        }
        self.roll(snapshot)
    }

    fn roll(&mut self, snapshot: &[u8]) -> Result<(), Failure> {
        // Opening reads the newest segment only: nothing may be missing in the one before it.
        self.sync_and_mark()?;
        let newest = self.clock.at(self.medium.uptime());
        let (file, filled) = self.maintenance.take().ok_or(Error::Ended)?;
        let header = Header {
            identity: self.identity,
            epoch: self.epoch,
            sequence: self.current.sequence.next(),
            first: self.next,
            filled,
            newest,
        };
        let segment_bytes = self.plan.segment_bytes;
        let (current, entry) = name_segment(&*self.medium, file, &header, snapshot, segment_bytes)?;
        let full = std::mem::replace(&mut self.current, current);
        self.syncing
            .finish(self.current.tail)
            .map_err(|error| self.io("sync", error))?;
        self.mark_continued(full);
        self.mark = None;
        let (retention, next) = (self.plan.retention, self.next);
        let gone = self
            .catalog
            .roll(entry, |all| retention.surplus(all, next, newest));
        let removals = gone.into_iter();
        self.chores
            .extend(removals.map(|entry| Job::Remove(entry.sequence.file_name())));
        Ok(())
    }

    /// Says in a full segment that there is a next one, so that its loss is noticed.
    fn mark_continued(&mut self, full: Current) {
        self.chores.push(Job::Mark {
            name: full.sequence.file_name(),
            file: full.file,
            bytes: self.mark(Kind::Continued).encode(full.tail).to_vec(),
            offset: full.tail,
        });
    }

    fn do_chores(&mut self) {
        for job in self.chores.drain(..) {
            self.maintenance.give(job);
        }
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

    fn append(&mut self, index: Index, write: &Write) -> Result<(), Failure> {
        let append = |log: &mut Self| {
            log.settle()?;
            match write {
                Write::Sessions(bytes) | Write::Position(bytes) => log.write(bytes)?,
                Write::Messages(chunk) => log.append_chunk(chunk)?,
            }
            log.appended = index;
            Ok(())
        };
        let appended = self.guarded(append, |failure| matches!(failure, Failure::Final(_)));
        if matches!(appended, Err(Failure::Passing(_))) {
            self.figures.set_full(true);
        }
        appended
    }

    fn commit(&mut self) -> Result<(), Error> {
        self.guarded(Self::sync_and_mark, |_| true)
    }

    fn begin_commit(&mut self) -> Result<(), Error> {
        self.guarded(Self::sync_beside, |_| true)
    }

    fn committed(&self) -> Index {
        let beside = self.syncing.done().map(|(_, index)| index);
        self.committed.max(beside.unwrap_or_default())
    }

    fn expose(&mut self) -> Result<(), Error> {
        let expose = |log: &mut Self| {
            log.catalog.expose(log.unexposed.drain(..));
            log.prepare();
            let unsynced = log.current.tail.saturating_sub(log.syncing.asked());
            if unsynced >= SYNC_AFTER && !log.syncing.is_busy() {
                log.sync_beside()?;
            }
            Ok(())
        };
        self.guarded(expose, |_| true)
    }

    fn make_room(
        &mut self,
        wanted: usize,
        checkpoint: &mut dyn FnMut() -> Vec<u8>,
    ) -> Result<Room, Error> {
        let room = self.guarded(|log| log.make_room(wanted, checkpoint), |_| true)?;
        let is_full = room.shortage.is_some() && room.bytes < wanted;
        self.figures.set_full(is_full);
        Ok(room)
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

    fn figures(&self) -> Arc<Figures> {
        Arc::clone(&self.figures)
    }

    fn close(mut self: Box<Self>) -> Result<(), Error> {
        let close = |log: &mut Self| {
            log.sync_and_mark()?;
            log.do_chores();
            log.maintenance.finish()?;
            log.write_mark_if_it_fits(Kind::Closed)?;
            let synced = log.figures.time_sync(|| log.current.file.sync_data());
            synced.map_err(|error| log.io("sync", error))
        };
        self.guarded(close, |_| true)
    }
}
