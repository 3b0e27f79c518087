//! A connection over plain TCP that is no member yet.

use crate::core::Time;
use crate::wire::OrderNumber;

/// When a connection becomes a member that has said nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unannounced {
    /// At the latest.
    pub(super) until: Time,
    /// The first number that it was to be sent.
    pub(super) begin: OrderNumber,
}
