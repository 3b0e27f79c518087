//! A new log of what is whole in a damaged one.
//!
//! It is another log, with an id of its own: clients of the damaged one must not take its numbers
//! for theirs. It holds messages only. Sessions belong to the log that is given up.
//!
//! Behind a damaged place it goes on where the batch's header says that the next one begins; if
//! the header is damaged itself, at the next mark, which no client can forge: a message may hold
//! any bytes, also those of a batch.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::Error;
use super::disk::Disk;
use super::medium::Medium;
use super::rebuilt::Rebuilt;
use super::segment::{HEADER_LEN, Header, Identity, Sequence};
use super::survey::{self, damaged};
use super::unfinished::Unfinished;
use super::walk::{Check, Step, Walk, remains};
use crate::wire::batch::{self, Kind};
use crate::wire::record::Record;
use crate::wire::{LogId, OrderNumber};

/// Messages that lay without a gap in the damaged log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Their numbers there.
    pub was: Range<OrderNumber>,
    /// The number of the first of them in the new log, which has no gaps.
    pub now: OrderNumber,
}

/// What was saved of a log.
#[derive(Debug)]
pub struct Salvaged {
    /// The new log.
    pub log_id: LogId,
    /// What it holds, oldest first; between two of them messages are lost.
    pub stretches: Vec<Stretch>,
    /// What was found damaged, oldest first.
    pub problems: Vec<Error>,
}

/// Makes a new log in the directory `to`, which must be empty or not be there, of what is whole
/// in the one in `directory`, which is only read.
///
/// # Errors
/// [`Error::NoLog`] if not one segment tells which log it is of; [`Error::NotEmpty`]; any error
/// of the medium. Then nothing is left in `to`.
pub fn salvage(directory: &Path, to: &Path) -> Result<Salvaged, Error> {
    let source = Disk::existing(directory);
    // Before a directory is made for it.
    identity_of(&source)?;
    let target = Disk::create(to).map_err(Error::io("create", to))?;
    let fresh = super::draw_identity().map_err(Error::io("draw an id for", to))?;
    salvage_on(&source, &target, fresh)
}

/// Makes a log with the identity `fresh` on one medium of what is whole on another, as
/// [`salvage`] does.
///
/// # Errors
/// As [`salvage`].
pub fn salvage_on(
    source: &dyn Medium,
    target: &dyn Medium,
    fresh: Identity,
) -> Result<Salvaged, Error> {
    let identity = identity_of(source)?;
    let mut files = Unfinished::new(target)?;
    let mut salvage = Salvage {
        source,
        identity,
        next: OrderNumber(0),
        fresh,
        new: None,
        files: &mut files,
        found: Salvaged {
            log_id: fresh.log_id,
            stretches: Vec::new(),
            problems: Vec::new(),
        },
    };
    let done = salvage.all();
    let found = salvage.found;
    let done = done.and_then(|()| files.name());
    if done.is_err() {
        files.discard();
    }
    done.map(|()| found)
}

/// Which log it is, by the first header that can be read.
fn identity_of(source: &dyn Medium) -> Result<Identity, Error> {
    let mut first_problem = None;
    for sequence in survey::list_all(source)? {
        match header_of(source, sequence) {
            Ok(header) => return Ok(header.identity),
            Err(problem) => first_problem = first_problem.or(Some(problem)),
        }
    }
    match first_problem {
        Some(problem) => Err(problem),
        None => Err(survey::no_log(source)?),
    }
}

fn header_of(source: &dyn Medium, sequence: Sequence) -> Result<Header, Error> {
    let path = survey::path(source, sequence);
    let file = source.open_to_read(&sequence.file_name());
    let file = file.map_err(Error::io("open", &path))?;
    let mut bytes = [0; HEADER_LEN];
    let read = file.read_at(&mut bytes, 0);
    let read = read.map_err(Error::io("read", &path))?;
    survey::decode(&bytes[..read], &path)
}

struct Salvage<'a, 'b> {
    source: &'a dyn Medium,
    /// The damaged log.
    identity: Identity,
    /// The number in the damaged log after the last message that was taken.
    next: OrderNumber,
    fresh: Identity,
    /// The new log, once there is a message for it.
    new: Option<Rebuilt>,
    files: &'b mut Unfinished<'a>,
    found: Salvaged,
}

impl Salvage<'_, '_> {
    fn all(&mut self) -> Result<(), Error> {
        let mut previous: Option<Sequence> = None;
        for sequence in survey::list_all(self.source)? {
            if let Some(missing) = previous.map(Sequence::next)
                && missing != sequence
            {
                self.problem(&survey::path(self.source, missing), 0, survey::MISSING);
            }
            previous = Some(sequence);
            self.segment(sequence)?;
        }
        let new = match self.new.take() {
            Some(new) => new,
            None => Rebuilt::begin(self.fresh, OrderNumber(0), self.files)?,
        };
        new.finish(self.files)
    }

    fn segment(&mut self, sequence: Sequence) -> Result<(), Error> {
        let path = survey::path(self.source, sequence);
        let first = match header_of(self.source, sequence) {
            Ok(header) if header.identity == self.identity => header.first.max(self.next),
            Ok(_) => {
                self.problem(
                    &path,
                    0,
                    "this segment is of another log than the first one",
                );
                return Ok(());
            }
            // An error of the medium is for a person: what it hides may be whole.
            Err(error @ (Error::Io { .. } | Error::NewerFormat { .. })) => return Err(error),
            Err(problem) => {
                self.found.problems.push(problem);
                self.next
            }
        };
        let file = self.source.open_to_read(&sequence.file_name());
        let file = file.map_err(Error::io("open", &path))?;
        let reading = || Error::io("read", &path);
        let walk = Walk::new(Arc::clone(&file), Check::Everything, self.identity, first);
        let mut walk = walk.map_err(reading())?;
        loop {
            let offset = walk.offset();
            let what = match walk.step().map_err(reading())? {
                Step::Batch { header, bytes, .. } => {
                    if header.kind == Kind::Messages {
                        self.take(&bytes[batch::HEADER_LEN..], header.count)?;
                    }
                    continue;
                }
                Step::Foreign { what, .. } => what,
                Step::End { reason, .. } => reason.to_string(),
            };
            // Those before it have led here, so it is the log's own, whatever is wrong with it.
            let (to, next) = match walk.by_its_header().map_err(reading())? {
                Some((header, body)) if header.log_id == self.identity.log_id => {
                    if header.kind == Kind::Messages {
                        self.take(body, header.count)?;
                    }
                    (offset + header.length as u64, header.end())
                }
                _ => {
                    let behind = remains(&*file, offset, self.identity).map_err(reading())?;
                    let Some(mark) = behind.mark else {
                        return Ok(());
                    };
                    walk.resume(mark, first);
                    let header = walk.by_its_header().map_err(reading())?;
                    (mark, header.map_or(first, |(mark, _)| mark.first))
                }
            };
            self.problem(&path, offset, what);
            walk.resume(to, next);
        }
    }

    fn problem(&mut self, path: &Path, offset: u64, what: impl Into<String>) {
        let problem = damaged(path.to_owned(), offset, Some(self.next), what);
        self.found.problems.push(problem);
    }

    /// Takes the records of a batch up to the first that is damaged.
    fn take(&mut self, mut body: &[u8], count: u32) -> Result<(), Error> {
        for _ in 0..count {
            let Ok((record, length)) = Record::verify(body) else {
                return Ok(());
            };
            body = &body[length..];
            if record.order >= self.next {
                self.keep(&record)?;
            }
        }
        Ok(())
    }

    fn keep(&mut self, record: &Record<'_>) -> Result<(), Error> {
        let was = record.order;
        let new = if let Some(new) = &mut self.new {
            new
        } else {
            let new = Rebuilt::begin(self.fresh, was, self.files)?;
            self.new.insert(new)
        };
        let now = new.push(record, self.files)?;
        self.next = was.plus(1);
        match self.found.stretches.last_mut() {
            Some(last) if last.was.end == was => last.was.end = self.next,
            _ => self.found.stretches.push(Stretch {
                was: was..self.next,
                now,
            }),
        }
        Ok(())
    }
}
