//! Looking at a log from outside: is it whole, and what is in it. It only reads, and a broker
//! may be writing all the while.
//!
//! The tail of a log that is being written to moves: nothing is called damage before it was
//! looked at again, after the mark that vouches for it was seen.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::cursor::is_gone;
use super::disk::Disk;
use super::medium::Medium;
use super::segment::{HEADER_LEN, Header, Sequence};
use super::survey::{self, Segment, damaged};
use super::walk::{Check, Step, Walk, remains};
use super::{Error, recovery};
use crate::wire::batch::{self, Kind};
use crate::wire::{DecodeError, Epoch, LogId, OrderNumber};

/// What a check of a whole log found.
#[derive(Debug)]
pub struct Report {
    /// Which log it is; `None` if not even that can be told.
    pub log_id: Option<LogId>,
    /// The last epoch in it.
    pub epoch: Epoch,
    /// Segment by segment, oldest first.
    pub segments: Vec<SegmentReport>,
    /// Everything that is not as it should be, oldest first.
    pub problems: Vec<Error>,
}

/// What a check found in one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentReport {
    /// Its file.
    pub file: PathBuf,
    /// The number of its first message.
    pub first: OrderNumber,
    /// The number after its last message.
    pub end: OrderNumber,
    /// Bytes in use; the rest of the file is zeros.
    pub bytes: u64,
    /// Batches of messages.
    pub batches: u64,
    /// Members that its snapshot knows.
    pub members: u64,
    /// Session changes after that.
    pub changes: u64,
    /// How it ends.
    pub ending: Ending,
}

/// How a segment ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The log goes on in the next segment.
    Continued,
    /// The log was closed in good order.
    Closed,
    /// A broker is writing to it, or was when it ended.
    Open,
    /// As `Open`, with so many bytes behind the end that are no batch yet, or no batch any more:
    /// the next start cuts them off.
    Unfinished(u64),
}

/// Checks every byte of the log in a directory.
///
/// # Errors
/// [`Error::NoLog`] if there is no segment; if the directory or a file of it cannot be read.
/// Damage is no error here, but in the report.
pub fn check(directory: &Path) -> Result<Report, Error> {
    check_on(&Disk::existing(directory))
}

/// Checks every byte of a log.
///
/// # Errors
/// As [`check`].
pub fn check_on(medium: &dyn Medium) -> Result<Report, Error> {
    let mut report = Report {
        log_id: None,
        epoch: Epoch(0),
        segments: Vec::new(),
        problems: Vec::new(),
    };
    let mut previous: Option<Header> = None;
    let mut waiting = segments(medium, &mut report)?;
    if waiting.is_empty() {
        return Err(survey::no_log(medium)?);
    }
    while let Some(sequence) = waiting.pop_front() {
        let segment = match survey::open(medium, sequence) {
            Ok(segment) => segment,
            Err(error) => {
                previous = None;
                if was_let_go(medium, sequence, &error)? {
                    continue;
                }
                if matches!(error, Error::Io { .. }) {
                    return Err(error);
                }
                report.problems.push(error);
                continue;
            }
        };
        let header = segment.header;
        if let Some(older) = previous.replace(header) {
            let end = report.segments.last().map(|older| older.end);
            let follows = survey::follows(medium, &older, &header);
            let joins = follows.and_then(|()| survey::joins(medium, end, &header));
            report.problems.extend(joins.err());
        }
        report.log_id.get_or_insert(header.identity.log_id);
        // A broker may have let go of this one and of those behind it meanwhile.
        let mut is_kept = true;
        let mut look = Look::new(medium, &segment);
        let mut problem = look.run(waiting.is_empty())?;
        if waiting.is_empty() {
            let later = survey::list_all(medium)?;
            is_kept = later.contains(&sequence);
            waiting.extend(later.into_iter().filter(|&later| later > sequence));
            if !waiting.is_empty() {
                // It was continued meanwhile, and is now complete.
                look = Look::new(medium, &segment);
                problem = look.run(false)?;
            }
        }
        if problem.is_some() || !is_kept {
            previous = None;
        }
        report.epoch = report.epoch.max(look.epoch);
        report.segments.push(look.report);
        report.problems.extend(problem);
    }
    Ok(report)
}

fn segments(medium: &dyn Medium, report: &mut Report) -> Result<VecDeque<Sequence>, Error> {
    match survey::list_beside_a_broker(medium) {
        Ok(sequences) => Ok(sequences.into()),
        Err(error @ Error::Io { .. }) => Err(error),
        Err(damage) => {
            report.problems.push(damage);
            Ok(survey::list_all(medium)?.into())
        }
    }
}

/// Whether a segment is not there since retention took it after the list was made.
fn was_let_go(medium: &dyn Medium, sequence: Sequence, error: &Error) -> Result<bool, Error> {
    match error {
        error if is_gone(error) => {
            let now = survey::list_all(medium)?;
            Ok(now.first().is_some_and(|&oldest| oldest > sequence))
        }
        _ => Ok(false),
    }
}

/// A look at one segment.
struct Look<'a> {
    segment: &'a Segment,
    path: PathBuf,
    epoch: Epoch,
    report: SegmentReport,
}

impl<'a> Look<'a> {
    fn new(medium: &dyn Medium, segment: &'a Segment) -> Self {
        let path = survey::path(medium, segment.header.sequence);
        Self {
            segment,
            epoch: segment.header.epoch,
            report: SegmentReport {
                file: path.clone(),
                first: segment.header.first,
                end: segment.header.first,
                bytes: HEADER_LEN as u64,
                batches: 0,
                members: 0,
                changes: 0,
                ending: Ending::Open,
            },
            path,
        }
    }

    /// Goes over everything; `newest` if there is no later segment. Gives what is wrong, or an
    /// error if the medium cannot be read.
    fn run(&mut self, newest: bool) -> Result<Option<Error>, Error> {
        let reading = || Error::io("read", &self.path);
        let (file, header) = (&self.segment.file, &self.segment.header);
        let mut walk = Walk::new(
            Arc::clone(file),
            Check::Everything,
            header.identity,
            header.first,
        )
        .map_err(reading())?;
        let mut looked_again_at = None;
        loop {
            let (offset, reason) = match walk.step().map_err(Error::io("read", &self.path))? {
                Step::Batch {
                    offset,
                    header,
                    bytes,
                } => {
                    if let Err(what) = self.count(offset, &header, bytes) {
                        return Ok(Some(self.wrong(what)));
                    }
                    continue;
                }
                Step::Foreign { what, .. } => return Ok(Some(self.wrong(what))),
                Step::End { offset, reason } => (offset, reason),
            };
            let behind =
                remains(&**file, offset, header.identity).map_err(Error::io("read", &self.path))?;
            let seen = Some((offset, behind.mark));
            if behind.written.is_empty() || looked_again_at == seen {
                let bytes = behind
                    .written
                    .iter()
                    .map(|range| range.end - range.start)
                    .sum();
                return Ok(self.end(newest, bytes, behind.mark, reason));
            }
            // It may have been written since it was read: what lies before a mark that was
            // there by then must be valid by now.
            looked_again_at = seen;
            walk.refresh().map_err(Error::io("read", &self.path))?;
        }
    }

    fn count(&mut self, offset: u64, header: &batch::Header, bytes: &[u8]) -> Result<(), String> {
        let first = offset == HEADER_LEN as u64;
        if first != (header.kind == Kind::Snapshot) {
            return Err("snapshots lie at the head of segments, and only there".into());
        }
        let entries = || {
            recovery::session_entries(header, &bytes[batch::HEADER_LEN..])
                .map_err(|reason| format!("session entries: {reason}"))
        };
        self.report.ending = Ending::Open;
        match header.kind {
            Kind::Messages => self.report.batches += 1,
            Kind::Snapshot => self.report.members = entries()?.len() as u64,
            Kind::Sessions => self.report.changes += entries()?.len() as u64,
            Kind::Synced | Kind::Position => {}
            Kind::Closed => self.report.ending = Ending::Closed,
            Kind::Continued => self.report.ending = Ending::Continued,
        }
        self.epoch = self.epoch.max(header.epoch);
        self.report.end = header.end();
        self.report.bytes = offset + header.length as u64;
        Ok(())
    }

    /// Judges what lies behind the last valid batch.
    fn end(
        &mut self,
        newest: bool,
        bytes: u64,
        mark: Option<u64>,
        reason: DecodeError,
    ) -> Option<Error> {
        let snapshot = self.report.bytes > HEADER_LEN as u64;
        if let Some(mark) = mark {
            let what = format!("{reason}, and by the mark at byte {mark} this had been safe");
            return Some(self.wrong(what));
        }
        if !snapshot {
            return Some(self.wrong(format!("the snapshot of the sessions: {reason}")));
        }
        if !newest && bytes > 0 {
            return Some(self.wrong(format!("{reason}, and the log goes on in a later segment")));
        }
        if newest && self.report.ending == Ending::Continued {
            let next = self.segment.header.sequence.next().file_name();
            let what = "this segment is missing, although the one before it leads to it";
            let next = self.path.with_file_name(next);
            return Some(damaged(next, 0, Some(self.report.end), what));
        }
        if !newest {
            self.report.ending = Ending::Continued;
        } else if bytes > 0 {
            self.report.ending = Ending::Unfinished(bytes);
        }
        None
    }

    fn wrong(&self, what: impl Into<String>) -> Error {
        let (path, end) = (self.path.clone(), self.report.end);
        damaged(path, self.report.bytes, Some(end), what)
    }
}
