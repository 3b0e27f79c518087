//! The log on a medium: the reading half.
//!
//! It reads what is synced, a stretch at a time, and checks every byte before handing it out:
//! damage is an error with its place, never a message.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::LogReader;
use super::catalog::{Catalog, Index, Located, Place};
use super::error::Error;
use super::medium::{File, Medium};
use super::segment::{Identity, Sequence};
use super::survey::{self, damaged};
use super::walk::{Check, Step, Walk, why_not_due};
use crate::core::{Chunk, Mutant};
use crate::wire::batch::{self, Kind};
use crate::wire::{DecodeError, OrderNumber};

/// Reads a log; each has its own open file.
pub(super) struct FileReader {
    medium: Arc<dyn Medium>,
    catalog: Arc<Catalog>,
    identity: Identity,
    file: Option<(Sequence, Arc<dyn File>)>,
    /// The last stretch: members that catch up side by side ask for it again and again.
    last: Option<Chunk>,
}

impl FileReader {
    pub(super) fn new(medium: Arc<dyn Medium>, catalog: Arc<Catalog>, identity: Identity) -> Self {
        Self {
            medium,
            catalog,
            identity,
            file: None,
            last: None,
        }
    }

    fn find(&mut self, from: OrderNumber) -> Result<Chunk, Error> {
        loop {
            match self.catalog.locate(from) {
                Located::Trimmed(oldest) => return Err(Error::Trimmed(oldest)),
                Located::Beyond(next) => return Err(Error::Beyond(next)),
                Located::Stretch {
                    sequence,
                    start,
                    end,
                } => {
                    let file = self.open(sequence)?;
                    return self.fetch(&*file, sequence, start, end);
                }
                Located::Unread {
                    sequence,
                    first,
                    end,
                } => {
                    let file = self.open(sequence)?;
                    let index = self.index(&file, sequence, first, end)?;
                    self.catalog.learn(sequence, index);
                }
            }
        }
    }

    fn open(&mut self, sequence: Sequence) -> Result<Arc<dyn File>, Error> {
        if let Some((open, file)) = &self.file
            && *open == sequence
        {
            return Ok(Arc::clone(file));
        }
        let path = survey::path(&*self.medium, sequence);
        let file = self
            .medium
            .open_to_read(&sequence.file_name())
            .map_err(Error::io("open", path))?;
        self.file = Some((sequence, Arc::clone(&file)));
        Ok(file)
    }

    /// Reads where the batches of a full segment lie.
    fn index(
        &self,
        file: &Arc<dyn File>,
        sequence: Sequence,
        first: OrderNumber,
        end: OrderNumber,
    ) -> Result<Index, Error> {
        let path = survey::path(&*self.medium, sequence);
        let mut index = Index::empty(Place {
            order: first,
            offset: 0,
        });
        let mut walk = Walk::new(Arc::clone(file), Check::Headers, self.identity, first)
            .map_err(Error::io("read", &path))?;
        while walk.next_order() < end {
            let next = walk.next_order();
            let (offset, what) = match walk.step().map_err(Error::io("read", &path))? {
                Step::Batch { offset, header, .. } => {
                    if header.kind == Kind::Messages {
                        let after = offset + header.length as u64;
                        let place = |order, offset| Place { order, offset };
                        index.push(place(header.first, offset), place(header.end(), after));
                    }
                    continue;
                }
                Step::End { offset, reason } => (offset, reason.to_string()),
                Step::Foreign { offset, what } => (offset, what),
            };
            return Err(damaged(path, offset, Some(next), what));
        }
        if walk.next_order() == end {
            return Ok(index);
        }
        let what = format!("the segment does not end with order number {end}");
        Err(damaged(path, 0, Some(end), what))
    }

    /// Reads a stretch, checks it, and takes out what are no messages.
    fn fetch(
        &self,
        file: &dyn File,
        sequence: Sequence,
        start: Place,
        end: Place,
    ) -> Result<Chunk, Error> {
        let path = || survey::path(&*self.medium, sequence);
        let length = usize::try_from(end.offset - start.offset).unwrap_or(usize::MAX);
        let mut bytes = vec![0; length];
        let read = file
            .read_at(&mut bytes, start.offset)
            .map_err(Error::io("read", path()))?;
        bytes.truncate(read);
        let wrong = |(offset, order, what): (usize, OrderNumber, String)| {
            damaged(path(), start.offset + offset as u64, Some(order), what)
        };
        let kept = keep_messages(&mut bytes, start, end.order, self.identity).map_err(wrong)?;
        bytes.truncate(kept);
        Chunk::new(bytes).map_err(|reason| wrong((0, start.order, reason.to_string())))
    }
}

impl LogReader for FileReader {
    fn read(&mut self, from: OrderNumber) -> Result<Chunk, Error> {
        if let Some(chunk) = &self.last
            && chunk.first() <= from
            && from < chunk.end()
        {
            return Ok(chunk.clone());
        }
        let chunk = match self.find(from) {
            // The segment may have been let go after it was looked up.
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                self.find(from)?
            }
            other => other?,
        };
        self.last = Some(chunk.clone());
        Ok(chunk)
    }

    fn extent(&self) -> Range<OrderNumber> {
        self.catalog.extent()
    }

    fn fork(&self) -> Box<dyn LogReader> {
        let (medium, catalog) = (Arc::clone(&self.medium), Arc::clone(&self.catalog));
        Box::new(Self::new(medium, catalog, self.identity))
    }
}

/// Checks batch after batch, moves those of messages together, and says where they end.
fn keep_messages(
    bytes: &mut [u8],
    start: Place,
    end: OrderNumber,
    identity: Identity,
) -> Result<usize, (usize, OrderNumber, String)> {
    let mut next = start.order;
    let mut kept = 0;
    let mut at = 0;
    while at < bytes.len() {
        let here = &bytes[at..];
        let wrong = |what: String| (at, next, what);
        let checked = if Mutant::TrustWhatIsRead.lives() {
            batch::Header::decode(here)
        } else {
            batch::verify(here)
        };
        let header = checked.map_err(|reason: DecodeError| wrong(reason.to_string()))?;
        let offset = start.offset + at as u64;
        if let Some(what) = why_not_due(&header, here, offset, identity, next) {
            return Err(wrong(what));
        }
        if header.kind == Kind::Messages {
            bytes.copy_within(at..at + header.length, kept);
            kept += header.length;
            next = header.end();
        }
        at += header.length;
    }
    if next == end {
        Ok(kept)
    } else {
        Err((at, next, "messages are missing here".into()))
    }
}
