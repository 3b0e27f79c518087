//! The loader thread: reads stretches of the log for members that catch up, so that the
//! sequencer never waits for a disk on their behalf.

use crossbeam_channel::{Receiver, Sender};

use super::exchange::{Arrival, Inbound};
use crate::core::LoadError;
use crate::store::{Error, LogReader};
use crate::wire::OrderNumber;

/// Answers each request until the sequencer is gone.
pub(super) fn run(
    mut reader: Box<dyn LogReader>,
    requests: &Receiver<OrderNumber>,
    inbound: &Sender<Inbound>,
) {
    for from in requests {
        let result = reader.read(from).map_err(|error| match error {
            Error::Trimmed(oldest) => LoadError::Trimmed(oldest),
            damage if damage.is_damage() => LoadError::Damaged(damage.to_string()),
            other => LoadError::Unreadable(other.to_string()),
        });
        let loaded = Arrival::Loaded { from, result };
        // This waits when the sequencer has much to do: catching up comes after new messages.
        if inbound.send(Inbound::Arrivals(vec![loaded])).is_err() {
            return;
        }
    }
}
