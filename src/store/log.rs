//! What a log is to the rest of the broker, whether it lies on a disk or in memory.

use std::ops::Range;

use crate::core::{Chunk, Recovered};
use crate::wire::{LogId, OrderNumber};

/// The writing half of a log. One thread owns it.
///
/// Messages are safe once [`sync`](Self::sync) has returned: only then may anybody be told of
/// them. An error of `append`, `roll` or `sync` ends the log: what a failed sync has left on the
/// medium is unknown, and a second try would report success without having written
/// (Rebello et al., "Can Applications Recover from fsync Failures?", ATC 2020).
pub trait Log: Send {
    /// Which log this is.
    fn log_id(&self) -> LogId;

    /// Bytes that can be appended before [`roll`](Self::roll) is due.
    fn room(&self) -> usize;

    /// Whether a segment is ready to be rolled to: until one is, messages beyond
    /// [`room`](Self::room) must be refused.
    ///
    /// # Errors
    /// [`super::Error::NoSpace`] with what the medium said, while there is no room for one.
    fn can_roll(&mut self) -> Result<bool, super::Error>;

    /// Waits until [`can_roll`](Self::can_roll) has an answer that is not only "not yet".
    ///
    /// # Errors
    /// As [`can_roll`](Self::can_roll).
    fn await_roll(&mut self) -> Result<(), super::Error>;

    /// Begins the next segment with a snapshot of all sessions, an encoded
    /// [`Snapshot`](crate::wire::batch::Kind::Snapshot) batch, and lets go of segments that
    /// retention no longer keeps.
    ///
    /// # Errors
    /// Any error of the medium.
    fn roll(&mut self, snapshot: &[u8]) -> Result<(), super::Error>;

    /// Writes session changes, an encoded [`Sessions`](crate::wire::batch::Kind::Sessions)
    /// batch. They are safe after the next [`sync`](Self::sync).
    ///
    /// A session that is new must be written before its first messages, and may already count
    /// them: if a power cut leaves some messages, it must leave the session that sent them.
    ///
    /// # Errors
    /// Any error of the medium.
    fn append_sessions(&mut self, sessions: &[u8]) -> Result<(), super::Error>;

    /// Writes one batch of messages. They are safe after the next [`sync`](Self::sync).
    ///
    /// # Errors
    /// Any error of the medium.
    fn append(&mut self, batch: &Chunk) -> Result<(), super::Error>;

    /// Lets readers see everything that was written, although it is not safe yet: for brokers
    /// that were told to tell of messages before they are.
    ///
    /// # Errors
    /// [`super::Error::Ended`] after an earlier error.
    fn publish(&mut self) -> Result<(), super::Error>;

    /// Makes everything that was written safe, and lets readers see it.
    ///
    /// # Errors
    /// Any error of the medium.
    fn sync(&mut self) -> Result<(), super::Error>;

    /// The oldest message that is kept; equal to the next number if there is none.
    fn oldest(&self) -> OrderNumber;

    /// A handle for reading what is in the log, for use by another thread.
    fn reader(&self) -> Box<dyn LogReader>;

    /// Writes the mark of a log closed in good order, and syncs.
    ///
    /// # Errors
    /// Any error of the medium.
    fn close(self: Box<Self>) -> Result<(), super::Error>;
}

/// The reading half of a log. Any thread may have one.
pub trait LogReader: Send {
    /// Reads the stretch that holds `from`: whole batches, of which the first may begin before
    /// `from`. Stretches are cut at the same places for every reader, so that members that
    /// catch up side by side can share one.
    ///
    /// # Errors
    /// [`super::Error::Trimmed`] with the oldest number kept, [`super::Error::Beyond`] with the
    /// next one to come, or damage by its place.
    fn read(&mut self, from: OrderNumber) -> Result<Chunk, super::Error>;

    /// The messages that can be read: the oldest that is kept, and the next to come. It never
    /// waits for the medium.
    fn extent(&self) -> Range<OrderNumber>;

    /// Another reader of the same log.
    fn fork(&self) -> Box<dyn LogReader>;
}

/// What opening a log gives: the log, and what the broker was when it last wrote to it.
pub struct Opened {
    /// The log, ready to append to.
    pub log: Box<dyn Log>,
    /// Where the order, the epoch and the sessions stood.
    pub recovered: Recovered,
    /// What was cut off, for people to hear of.
    pub repair: Option<super::Repair>,
}
