//! What others may know of the broker: who is how far, and what has happened how often.

use std::collections::BTreeMap;

use super::session::Session;
use crate::wire::{Dialect, Name, OrderNumber};

/// How far a member is: its line in the ACK map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberStatus {
    /// Who it is.
    pub name: Name,
    /// What it last spoke.
    pub dialect: Dialect,
    /// Whether it is connected, as far as the broker knows.
    pub present: bool,
    /// Whether it gets deliveries; one that only publishes is never behind.
    pub receives: bool,
    /// The first number that it has not acknowledged: the original's `expACK`.
    pub floor: OrderNumber,
    /// The next number to send to it; between `floor` and this it is in flight.
    pub next: OrderNumber,
}

impl MemberStatus {
    pub(super) fn of(session: &Session) -> Self {
        Self {
            name: session.name.clone(),
            dialect: session.dialect,
            present: session.is_present(),
            receives: session.receives,
            floor: session.floor,
            next: session.next,
        }
    }
}

/// What has happened how often since the broker started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Messages of members that were ordered.
    pub ordered: u64,
    /// Publishes that were known already and confirmed again.
    pub repeated: u64,
    /// Messages handed out, counted once for each member that gets it.
    pub delivered: u64,
    /// Times that sending went back to the first unacknowledged message.
    pub resent: u64,
    /// Sessions that began.
    pub joined: u64,
    /// Sessions that ended.
    pub left: u64,
    /// Messages that a dialect could not carry as they were.
    pub altered: u64,
    /// What was refused, by reason.
    pub refused: BTreeMap<&'static str, u64>,
}

impl Counters {
    /// Counts something that was refused.
    pub(super) fn refused(&mut self, reason: &'static str) {
        *self.refused.entry(reason).or_default() += 1;
    }
}
