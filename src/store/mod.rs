//! The durable log: what was confirmed or seen is never lost and never renumbered.
//!
//! ```text
//!  log        the contract with the sequencer: Log, LogReader
//!  file_log   append, commit, roll         reader    stretches of the order, every byte checked
//!  memory     the same without a medium    catalog   where messages lie, shared by both
//!  recovery   opening: torn or damaged?    maintenance  what is done beside; filling: zeros
//!  begin      a segment's head and name    retention what is kept
//!  syncing    syncs beside the messages
//!  segment    a file's header and name     mark      what proves that bytes had been synced
//!  figures    syncs, batches, space: to look at    foresight  the medium will be full
//!
//!  from outside, beside a broker:
//!  inspect    is a log whole?              dump      what is in it
//!  backup     a copy of it                 salvage   a new log of what is whole in a damaged one
//!  cursor     from segment to segment      vouched   how far a segment is on disk
//!  survey     which segments there are     walk      from batch to batch
//!
//!  medium     what files must be able to do; disk is the real one, tests simulate another
//! ```
//!
//! It decides nothing about the order, and knows nothing of peers. `docs/internals/journal.md`
//! describes the bytes, what is assumed of the medium, and what recovery does in each case.

pub mod mark;
pub mod medium;
pub mod segment;

mod backup;
mod begin;
mod catalog;
mod chores;
mod cursor;
mod disk;
mod dump;
mod error;
mod figures;
mod file_log;
mod filling;
mod foresight;
mod inspect;
mod log;
mod maintenance;
mod memory;
mod reader;
mod rebuilt;
mod recovery;
mod retention;
mod salvage;
mod shortage;
mod survey;
mod syncing;
mod unfinished;
mod vouched;
mod walk;

pub use backup::{Copied, backup, backup_on};
pub use begin::Beginning;
pub use dump::{Dump, dump, dump_on};
pub use error::Error;
pub use figures::{Figures, Histogram};
pub use inspect::{Ending, Report, SegmentReport, check, check_on};
pub use log::{Failure, Log, LogReader, Opened, Room};
pub use maintenance::Run;
pub use memory::{MemoryOptions, memory};
pub use recovery::Repair;
pub use salvage::{Salvaged, Stretch, salvage, salvage_on};
pub use segment::Identity;
pub use shortage::Shortage;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::wire::LogId;
use medium::Medium;

/// Bytes of a segment if nothing else is said.
pub const DEFAULT_SEGMENT_BYTES: u64 = 64 << 20;
/// The least that a segment may have.
pub const MIN_SEGMENT_BYTES: u64 = 4096;

/// Where a log lies and how much of it is kept. Without limits everything is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The directory; created if it is not there.
    pub directory: PathBuf,
    /// Bytes of a segment, at least [`MIN_SEGMENT_BYTES`].
    pub segment_bytes: u64,
    /// Keep at least so many bytes.
    pub retain_bytes: Option<u64>,
    /// Keep what is not older than this.
    pub retain_age: Option<Duration>,
    /// Keep at least so many messages.
    pub retain_messages: Option<u64>,
    /// Whether it is the journal of one of several brokers: then nothing counts that no
    /// [`Position`](crate::wire::batch::Kind::Position) mark follows.
    pub positions: bool,
}

impl Options {
    /// A log in this directory that keeps everything.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            segment_bytes: DEFAULT_SEGMENT_BYTES,
            retain_bytes: None,
            retain_age: None,
            retain_messages: None,
            positions: false,
        }
    }

    fn plan(&self, run: Run) -> file_log::Plan {
        file_log::Plan {
            segment_bytes: self.segment_bytes.max(MIN_SEGMENT_BYTES),
            retention: retention::Retention {
                bytes: self.retain_bytes,
                age: self.retain_age,
                messages: self.retain_messages,
            },
            run,
            positions: self.positions,
        }
    }
}

/// Opens the log in a directory, or begins one there.
///
/// # Errors
/// See [`Error`]; those for which [`Error::is_damage`] holds want a person's decision.
pub fn open(options: &Options) -> Result<Opened, Error> {
    open_as(options, || draw_identity().map(Beginning::from))
}

/// Opens the log in a directory, which must hold one.
///
/// # Errors
/// [`Error::NoLog`]; as [`open`].
pub fn open_existing(options: &Options) -> Result<Opened, Error> {
    let disk = disk::Disk::existing(&options.directory);
    if survey::list(&disk)?.is_empty() {
        return Err(survey::no_log(&disk)?);
    }
    open(options)
}

/// Opens the log in a directory; one that is begun is begun with `fresh`.
///
/// # Errors
/// As [`open`].
pub fn open_as(
    options: &Options,
    fresh: impl FnOnce() -> io::Result<Beginning>,
) -> Result<Opened, Error> {
    use rustix::process::{Resource, getrlimit};
    let needed = options.segment_bytes.max(MIN_SEGMENT_BYTES);
    // Met later, it would end the broker when the next segment is made.
    if let Some(limit) = getrlimit(Resource::Fsize).current
        && limit < needed
    {
        return Err(Error::FileSizeLimit { limit, needed });
    }
    let disk =
        disk::Disk::create(&options.directory).map_err(Error::io("create", &options.directory))?;
    file_log::FileLog::open(Arc::new(disk), options.plan(Run::Background), fresh)
}

/// Opens the log on any medium; one that is begun is begun with `fresh`. Of the options, the
/// directory means nothing here.
///
/// # Errors
/// As [`open`].
pub fn open_on(
    medium: Arc<dyn Medium>,
    options: &Options,
    run: Run,
    fresh: impl Into<Beginning>,
) -> Result<Opened, Error> {
    file_log::FileLog::open(medium, options.plan(run), || Ok(fresh.into()))
}

/// Draws what makes a new log unlike any other.
///
/// # Errors
/// If the system has no random numbers to give.
pub fn draw_identity() -> io::Result<Identity> {
    let draw = || getrandom::u64().map_err(io::Error::other);
    Ok(Identity {
        // 0 stands for no log; SQL, Java and JavaScript's BigInt64Array have integers with a sign.
        log_id: LogId((draw()? >> 1).max(1)),
        secret: draw()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_ids_have_63_bits() {
        let drawn: Vec<_> = (0..64).map(|_| draw_identity().unwrap().log_id.0).collect();
        assert!(drawn.iter().all(|&id| 0 < id && id < 1 << 63), "{drawn:?}");
    }
}
