//! A name that was asked for and is not given yet.

use super::Route;
use crate::core::order::Seat;
use crate::wire::Dialect;
use crate::wire::native::Start;

/// A peer that has asked for a name.
#[derive(Debug)]
pub(super) struct Sitting {
    pub(super) seat: Seat,
    pub(super) route: Route,
    pub(super) dialect: Dialect,
    pub(super) start: Start,
    pub(super) receives: bool,
}
