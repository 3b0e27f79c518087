//! The ACK map: how far each member is, under a lock, for others to look at while the sequencer
//! runs. The sequencer's own state is elsewhere; it writes here once a round,
//! before it answers anybody.

use std::sync::{Arc, Mutex, PoisonError};

use crate::core::{Counters, MemberStatus, Sequencer};
use crate::wire::OrderNumber;

/// What the broker looks like from outside.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// Every member, present or away, in no particular order.
    pub members: Vec<MemberStatus>,
    /// What has happened how often since the start.
    pub counters: Counters,
    /// The number that the next message gets.
    pub next: OrderNumber,
}

/// A view of the broker's state. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct AckMap(Arc<Mutex<Shown>>);

#[derive(Debug, Default)]
struct Shown {
    /// By session id.
    members: Vec<Option<MemberStatus>>,
    counters: Counters,
    next: OrderNumber,
}

impl AckMap {
    /// A copy of what it shows now.
    pub fn status(&self) -> Status {
        let shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Status {
            members: shown.members.iter().flatten().cloned().collect(),
            counters: shown.counters.clone(),
            next: shown.next,
        }
    }

    /// Shows what has changed since the last time.
    pub(super) fn show(&self, machine: &mut Sequencer) {
        let mut shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        machine.changed_status(|id, status| {
            if shown.members.len() <= id.0 {
                shown.members.resize(id.0 + 1, None);
            }
            shown.members[id.0] = status;
        });
        shown.counters.clone_from(machine.counters());
        shown.next = machine.next_order();
    }
}
