//! A state that is to be in the stream, as this broker has it.

use crate::core::Time;
use crate::wire::Position;

/// See the module.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) of: Position,
    pub(super) state: Vec<u8>,
    pub(super) digest: u64,
    /// When it became due, or its last part came.
    pub(super) since: Time,
    /// Whether a part is under way that this broker has proposed.
    pub(super) is_under_way: bool,
}

impl Due {
    /// This broker has another writer: nothing is under way.
    pub(super) fn begin_anew(&mut self) {
        self.is_under_way = false;
    }
}
