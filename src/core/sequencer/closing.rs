//! Connections that are told why before they end.

use super::{Index, Route};
use crate::core::Time;

/// A connection that is told why before it ends.
#[derive(Debug)]
pub(super) struct Closing {
    /// When it ends at the earliest.
    pub(super) at: Time,
    /// The writes that what it is told rests on.
    pub(super) index: Index,
    pub(super) route: Route,
}
