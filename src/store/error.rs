//! What can go wrong with a log: one enum, whose messages are meant for operators.

use std::io;
use std::path::PathBuf;

use crate::wire::OrderNumber;

/// What can go wrong with a log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Bytes that had been safe are not what they were. Nothing is repaired silently: whoever
    /// saw those messages would otherwise see other ones under the same numbers.
    #[error("{}: damaged at byte {offset}{}: {what}; {hint}", file.display(), place(*order))]
    Damaged {
        /// The file that is damaged, or missing.
        file: PathBuf,
        /// Where in the file.
        offset: u64,
        /// The number of the first message that is in doubt, where that can be told.
        order: Option<OrderNumber>,
        /// What is wrong there.
        what: String,
        /// What one can do.
        hint: &'static str,
    },
    /// A log that a newer version has written.
    #[error("{}: format {found}, but this version reads up to format {known}", file.display())]
    NewerFormat {
        /// The file that says so.
        file: PathBuf,
        /// The format it is in.
        found: u32,
        /// The newest format that this version reads.
        known: u32,
    },
    /// Another broker has the directory.
    #[error("{}: in use by another broker; one directory serves one broker", .0.display())]
    InUse(PathBuf),
    /// No file of this process may be as large as a segment.
    #[error(
        "the file size limit of this process is {limit} bytes, less than a segment of {needed}"
    )]
    FileSizeLimit {
        /// What a file may have.
        limit: u64,
        /// What a segment has.
        needed: u64,
    },
    /// A directory without a log.
    #[error("no log in {}: {what}", directory.display())]
    NoLog {
        /// The directory.
        directory: PathBuf,
        /// What is there instead.
        what: &'static str,
    },
    /// A directory that a copy was to go to, and that holds something.
    #[error("{} is not empty: a log is copied into a directory of its own", .0.display())]
    NotEmpty(PathBuf),
    /// A single broker's log, opened as the journal of one of several.
    #[error("{}: the log of a single broker: several brokers cannot go on with it", .0.display())]
    NoPosition(PathBuf),
    /// There is no log yet, and no room to begin one.
    #[error("no space for the log: {0}")]
    NoSpace(super::shortage::Shortage),
    /// The medium refused.
    #[error("cannot {doing} {}: {source}", file.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// With which file.
        file: PathBuf,
        /// What the medium said.
        source: io::Error,
    },
    /// An earlier error has ended the log: what it left on the medium is unknown.
    #[error("the log has ended with an earlier error")]
    Ended,
    /// What was asked for is no longer kept.
    #[error("messages before {0} are no longer kept")]
    Trimmed(OrderNumber),
    /// What was asked for is not there yet; the next message gets this number.
    #[error("the next message gets number {0}")]
    Beyond(OrderNumber),
}

impl Error {
    /// Whether the log itself is not as it should be, so that a broker must not start on it.
    /// Everything else that ends a broker is the medium's doing.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::NewerFormat { .. })
    }

    /// For `map_err`: what was being done with which file.
    pub(super) fn io(
        doing: &'static str,
        file: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let file = file.into();
        move |source| Self::Io {
            doing,
            file,
            source,
        }
    }
}

fn place(order: Option<OrderNumber>) -> String {
    order.map_or_else(String::new, |order| format!(", order number {order}"))
}
