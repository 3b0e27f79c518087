//! What goes wrong in such a world, and that it ends.

use super::{Happening, World};

impl World {
    pub(super) fn trouble(&mut self) {
        if self.has_healed {
            return;
        }
        self.later(200_000, 6_000_000, Happening::Trouble);
        let broker = self.dice.index(self.brokers.len());
        match self.dice.below(5) {
            0 => {
                self.count("broker killed");
                self.kill(broker, false);
            }
            1 => {
                self.count("power cut");
                self.kill(broker, true);
            }
            2 => {
                self.count("no leader");
                self.happen(Happening::Leader(false));
                self.later(500_000, 9_000_000, Happening::Leader(true));
            }
            3 => {
                self.count("broker stopped for a while");
                self.brokers[broker].is_stopped = true;
                self.later(500_000, 20_000_000, Happening::Continues(broker));
            }
            _ => {
                self.count("broker cut off");
                self.brokers[broker].is_cut_off = true;
                self.later(500_000, 20_000_000, Happening::Joined(broker));
            }
        }
    }

    pub(super) fn heal(&mut self) {
        self.has_healed = true;
        self.engine.mishaps = 0;
        self.happen(Happening::Released);
        self.happen(Happening::Leader(true));
        for broker in 0..self.brokers.len() {
            self.happen(Happening::Continues(broker));
            self.happen(Happening::Joined(broker));
            self.start(broker);
        }
    }

    /// Everything from some record on that all brokers had applied is gone.
    pub(super) fn break_word(&mut self) {
        self.engine.records.truncate(2);
        self.engine.release();
        self.count("records lost that were applied");
        self.happen(Happening::Leader(false));
        self.later(100_000, 900_000, Happening::Leader(true));
    }
}
