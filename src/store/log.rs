//! What a log is to the rest of the broker, wherever it lies.

use std::ops::Range;
use std::sync::Arc;

use super::Error;
use super::figures::Figures;
use super::shortage::Shortage;
use crate::core::{Chunk, Index, Recovered, Write};
use crate::wire::{LogId, OrderNumber};

/// The writing half of a log. One thread owns it.
///
/// Writes come in groups, each with its [`Index`]. A group is safe once
/// [`committed`](Self::committed) has reached its index: only then may anybody be told of it. A
/// final error ends the log: what a failed sync has left on the medium is unknown, and a second
/// try would report success without having written (Rebello et al., "Can Applications Recover
/// from fsync Failures?", ATC 2020).
pub trait Log: Send {
    /// Which log this is.
    fn log_id(&self) -> LogId;

    /// Appends one write of a group; all of it, or nothing that counts.
    ///
    /// A session that is new is written before its first messages, and may already count them:
    /// if a power cut leaves some messages, it leaves the session that sent them.
    ///
    /// # Errors
    /// [`Failure::Passing`] if there is no room for it now: the same write is to be tried again.
    fn append(&mut self, index: Index, write: &Write) -> Result<(), Failure>;

    /// Makes everything that was appended safe, and lets readers see it. What was begun beside is
    /// waited for.
    ///
    /// # Errors
    /// Any error of the medium; all are final.
    fn commit(&mut self) -> Result<(), Error>;

    /// Begins to make everything safe that was appended, and need not wait for it:
    /// [`committed`](Self::committed) says when it is. An error is that of a later call.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    fn begin_commit(&mut self) -> Result<(), Error> {
        self.commit()
    }

    /// The last group that is safe.
    fn committed(&self) -> Index;

    /// Lets readers see everything that was appended, although it is not safe yet: for brokers
    /// that were told to tell of messages before they are.
    ///
    /// # Errors
    /// [`Error::Ended`] after an earlier error.
    fn expose(&mut self) -> Result<(), Error>;

    /// Makes room for so many bytes more, as far as it can, and says how much there is. It may
    /// have to wait for the medium. To let go of what is old it asks for a `checkpoint`: an
    /// encoded [`Snapshot`](crate::wire::batch::Kind::Snapshot) of all sessions, as they are
    /// after everything that was appended.
    ///
    /// # Errors
    /// Any final error of the medium.
    fn make_room(
        &mut self,
        wanted: usize,
        checkpoint: &mut dyn FnMut() -> Vec<u8>,
    ) -> Result<Room, Error>;

    /// Lets go of what it need not keep. `needed` says, if it is asked, from which message on a
    /// connected member has not acknowledged. A log that has room for all of them, such as one on
    /// a disk, does nothing here.
    fn let_go(&mut self, needed: &mut dyn FnMut() -> OrderNumber) {
        let _ = needed;
    }

    /// The oldest message that is kept; equal to the next number if there is none.
    fn oldest(&self) -> OrderNumber;

    /// A handle for reading what is in the log, for use by another thread.
    fn reader(&self) -> Box<dyn LogReader>;

    /// What it tells of itself from now on.
    fn figures(&self) -> Arc<Figures> {
        Arc::default()
    }

    /// Ends in good order: everything is safe, and says that nothing follows.
    ///
    /// # Errors
    /// Any error of the medium.
    fn close(self: Box<Self>) -> Result<(), Error>;
}

/// How much a log can take.
#[derive(Debug)]
pub struct Room {
    /// Bytes that can be appended for sure.
    pub bytes: usize,
    /// What keeps it from making more.
    pub shortage: Option<Shortage>,
}

/// Why something was not appended.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It passes.
    #[error(transparent)]
    Passing(#[from] Shortage),
    /// It does not.
    #[error(transparent)]
    Final(#[from] Error),
}

/// The reading half of a log. Any thread may have one.
pub trait LogReader: Send {
    /// Reads the stretch that holds `from`: whole batches, of which the first may begin before
    /// `from`. Stretches are cut at the same places for every reader, so that members that
    /// catch up side by side can share one.
    ///
    /// # Errors
    /// [`Error::Trimmed`] with the oldest number kept, [`Error::Beyond`] with the next one to
    /// come, or damage by its place.
    fn read(&mut self, from: OrderNumber) -> Result<Chunk, Error>;

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
