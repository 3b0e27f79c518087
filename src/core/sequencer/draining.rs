//! A broker that goes out of service.

use std::collections::BTreeSet;

use super::Index;
use crate::core::Time;
use crate::core::order::MemberId;
use crate::wire::OrderNumber;

/// What a new member is told that comes meanwhile.
pub(super) const CLOSING: &str = "the broker goes down and takes no new members";

/// What members are told.
pub(super) const GOES_DOWN: &str = "the broker goes down soon";

/// The broker is on its way out of service.
#[derive(Debug)]
pub(super) struct Draining {
    /// When it ends at the latest.
    pub(super) until: Time,
    /// Everything before this was accepted before it began, and is to be acknowledged.
    pub(super) target: OrderNumber,
    /// The writes that hold all of that.
    pub(super) index: Index,
    /// Members that may not have acknowledged it yet.
    pub(super) awaited: BTreeSet<MemberId>,
}
