//! What is in a log, batch by batch, for people and scripts. It only reads, and a broker may be
//! writing all the while: the end is where the log ended when the dump came to it.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Error;
use super::disk::Disk;
use super::medium::Medium;
use super::segment::Sequence;
use super::survey::{self, Segment, damaged};
use super::walk::{Check, Step, Walk};
use crate::core::Chunk;
use crate::wire::batch::Kind;
use crate::wire::{DecodeError, OrderNumber};

/// The batches of a log, in order, every byte checked; ends after the first error it yields.
pub struct Dump {
    medium: Arc<dyn Medium>,
    waiting: VecDeque<Sequence>,
    open: Option<(Segment, Walk)>,
    next: OrderNumber,
    from: OrderNumber,
}

/// Dumps the log in a directory, from the batch that holds `from`.
///
/// # Errors
/// [`Error::Trimmed`] if that is no longer kept; damage in the list of segments or their headers.
pub fn dump(directory: &Path, from: OrderNumber) -> Result<Dump, Error> {
    dump_on(Arc::new(Disk::existing(directory)), from)
}

/// Dumps a log, from the batch that holds `from`.
///
/// # Errors
/// As [`dump`].
pub fn dump_on(medium: Arc<dyn Medium>, from: OrderNumber) -> Result<Dump, Error> {
    let mut waiting = VecDeque::from(survey::list_beside_a_broker(&*medium)?);
    let mut next = OrderNumber(0);
    if let Some(&oldest) = waiting.front() {
        next = survey::open(&*medium, oldest)?.header.first;
        if from < next {
            return Err(Error::Trimmed(next));
        }
    }
    // Of the segments that begin at or before `from`, only the last is of interest.
    while let Some(&second) = waiting.get(1) {
        let first = survey::open(&*medium, second)?.header.first;
        if first > from {
            break;
        }
        next = first;
        waiting.pop_front();
    }
    Ok(Dump {
        medium,
        waiting,
        open: None,
        next,
        from,
    })
}

impl Dump {
    fn step(&mut self) -> Result<Option<Chunk>, Error> {
        loop {
            if self.open.is_none() {
                let Some(sequence) = self.waiting.pop_front() else {
                    return Ok(None);
                };
                self.open = Some(self.enter(sequence)?);
            }
            let Some((segment, walk)) = &mut self.open else {
                continue;
            };
            let sequence = segment.header.sequence;
            if let Some(chunk) = batch_from(self.from, walk)
                .map_err(|failed| failed.at(survey::path(&*self.medium, sequence)))?
            {
                self.next = chunk.end();
                return Ok(Some(chunk));
            }
            self.next = walk.next_order();
            if self.waiting.is_empty() {
                // It may have been continued since the list was made.
                let later = survey::list_beside_a_broker(&*self.medium)?.into_iter();
                self.waiting.extend(later.filter(|&later| later > sequence));
                if self.waiting.is_empty() {
                    self.open = None;
                    return Ok(None);
                }
                // Then there may be more in this one, too.
                walk.refresh()
                    .map_err(Error::io("read", survey::path(&*self.medium, sequence)))?;
                continue;
            }
            self.open = None;
        }
    }

    fn enter(&self, sequence: Sequence) -> Result<(Segment, Walk), Error> {
        let segment = survey::open(&*self.medium, sequence)?;
        survey::joins(&*self.medium, Some(self.next), &segment.header)?;
        let (file, identity) = (Arc::clone(&segment.file), segment.header.identity);
        let walk = Walk::new(file, Check::Everything, identity, self.next)
            .map_err(Error::io("read", survey::path(&*self.medium, sequence)))?;
        Ok((segment, walk))
    }
}

/// Why a walk did not give a batch.
enum Failed {
    Io(io::Error),
    Damaged(u64, OrderNumber, String),
}

impl Failed {
    fn at(self, file: PathBuf) -> Error {
        match self {
            Self::Io(error) => Error::io("read", file)(error),
            Self::Damaged(offset, order, what) => damaged(file, offset, Some(order), what),
        }
    }
}

/// The next batch that holds messages from `from` on; `None` where the segment ends so far.
fn batch_from(from: OrderNumber, walk: &mut Walk) -> Result<Option<Chunk>, Failed> {
    let mut seen_mark = None;
    loop {
        let next = walk.next_order();
        let (offset, reason) = match walk.step().map_err(Failed::Io)? {
            Step::Batch { header, bytes, .. } => {
                if header.kind == Kind::Messages && header.end() > from {
                    let wrong = |reason: DecodeError| Failed::Damaged(0, next, reason.to_string());
                    return Chunk::new(bytes.to_vec()).map(Some).map_err(wrong);
                }
                continue;
            }
            Step::Foreign { offset, what } => return Err(Failed::Damaged(offset, next, what)),
            Step::End { offset, reason } => (offset, reason),
        };
        let Some(mark) = walk.mark_behind().map_err(Failed::Io)? else {
            return Ok(None);
        };
        if seen_mark == Some(offset) {
            let what = format!("{reason}, and by the mark at byte {mark} this had been safe");
            return Err(Failed::Damaged(offset, next, what));
        }
        // It may have been written since it was read: what lies before a mark that was there by
        // then must be valid by now.
        seen_mark = Some(offset);
        walk.refresh().map_err(Failed::Io)?;
    }
}

impl Iterator for Dump {
    type Item = Result<Chunk, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step();
        if step.is_err() {
            self.open = None;
            self.waiting.clear();
        }
        step.transpose()
    }
}
