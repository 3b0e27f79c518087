//! A log in memory that a crash can take the unsynced end from.
//!
//! It keeps what the machine gave it to write and recovers from that as the log on a disk does:
//! sessions and messages in the order in which they were written.

use orden::core::{Chunk, LoadError, Recovered, Write};
use orden::wire::batch::{HEADER_LEN, Header};
use orden::wire::sessions::SessionEntry;
use orden::wire::{Epoch, LogId, OrderNumber};

/// How many batches are read at a time.
const STRETCH: usize = 3;

/// What was written, oldest first, and how much of it is safe.
#[derive(Debug)]
pub(crate) struct MemoryLog {
    log_id: LogId,
    epoch: Epoch,
    writes: Vec<Write>,
    synced: usize,
    oldest: OrderNumber,
}

impl MemoryLog {
    /// A log that nothing was ever written to.
    pub(crate) fn new(log_id: LogId) -> Self {
        Self {
            log_id,
            epoch: Epoch(0),
            writes: Vec::new(),
            synced: 0,
            oldest: OrderNumber(0),
        }
    }

    /// Writes; safe after the next sync.
    pub(crate) fn append(&mut self, writes: Vec<Write>) {
        self.writes.extend(writes);
    }

    /// Makes everything that was written safe.
    pub(crate) fn sync(&mut self) {
        self.synced = self.writes.len();
    }

    /// Loses what was not safe, but for so many writes that made it to the medium.
    pub(crate) fn crash(&mut self, survive: usize) {
        self.writes.truncate(self.synced + survive);
        self.sync();
    }

    /// Lets go of whole batches that end at or before this number.
    pub(crate) fn trim(&mut self, before: OrderNumber) {
        let ends = self.chunks().map(Chunk::end);
        self.oldest = ends.filter(|&end| end <= before).max().unwrap_or_default();
    }

    /// The oldest message that is kept.
    pub(crate) fn oldest(&self) -> OrderNumber {
        self.oldest
    }

    /// Reads the stretch that holds `from`. As in the log on a disk, stretches begin at the same
    /// places for every reader, and the last one grows.
    pub(crate) fn read(&self, from: OrderNumber) -> Result<Chunk, LoadError> {
        if from < self.oldest {
            return Err(LoadError::Trimmed(self.oldest));
        }
        let chunks: Vec<_> = self
            .chunks()
            .filter(|chunk| chunk.end() > self.oldest)
            .collect();
        let holds = |stretch: &&[&Chunk]| stretch.last().is_some_and(|last| from < last.end());
        let Some(stretch) = chunks.chunks(STRETCH).find(holds) else {
            return Err(LoadError::Unreadable(format!("there is no {from} yet")));
        };
        let bytes = stretch.iter().map(|chunk| chunk.bytes().as_slice());
        Ok(Chunk::new(bytes.collect::<Vec<_>>().concat()).unwrap())
    }

    /// What a broker that starts now is told; each start is an epoch.
    pub(crate) fn open(&mut self) -> Recovered {
        let mut recovered = Recovered::default();
        self.replay(&mut recovered);
        self.epoch.0 += 1;
        recovered
    }

    fn replay(&self, recovered: &mut Recovered) {
        recovered.log_id = self.log_id;
        recovered.oldest = self.oldest;
        for write in &self.writes {
            match write {
                Write::Sessions(bytes) => {
                    recovered.enter(Header::decode(bytes).unwrap().epoch);
                    for entry in entries(bytes) {
                        recovered.change(entry);
                    }
                }
                Write::Messages(chunk) => {
                    recovered.enter(Header::decode(chunk.bytes()).unwrap().epoch);
                    for record in chunk.records() {
                        recovered.message(&record);
                    }
                }
            }
        }
        recovered.enter(self.epoch);
        recovered.finish();
    }

    fn chunks(&self) -> impl Iterator<Item = &Chunk> {
        self.writes.iter().filter_map(|write| match write {
            Write::Messages(chunk) => Some(chunk),
            Write::Sessions(_) => None,
        })
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
