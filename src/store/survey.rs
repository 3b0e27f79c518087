//! Which segments there are, and whether their headers agree: what opening and inspecting a log
//! have in common. It reads headers only, so its time does not grow with what they hold.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Error;
use super::disk::LOCK;
use super::medium::{File, Medium};
use super::segment::{BadHeader, FILLING, FORMAT, HEADER_LEN, Header, Sequence};
use crate::wire::OrderNumber;

/// What can be done about nearly all damage.
pub(super) const RESTORE: &str = "restore the file from a copy, or begin a new log in another \
     directory; the broker does not start on a log that it cannot vouch for";
/// What is said of a gap in the segments.
pub(super) const MISSING: &str = "this segment is missing, although there are older and newer ones";
/// What can be done about a file that has become shorter.
const LENGTHEN: &str = "restore the file from a copy; or give up what was cut off, by bringing \
     it back to its length with `truncate -s`";

/// A segment's file, open to read, and what its header says.
pub(super) struct Segment {
    pub(super) header: Header,
    pub(super) file: Arc<dyn File>,
    pub(super) size: u64,
}

/// The segments of a directory, oldest first, whether or not some are missing.
pub(super) fn list_all(medium: &dyn Medium) -> Result<Vec<Sequence>, Error> {
    let names = medium.list().map_err(Error::io("list", medium.place()))?;
    let mut sequences: Vec<_> = names
        .iter()
        .filter_map(|name| Sequence::from_file_name(name))
        .collect();
    sequences.sort_unstable();
    Ok(sequences)
}

/// The segments of a directory, oldest first, without gaps.
pub(super) fn list(medium: &dyn Medium) -> Result<Vec<Sequence>, Error> {
    let sequences = list_all(medium)?;
    for pair in sequences.windows(2) {
        if pair[0].next() != pair[1] {
            return Err(damaged(path(medium, pair[0].next()), 0, None, MISSING));
        }
    }
    Ok(sequences)
}

/// The same beside a broker, which may begin and remove segments while the list is read: what
/// seems to be missing is only missing if it is each time.
pub(super) fn list_beside_a_broker(medium: &dyn Medium) -> Result<Vec<Sequence>, Error> {
    let mut listed = list(medium);
    for _ in 0..10 {
        if listed.is_ok() {
            break;
        }
        listed = list(medium);
    }
    listed
}

/// The error for a directory without a segment, which says what is there instead.
pub(super) fn no_log(medium: &dyn Medium) -> Result<Error, Error> {
    let names = medium.list().map_err(Error::io("list", medium.place()))?;
    let what = if names.is_empty() {
        "the directory is empty"
    } else if names.iter().any(|name| name == LOCK || name == FILLING) {
        "a broker has used the directory, but it holds no segment: they are gone, or its first \
         start was cut short"
    } else {
        "the directory holds other files, but no segment"
    };
    Ok(Error::NoLog {
        directory: medium.place().to_owned(),
        what,
    })
}

/// Opens a segment, to read only, and checks its header by itself.
pub(super) fn open(medium: &dyn Medium, sequence: Sequence) -> Result<Segment, Error> {
    let path = path(medium, sequence);
    let file = medium
        .open_to_read(&sequence.file_name())
        .map_err(Error::io("open", &path))?;
    let size = file.size().map_err(Error::io("read", &path))?;
    let mut bytes = [0; HEADER_LEN];
    let read = file
        .read_at(&mut bytes, 0)
        .map_err(Error::io("read", &path))?;
    let header = decode(&bytes[..read], &path)?;
    if header.sequence != sequence {
        let what = format!("this is segment {} by its header", header.sequence.0);
        return Err(damaged(path, 0, Some(header.first), what));
    }
    if size < header.filled {
        return Err(Error::Damaged {
            file: path,
            offset: size,
            order: Some(header.first),
            what: format!("the file ends here, but had {} bytes", header.filled),
            hint: LENGTHEN,
        });
    }
    Ok(Segment { header, file, size })
}

/// Reads the header of the segment in the file `path`.
pub(super) fn decode(bytes: &[u8], path: &Path) -> Result<Header, Error> {
    Header::decode(bytes).map_err(|bad| match bad {
        BadHeader::Damaged(what) => damaged(path.to_owned(), 0, None, what),
        BadHeader::Newer(found) => Error::NewerFormat {
            file: path.to_owned(),
            found,
            known: FORMAT,
        },
    })
}

/// Checks that a segment is of the same log as another, older one.
pub(super) fn follows(medium: &dyn Medium, older: &Header, newer: &Header) -> Result<(), Error> {
    let what = if older.identity != newer.identity {
        "this segment is of another log than the one before it"
    } else if older.first > newer.first || older.epoch > newer.epoch {
        "this segment is older than the one before it"
    } else {
        return Ok(());
    };
    let path = path(medium, newer.sequence);
    Err(damaged(path, 0, Some(newer.first), what))
}

/// Checks that a segment begins where the one before it ends.
pub(super) fn joins(
    medium: &dyn Medium,
    end: Option<OrderNumber>,
    newer: &Header,
) -> Result<(), Error> {
    match end {
        Some(end) if end != newer.first => {
            let what = format!("it begins with order number {}", newer.first);
            let path = path(medium, newer.sequence);
            Err(damaged(path, 0, Some(end), what))
        }
        _ => Ok(()),
    }
}

/// A segment's file, for messages to people.
pub(super) fn path(medium: &dyn Medium, sequence: Sequence) -> PathBuf {
    medium.place().join(sequence.file_name())
}

/// The error for damage about which nothing special can be done.
pub(super) fn damaged(
    file: PathBuf,
    offset: u64,
    order: Option<OrderNumber>,
    what: impl Into<String>,
) -> Error {
    Error::Damaged {
        file,
        offset,
        order,
        what: what.into(),
        hint: RESTORE,
    }
}
