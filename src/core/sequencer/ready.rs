//! What the broker's machine wants done.

use std::ops::Range;
use std::sync::Arc;

use super::{Reply, Route, Undelivered};
use crate::wire::reply::Code;
use crate::wire::{DecodeError, Dialect, Name, OrderNumber};

/// What may be done since the last time. What it gives out to send may always be sent: what
/// rests on writes has waited for them to be committed.
#[derive(Debug, Default)]
pub struct Ready {
    /// What to hand to the sockets, in this order.
    pub sends: Vec<Outgoing>,
    /// Whether that is so much that the machine wants to hear when it has left, by
    /// [`Input::Left`](super::Input::Left).
    pub is_crowded: bool,
    /// Connections to close after that: of plain TCP peers, and of peers whose key is not good
    /// for them.
    pub closes: Vec<Route>,
    /// Stretches of the log to read; each is answered by one
    /// [`Input::Loaded`](super::Input::Loaded).
    pub loads: Vec<OrderNumber>,
    /// What a person who reads the broker's log may want to know.
    pub events: Vec<Event>,
    /// What has become of instructions, for those who gave them.
    pub replies: Vec<Reply>,
    /// The broker was told to go out of service, and may end now: what it had accepted is
    /// finished, or its patience is at an end.
    pub drained: bool,
}

/// Frames for one or more connections, each of which gets them all, in order.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Who gets them.
    pub to: Vec<Route>,
    /// The frames of which `range` is to be sent.
    pub frames: Frames,
    /// Which of the frames.
    pub range: Range<usize>,
}

/// Encoded frames in one shared buffer. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Frames {
    bytes: Arc<Vec<u8>>,
    /// Where each frame ends; `None`: the buffer is one frame.
    ends: Option<Arc<Vec<usize>>>,
}

impl Frames {
    /// A buffer that is one frame.
    #[must_use]
    pub fn one(bytes: Arc<Vec<u8>>) -> Self {
        Self { bytes, ends: None }
    }

    /// A buffer of frames that end at these places, ascending, the last at the buffer's end.
    #[must_use]
    pub fn many(bytes: Vec<u8>, ends: Vec<usize>) -> Self {
        debug_assert_eq!(ends.last().copied().unwrap_or(0), bytes.len());
        Self {
            bytes: Arc::new(bytes),
            ends: Some(Arc::new(ends)),
        }
    }

    /// The buffer.
    #[must_use]
    pub fn bytes(&self) -> &Arc<Vec<u8>> {
        &self.bytes
    }

    /// How many frames there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.ends.as_ref().map_or(1, |ends| ends.len())
    }

    /// Where frame number `index` lies in the buffer.
    ///
    /// # Panics
    /// If there is no such frame.
    #[must_use]
    pub fn place(&self, index: usize) -> Range<usize> {
        match &self.ends {
            None => 0..self.bytes.len(),
            Some(ends) => index.checked_sub(1).map_or(0, |before| ends[before])..ends[index],
        }
    }

    /// Bytes of the frames in `range`.
    #[must_use]
    pub fn len_of(&self, range: &Range<usize>) -> usize {
        if range.is_empty() {
            return 0;
        }
        self.place(range.end - 1).end - self.place(range.start).start
    }

    /// Whether both are the same frames, not only equal ones.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.bytes, &other.bytes)
    }
}

/// Something worth a line in the broker's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A member is new.
    Joined(Name, Dialect),
    /// A known member is back.
    Returned(Name, Dialect),
    /// A member's connection is gone, or silent for too long.
    Away(Name),
    /// A member's session has ended.
    Left(Name),
    /// A second connection has taken a name over.
    Superseded(Name),
    /// A peer's bytes were refused.
    Undecodable(Option<Name>, DecodeError),
    /// A peer's message was refused.
    Refused(Option<Name>, Code),
    /// Somebody was not let in.
    TurnedAway(&'static str),
    /// A member is behind what is kept, and goes on from this number.
    Skipped(Name, OrderNumber),
    /// A message longer than a plain TCP peer can take was cut, or one that is not text was
    /// changed for a JSON peer.
    Altered(Dialect),
    /// A socket did not take a frame.
    Undelivered(Name, Undelivered),
    /// A stretch of the log could not be read.
    Unreadable(String),
    /// The log is short of something: messages are refused, members are still served.
    Short(String),
    /// It is short of nothing any more.
    RoomAgain,
}
