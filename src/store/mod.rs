//! The durable log.

mod log;

pub use log::{Log, LogReader, Opened};

use crate::wire::OrderNumber;

/// What can go wrong with a log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No room for another segment.
    #[error("no space for the log: {0}")]
    NoSpace(std::io::Error),
    /// What was asked for is no longer kept.
    #[error("messages before {0} are no longer kept")]
    Trimmed(OrderNumber),
}
