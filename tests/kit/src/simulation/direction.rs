//! One direction of a simulated connection.

use std::time::Duration;

use orden::core::Time;

use crate::simulation::dice::Dice;

/// Frames on their way in one direction.
#[derive(Debug, Default)]
pub(super) struct Direction {
    pub(super) sent: u64,
    pub(super) arrived: u64,
    /// How many will arrive in all, once it is known.
    pub(super) limit: Option<u64>,
    /// When the last one arrives.
    pub(super) last: Time,
}

impl Direction {
    /// Puts a frame on its way; says when it arrives.
    pub(super) fn send(&mut self, now: Time, delay: Duration) -> (u64, Time) {
        self.last = self.last.max(now + delay);
        self.sent += 1;
        (self.sent, self.last)
    }

    /// Whether a frame that is due arrives.
    pub(super) fn arrives(&mut self, number: u64) -> bool {
        self.arrived = number;
        self.limit.is_none_or(|limit| number <= limit)
    }

    pub(super) fn cut(&mut self, dice: &mut Dice) {
        let limit = dice.between(self.arrived, self.sent);
        self.limit = Some(self.limit.map_or(limit, |before| before.min(limit)));
    }
}
