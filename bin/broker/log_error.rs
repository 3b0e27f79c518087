//! Why a look at a log comes to nothing, and how stretches of it are named.

use std::io;
use std::ops::Range;

use orden::store::Error;
use orden::wire::OrderNumber;

/// Why a look at a log came to nothing, or to something bad.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    /// The log.
    #[error(transparent)]
    Store(#[from] Error),
    /// stdout.
    #[error("cannot print: {0}")]
    Print(#[from] io::Error),
    /// A check found something.
    #[error("the log is not whole: {0} problems")]
    NotWhole(usize),
    /// A check found no log.
    #[error("nothing to check: {0}")]
    Nothing(Error),
}

impl LogError {
    /// Whether the log is damaged or not there, rather than out of reach.
    pub(crate) fn is_damage(&self) -> bool {
        match self {
            Self::Store(error) => error.is_damage(),
            Self::NotWhole(_) | Self::Nothing(_) => true,
            Self::Print(_) => false,
        }
    }

    /// What one can do.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::Store(Error::NoLog { .. }) | Self::Nothing(_) => {
                "give the directory itself that a broker was given with --data"
            }
            Self::Store(Error::Trimmed(_)) => "without --from it begins with the oldest message",
            _ if self.is_damage() => {
                "restore the directory from a backup, or save what is whole with \
                 `orden-broker log salvage`"
            }
            _ => "",
        }
    }
}

/// A range of messages in words.
pub(crate) fn shown(messages: &Range<OrderNumber>) -> String {
    match messages.end.since(messages.start) {
        0 => "no messages".into(),
        1 => format!("message {}", messages.start),
        count => format!(
            "messages {} to {}",
            messages.start,
            messages.start.plus(count - 1)
        ),
    }
}
