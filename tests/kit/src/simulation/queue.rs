//! What will happen when: the one queue of a simulation, and its clock.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use orden::core::Time;
use orden::wire::OrderNumber;

use crate::simulation::faults::Fault;
use crate::simulation::network::{ConnectionId, SocketId};

/// Something that will happen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Happening {
    /// The broker's sequencer looks at what has arrived, and at the time.
    BrokerWakes { incarnation: u64 },
    /// A sync ends.
    Synced { incarnation: u64 },
    /// The broker's loader has read a stretch of the log.
    Loaded { incarnation: u64, from: OrderNumber },
    /// What a crowd was sent has left the broker's sockets.
    Left { incarnation: u64 },
    /// The broker is started.
    BrokerStarts,
    /// A frame reaches the broker.
    ToBroker {
        connection: ConnectionId,
        number: u64,
        frame: Vec<u8>,
    },
    /// A frame reaches a peer.
    ToPeer {
        connection: ConnectionId,
        number: u64,
        frame: Vec<u8>,
    },
    /// A socket tries to connect.
    Dialed(SocketId),
    /// The broker's side notices the end of a connection.
    BrokerNotices(ConnectionId),
    /// The peer's side does.
    PeerNotices(ConnectionId),
    /// A peer looks at the time.
    PeerWakes(usize),
    /// A peer's process is started, or goes on.
    PeerStarts(usize),
    /// Something goes wrong.
    Goes(Fault),
    /// What went wrong for a while is mended.
    Mended(Fault),
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    now: Time,
    added: u64,
    heap: BinaryHeap<Reverse<(Time, u64, Happening)>>,
}

impl Queue {
    /// What time it is.
    pub(crate) fn now(&self) -> Time {
        self.now
    }

    /// Something will happen; what is added first happens first.
    pub(crate) fn add(&mut self, at: Time, happening: Happening) {
        self.added += 1;
        self.heap
            .push(Reverse((at.max(self.now), self.added, happening)));
    }

    /// The next thing that happens until then. The clock is set to it.
    pub(crate) fn next_until(&mut self, end: Time) -> Option<Happening> {
        let Reverse((at, _, _)) = self.heap.peek()?;
        if *at > end {
            self.now = end;
            return None;
        }
        let Reverse((at, _, happening)) = self.heap.pop()?;
        self.now = at;
        Some(happening)
    }
}
