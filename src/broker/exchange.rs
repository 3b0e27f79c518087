//! What passes between the broker's threads. Every channel is bounded, and what goes through it
//! is a burst: a lock and a wake-up are paid for many messages at once.

use crossbeam_channel::Sender;

use crate::core::{Declined, InputOf, Instruction, Outgoing, Route};

/// A frame as libzmq hands it over.
pub(super) type Frame = zmq::Message;

/// Bursts that may wait for the sequencer.
pub(super) const INBOUND_BURSTS: usize = 16;
/// Bursts that may wait for the dispatcher.
pub(super) const OUTBOUND_BURSTS: usize = 16;
/// Stretches of the log that may wait to be read.
pub(super) const LOADS: usize = 16;
/// Arrivals after which a burst is closed.
pub(super) const BURST_ARRIVALS: usize = 256;
/// Bytes after which a burst is closed.
pub(super) const BURST_BYTES: usize = 256 << 10;

/// What the sequencer hears.
pub(super) enum Inbound {
    /// For the machine, in this order.
    Arrivals(Vec<Arrival>),
    /// From an operator.
    Operator {
        /// What is to be done.
        instruction: Instruction,
        /// Who waits for the answer.
        reply: Sender<Result<(), Declined>>,
    },
    /// Nothing: a watchdog wants to see a round.
    Nudge,
    /// Nothing more will be taken in: finish what was.
    Stop,
}

/// One thing on its way to the machine.
pub(super) type Arrival = InputOf<Frame>;

impl Arrival {
    /// The bytes that a peer has sent with it.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Packet(packet) => packet.body.len(),
            Self::Bytes { bytes, .. } => bytes.len(),
            _ => 0,
        }
    }
}

/// What the dispatcher is to do, in this order.
pub(super) struct Outbound {
    /// Frames to send.
    pub(super) sends: Vec<Outgoing>,
    /// Whether the sequencer wants to hear when all of them have left.
    pub(super) is_crowded: bool,
    /// Connections to close.
    pub(super) closes: Vec<Route>,
}
