//! A log in memory that a crash can take the uncommitted end from.
//!
//! It keeps what the commit loop appends and recovers from that as the log on a disk does:
//! sessions and messages in the order in which they were written.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};

use orden::core::{Chunk, Index, Recovered, Write};
use orden::store::{Error, Failure, Log, LogReader, Room};
use orden::wire::batch::{HEADER_LEN, Header};
use orden::wire::position_mark::PositionMark;
use orden::wire::sessions::SessionEntry;
use orden::wire::{Epoch, LogId, OrderNumber};

/// How many batches are read at a time.
const STRETCH: usize = 3;

/// A log that its commit loop and the scene share.
#[derive(Clone)]
pub(crate) struct MemoryLog(Arc<Mutex<State>>);

/// What was written, oldest first, and how much of it is safe.
struct State {
    log_id: LogId,
    epoch: Epoch,
    writes: Vec<(Index, Write)>,
    /// How many of the writes the scene was shown.
    shown: usize,
    /// How many of them are safe.
    safe: usize,
    appended: Index,
    committed: Index,
    oldest: OrderNumber,
    room: usize,
    /// Commits do not end.
    is_stalled: bool,
}

impl MemoryLog {
    /// A log that nothing was ever written to.
    pub(crate) fn new(log_id: LogId) -> Self {
        Self(Arc::new(Mutex::new(State {
            log_id,
            epoch: Epoch(0),
            writes: Vec::new(),
            shown: 0,
            safe: 0,
            appended: Index::default(),
            committed: Index::default(),
            oldest: OrderNumber(0),
            room: usize::MAX,
            is_stalled: false,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// What was written since the last time.
    pub(crate) fn take_new(&self) -> Vec<Write> {
        let mut state = self.state();
        let new = state.writes[state.shown..].iter();
        let new = new.map(|(_, write)| write.clone()).collect();
        state.shown = state.writes.len();
        new
    }

    /// Loses what was not safe, but for so many writes that made it to the medium.
    pub(crate) fn crash(&self, survive: usize) {
        let mut state = self.state();
        let kept = (state.safe + survive).min(state.writes.len());
        state.writes.truncate(kept);
        state.shown = kept;
        state.safe = kept;
        state.is_stalled = false;
    }

    /// Commits do not end, or do again.
    pub(crate) fn stall(&self, is_stalled: bool) {
        self.state().is_stalled = is_stalled;
    }

    /// How many bytes the log can still take.
    pub(crate) fn set_room(&self, bytes: usize) {
        self.state().room = bytes;
    }

    /// Lets go of whole batches that end at or before this number.
    pub(crate) fn trim(&self, before: OrderNumber) {
        let mut state = self.state();
        let ends = state.chunks().map(Chunk::end);
        state.oldest = ends.filter(|&end| end <= before).max().unwrap_or_default();
    }

    /// What a broker that starts now is told; each start is an epoch.
    pub(crate) fn open(&self) -> Recovered {
        let mut state = self.state();
        let mut recovered = Recovered::default();
        state.replay(&mut recovered);
        state.epoch.0 += 1;
        state.appended = Index::default();
        state.committed = Index::default();
        recovered
    }
}

impl State {
    fn replay(&self, recovered: &mut Recovered) {
        recovered.log_id = self.log_id;
        recovered.oldest = self.oldest;
        for (_, write) in &self.writes {
            match write {
                Write::Sessions(bytes) => {
                    recovered.enter(Header::decode(bytes).unwrap().epoch);
                    for entry in entries(bytes) {
                        recovered.change(&entry);
                    }
                }
                Write::Messages(chunk) => {
                    recovered.enter(Header::decode(chunk.bytes()).unwrap().epoch);
                    for record in chunk.records() {
                        recovered.message(&record);
                    }
                }
                Write::Position(bytes) => {
                    let mark = PositionMark::decode(&bytes[HEADER_LEN..]);
                    recovered.mark(mark.unwrap());
                }
            }
        }
        recovered.enter(self.epoch);
        recovered.finish();
    }

    fn chunks(&self) -> impl Iterator<Item = &Chunk> {
        self.writes.iter().filter_map(|(_, write)| match write {
            Write::Messages(chunk) => Some(chunk),
            Write::Sessions(_) | Write::Position(_) => None,
        })
    }
}

impl Log for MemoryLog {
    fn log_id(&self) -> LogId {
        self.state().log_id
    }

    fn append(&mut self, index: Index, write: &Write) -> Result<(), Failure> {
        let mut state = self.state();
        state.writes.push((index, write.clone()));
        state.appended = index;
        Ok(())
    }

    fn commit(&mut self) -> Result<(), Error> {
        let mut state = self.state();
        if !state.is_stalled {
            state.safe = state.writes.len();
            state.committed = state.appended;
        }
        Ok(())
    }

    fn committed(&self) -> Index {
        self.state().committed
    }

    fn expose(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn make_room(
        &mut self,
        _wanted: usize,
        _checkpoint: &mut dyn FnMut() -> Vec<u8>,
    ) -> Result<Room, Error> {
        let bytes = self.state().room;
        let shortage = None;
        Ok(Room { bytes, shortage })
    }

    fn oldest(&self) -> OrderNumber {
        self.state().oldest
    }

    fn reader(&self) -> Box<dyn LogReader> {
        Box::new(self.clone())
    }

    fn close(mut self: Box<Self>) -> Result<(), Error> {
        self.commit()
    }
}

/// As in the log on a disk, stretches begin at the same places for every reader, and the last one
/// grows.
impl LogReader for MemoryLog {
    fn read(&mut self, from: OrderNumber) -> Result<Chunk, Error> {
        let state = self.state();
        if from < state.oldest {
            return Err(Error::Trimmed(state.oldest));
        }
        let kept = state.chunks().filter(|chunk| chunk.end() > state.oldest);
        let chunks: Vec<_> = kept.collect();
        let holds = |stretch: &&[&Chunk]| stretch.last().is_some_and(|last| from < last.end());
        let Some(stretch) = chunks.chunks(STRETCH).find(holds) else {
            return Err(Error::Beyond(from));
        };
        let bytes = stretch.iter().map(|chunk| chunk.bytes().as_slice());
        Ok(Chunk::new(bytes.collect::<Vec<_>>().concat()).unwrap())
    }

    fn extent(&self) -> Range<OrderNumber> {
        let state = self.state();
        let end = state.chunks().last().map_or(state.oldest, Chunk::end);
        state.oldest..end
    }

    fn fork(&self) -> Box<dyn LogReader> {
        Box::new(self.clone())
    }
}

/// The entries of an encoded batch of session entries.
pub(crate) fn entries(batch: &[u8]) -> Vec<SessionEntry> {
    let header = Header::decode(batch).unwrap();
    let mut body = &batch[HEADER_LEN..header.length];
    let mut entries = Vec::new();
    while !body.is_empty() {
        let (entry, length) = SessionEntry::decode(body).unwrap();
        entries.push(entry);
        body = &body[length..];
    }
    entries
}
