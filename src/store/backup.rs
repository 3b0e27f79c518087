//! A copy of a log, also while a broker writes to it: whole, up to the last mark, and at no cost
//! for the broker.
//!
//! What lies before a mark is on disk and never changes. So a copy that ends at one is the log as
//! it stood when that mark was written, and a broker opens it as it would after a power cut.

use std::ops::Range;
use std::path::Path;

use super::Error;
use super::cursor::Cursor;
use super::disk::Disk;
use super::medium::Medium;
use super::survey::{self, Segment};
use super::unfinished::Unfinished;
use super::vouched::Vouched;
use super::walk::Check;
use crate::wire::{LogId, OrderNumber};

/// How much is copied at a time.
const PIECE: u64 = 1 << 20;
/// How often it is begun anew if retention takes what is next.
const TRIES: usize = 100;

/// What was copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Which log it is: a copy is the same log.
    pub log_id: LogId,
    /// The messages in it.
    pub messages: Range<OrderNumber>,
    /// Its files.
    pub segments: usize,
    /// Bytes that were copied; the zeros behind them are not counted.
    pub bytes: u64,
}

/// Copies the log in `directory` to the directory `to`, which must be empty or not be there.
/// Every byte is checked on the way.
///
/// # Errors
/// [`Error::NoLog`], [`Error::NotEmpty`], damage, or any error of the medium. Then nothing is
/// left in `to`.
pub fn backup(directory: &Path, to: &Path) -> Result<Copied, Error> {
    // Before a directory is made for it.
    let source = Disk::existing(directory);
    Cursor::begin(&source, None)?;
    let target = Disk::create(to).map_err(Error::io("create", to))?;
    backup_on(&source, &target)
}

/// Copies a log from one medium to another, as [`backup`] does.
///
/// # Errors
/// As [`backup`].
pub fn backup_on(source: &dyn Medium, target: &dyn Medium) -> Result<Copied, Error> {
    let mut tries = 0;
    loop {
        tries += 1;
        let mut files = Unfinished::new(target)?;
        let copied = copy(source, &mut files);
        match copied.and_then(|copied| files.name().map(|()| copied)) {
            Ok(copied) => return Ok(copied),
            Err(error) => {
                files.discard();
                // Retention was faster: what was copied is no longer kept, and not wanted either.
                if !matches!(error, Error::Trimmed(_)) || tries == TRIES {
                    return Err(error);
                }
            }
        }
    }
}

fn copy(source: &dyn Medium, files: &mut Unfinished<'_>) -> Result<Copied, Error> {
    let mut cursor = Cursor::begin(source, None)?;
    let mut copied: Option<Copied> = None;
    while let Some(segment) = cursor.enter(source)? {
        let header = segment.header;
        let path = survey::path(source, header.sequence);
        // Asked first: a segment that another follows is complete.
        let full = cursor.has_more();
        let vouched = Vouched::new(&segment, Check::Everything);
        let mut vouched = vouched.map_err(Error::io("read", &path))?;
        let advanced = vouched.advance().map_err(Error::io("read", &path))?;
        advanced.map_err(|wrong| wrong.at(path))?;
        let (end, next) = if full {
            vouched.written()
        } else {
            vouched.safe()
        };
        copy_segment(source, &segment, end, files)?;
        cursor.leave(next);
        let all = copied.get_or_insert(Copied {
            log_id: header.identity.log_id,
            messages: header.first..next,
            segments: 0,
            bytes: 0,
        });
        all.messages.end = next;
        all.segments += 1;
        all.bytes += end;
    }
    match copied {
        Some(copied) => Ok(copied),
        None => Err(survey::no_log(source)?),
    }
}

/// Copies a segment up to byte `end`.
fn copy_segment(
    source: &dyn Medium,
    segment: &Segment,
    end: u64,
    files: &mut Unfinished<'_>,
) -> Result<(), Error> {
    let sequence = segment.header.sequence;
    let file = files.create(sequence)?;
    let reading = || Error::io("read", survey::path(source, sequence));
    let mut buffer = Vec::new();
    let mut at = 0;
    while at < end {
        let length = PIECE.min(end - at);
        buffer.resize(usize::try_from(length).unwrap_or(usize::MAX), 0);
        let read = segment.file.read_at(&mut buffer, at).map_err(reading())?;
        if read < buffer.len() {
            return Err(reading()(std::io::ErrorKind::UnexpectedEof.into()));
        }
        let written = file.write_at(&buffer, at);
        written.map_err(files.failed("write", sequence))?;
        at += length;
    }
    files.complete(sequence, &*file, segment.header.filled)
}
