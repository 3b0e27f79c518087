//! Writing a log beside, from single messages: the files of a salvaged log.

use std::sync::Arc;

use super::DEFAULT_SEGMENT_BYTES;
use super::Error;
use super::mark::Mark;
use super::medium::File;
use super::segment::{HEADER_LEN, Header, Identity, Sequence};
use super::unfinished::Unfinished;
use crate::core::OpenBatch;
use crate::wire::batch::{self, Kind};
use crate::wire::record::Record;
use crate::wire::{Epoch, OrderNumber};

/// How large a batch becomes.
const BATCH: usize = 256 << 10;
/// The epoch in which it is written. A broker that starts on it begins the next one.
const EPOCH: Epoch = Epoch(1);

/// A new log in the making. Its first message keeps its number, the others follow without gaps.
pub(super) struct Rebuilt {
    /// Of the segment that is written; `filled` is known at its end.
    header: Header,
    file: Arc<dyn File>,
    tail: u64,
    batch: OpenBatch,
    /// When the last message was ordered.
    newest: u64,
}

impl Rebuilt {
    /// Begins a log whose first message has the number `first`.
    pub(super) fn begin(
        identity: Identity,
        first: OrderNumber,
        files: &mut Unfinished<'_>,
    ) -> Result<Self, Error> {
        let header = Header {
            identity,
            epoch: EPOCH,
            sequence: Sequence(1),
            first,
            filled: 0,
            newest: 0,
        };
        let mut new = Self {
            file: files.create(header.sequence)?,
            header,
            tail: 0,
            batch: OpenBatch::new(first),
            newest: 0,
        };
        new.write_snapshot(files)?;
        Ok(new)
    }

    /// Takes a message and says which number it has now.
    pub(super) fn push(
        &mut self,
        record: &Record<'_>,
        files: &mut Unfinished<'_>,
    ) -> Result<OrderNumber, Error> {
        if self.batch.len() >= BATCH {
            self.write_batch(files)?;
            if self.tail > DEFAULT_SEGMENT_BYTES - BATCH as u64 {
                self.roll(files)?;
            }
        }
        self.newest = record.time;
        Ok(self.batch.push(*record))
    }

    /// Writes what is left and closes the log in good order.
    pub(super) fn finish(mut self, files: &Unfinished<'_>) -> Result<(), Error> {
        self.write_batch(files)?;
        self.complete(Kind::Closed, files)
    }

    fn roll(&mut self, files: &mut Unfinished<'_>) -> Result<(), Error> {
        self.complete(Kind::Continued, files)?;
        self.header.sequence = self.header.sequence.next();
        self.header.first = self.batch.next();
        self.header.newest = self.newest;
        self.file = files.create(self.header.sequence)?;
        self.write_snapshot(files)
    }

    /// Begins behind the header with a snapshot that knows no session.
    fn write_snapshot(&mut self, files: &Unfinished<'_>) -> Result<(), Error> {
        self.tail = HEADER_LEN as u64;
        let mut snapshot = vec![0; batch::HEADER_LEN];
        batch::Header {
            kind: Kind::Snapshot,
            length: snapshot.len(),
            count: 0,
            first: self.header.first,
            log_id: self.header.identity.log_id,
            epoch: EPOCH,
            body_checksum: 0,
        }
        .seal(&mut snapshot);
        self.write(&snapshot, files)
    }

    /// Writes the last mark and, now that the length is known, the header.
    fn complete(&mut self, kind: Kind, files: &Unfinished<'_>) -> Result<(), Error> {
        let mark = Mark {
            kind,
            identity: self.header.identity,
            epoch: EPOCH,
            next: self.batch.next(),
        };
        self.write(&mark.encode(self.tail), files)?;
        // Only the last one is written to again, and gets room for it.
        self.header.filled = match kind {
            Kind::Closed => DEFAULT_SEGMENT_BYTES.max(self.tail),
            _ => self.tail,
        };
        let sequence = self.header.sequence;
        let written = self.file.write_at(&self.header.encode(), 0);
        written.map_err(files.failed("write", sequence))?;
        files.complete(sequence, &*self.file, self.header.filled)
    }

    fn write_batch(&mut self, files: &Unfinished<'_>) -> Result<(), Error> {
        match self.batch.seal(self.header.identity.log_id, EPOCH) {
            Some(chunk) => self.write(chunk.bytes(), files),
            None => Ok(()),
        }
    }

    fn write(&mut self, bytes: &[u8], files: &Unfinished<'_>) -> Result<(), Error> {
        let written = self.file.write_at(bytes, self.tail);
        written.map_err(files.failed("write", self.header.sequence))?;
        self.tail += bytes.len() as u64;
        Ok(())
    }
}
