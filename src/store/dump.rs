//! What is in a log, batch by batch, for people and scripts. It only reads, and a broker may be
//! writing and letting old segments go all the while.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Error;
use super::cursor::Cursor;
use super::disk::Disk;
use super::medium::Medium;
use super::survey::{self, Segment, damaged};
use super::vouched::{Vouched, Wrong};
use super::walk::{Check, Step, Walk};
use crate::core::Chunk;
use crate::wire::batch::Kind;
use crate::wire::{DecodeError, OrderNumber};

/// The batches of a log, in order, every byte checked, up to what is known to be on disk.
///
/// `next` gives `None` where the log ended when the dump began; asked again, it goes on with what
/// has come since. After an error there is nothing more.
pub struct Dump {
    medium: Arc<dyn Medium>,
    cursor: Cursor,
    from: OrderNumber,
    /// Whether what is written but not known to be on disk is given, too.
    unsynced: bool,
    open: Option<Reading>,
    /// Whether the end was reached, so that what is new is looked for.
    at_end: bool,
    failed: bool,
}

/// Dumps the log in a directory, from the batch that holds `from`; without it, from the oldest
/// message that is kept.
///
/// # Errors
/// [`Error::NoLog`] if there is none; [`Error::Trimmed`] if `from` is no longer kept; damage in
/// the list of segments or their headers.
pub fn dump(directory: &Path, from: impl Into<Option<OrderNumber>>) -> Result<Dump, Error> {
    dump_on(Arc::new(Disk::existing(directory)), from)
}

/// Dumps a log, as [`dump`] does.
///
/// # Errors
/// As [`dump`].
pub fn dump_on(
    medium: Arc<dyn Medium>,
    from: impl Into<Option<OrderNumber>>,
) -> Result<Dump, Error> {
    let from = from.into();
    let mut dump = Dump {
        cursor: Cursor::begin(&*medium, from)?,
        medium,
        from: from.unwrap_or(OrderNumber(0)),
        unsynced: false,
        open: None,
        at_end: false,
        failed: false,
    };
    dump.enter()?;
    Ok(dump)
}

impl Dump {
    /// Gives also what is written and not known to be on disk: a power cut can take these
    /// messages back and give their numbers to others.
    #[must_use]
    pub fn with_unsynced(mut self) -> Self {
        self.unsynced = true;
        self
    }

    /// The messages that were written but not known to be on disk when the end was reached.
    #[must_use]
    pub fn not_yet_safe(&self) -> Range<OrderNumber> {
        let reading = self.open.as_ref();
        reading.map_or(OrderNumber(0)..OrderNumber(0), |reading| {
            reading.vouched.safe().1..reading.vouched.written().1
        })
    }

    fn step(&mut self) -> Result<Option<Chunk>, Error> {
        if std::mem::take(&mut self.at_end) {
            self.cursor.look_again(&*self.medium)?;
            self.advance()?;
        }
        loop {
            let Some(reading) = &mut self.open else {
                return Ok(None);
            };
            // Before a segment that follows everything is safe: it was synced first.
            let full = self.cursor.has_more();
            let (end, next) = if full || self.unsynced {
                reading.vouched.written()
            } else {
                reading.vouched.safe()
            };
            let path = || survey::path(&*self.medium, reading.segment.header.sequence);
            // What nothing vouches for may be torn.
            let sound = if full { end } else { reading.vouched.safe().0 };
            if let Some(chunk) = batch_before(end, sound, self.from, &mut reading.walk, path)? {
                return Ok(Some(chunk));
            }
            if !full {
                self.at_end = true;
                return Ok(None);
            }
            self.cursor.leave(next);
            self.enter()?;
        }
    }

    fn enter(&mut self) -> Result<(), Error> {
        self.open = match self.cursor.enter(&*self.medium)? {
            Some(segment) => Some(Reading::new(&*self.medium, segment)?),
            None => None,
        };
        self.advance()
    }

    fn advance(&mut self) -> Result<(), Error> {
        let Some(reading) = &mut self.open else {
            return Ok(());
        };
        let path = || survey::path(&*self.medium, reading.segment.header.sequence);
        let advanced = reading.vouched.advance();
        advanced
            .map_err(Error::io("read", path()))?
            .map_err(|wrong| wrong.at(path()))
    }
}

/// A segment while it is read.
struct Reading {
    segment: Segment,
    walk: Walk,
    vouched: Vouched,
}

impl Reading {
    fn new(medium: &dyn Medium, segment: Segment) -> Result<Self, Error> {
        let (file, header) = (Arc::clone(&segment.file), &segment.header);
        let reading = || Error::io("read", survey::path(medium, header.sequence));
        let walk = Walk::new(file, Check::Everything, header.identity, header.first);
        Ok(Self {
            walk: walk.map_err(reading())?,
            vouched: Vouched::new(&segment, Check::Headers).map_err(reading())?,
            segment,
        })
    }
}

/// The next batch before byte `end` that holds messages from `from` on. Before byte `sound` an
/// invalid batch is damage, behind it the end.
fn batch_before(
    end: u64,
    sound: u64,
    from: OrderNumber,
    walk: &mut Walk,
    path: impl Fn() -> PathBuf,
) -> Result<Option<Chunk>, Error> {
    let mut looked_again = false;
    while walk.offset() < end {
        let next = walk.next_order();
        let (offset, what) = match walk.step().map_err(Error::io("read", path()))? {
            Step::Batch { header, bytes, .. } => {
                if header.kind == Kind::Messages && header.end() > from {
                    let wrong =
                        |reason: DecodeError| damaged(path(), 0, Some(next), reason.to_string());
                    return Chunk::new(bytes.to_vec()).map(Some).map_err(wrong);
                }
                continue;
            }
            Step::Foreign { offset, what } => (offset, what),
            Step::End { offset, reason } => (offset, reason.to_string()),
        };
        // What was read ahead may be older than what vouches for it.
        if looked_again && offset >= sound {
            return Ok(None);
        }
        if looked_again {
            return Err(damaged(path(), offset, Some(next), what));
        }
        looked_again = true;
        walk.refresh().map_err(Error::io("read", path()))?;
    }
    Ok(None)
}

impl Wrong {
    pub(super) fn at(self, file: PathBuf) -> Error {
        damaged(file, self.offset, Some(self.order), self.what)
    }
}

impl Iterator for Dump {
    type Item = Result<Chunk, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let step = self.step();
        self.failed = step.is_err();
        step.transpose()
    }
}
