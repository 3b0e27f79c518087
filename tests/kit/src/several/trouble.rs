//! What goes wrong in such a world, and that it ends.

use orden::core::Time;
use orden::stream::{Outage, StreamEvent};

use super::{Happening, World};

impl World {
    pub(super) fn trouble(&mut self) {
        if self.has_healed {
            return;
        }
        self.later(200_000, 6_000_000, Happening::Trouble);
        let broker = self.dice.index(self.brokers.len());
        match self.dice.below(8) {
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
            // One without a journal would have to believe what it reads.
            3 if self.brokers.len() > 1 && !self.is_evil => {
                self.count("machine lost");
                self.lose(broker);
            }
            4 => {
                self.count("broker stopped for a while");
                self.brokers[broker].is_stopped = true;
                self.later(500_000, 20_000_000, Happening::Continues(broker));
            }
            5 => {
                self.count("client stopped for a while");
                let client = self.dice.index(self.clients.len());
                let until = self.now + 1_000_000 + self.dice.below(15_000_000);
                self.clients[client].sleeps(Time(until));
            }
            6 => {
                self.count("stream full");
                self.engine.is_full = true;
                self.later(500_000, 5_000_000, Happening::HasRoom);
            }
            _ => {
                self.count("broker cut off");
                // It finds out itself that no server answers; what was on its way is gone.
                if let Some(process) = &self.brokers[broker].process {
                    process.stream.tell(StreamEvent::Down(Outage::NoServer));
                    let number = process.number;
                    self.at(self.now, Happening::Wakes(broker, number));
                }
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
        self.happen(Happening::HasRoom);
        for broker in 0..self.brokers.len() {
            self.happen(Happening::Continues(broker));
            self.happen(Happening::Joined(broker));
            self.start(broker);
        }
    }
}
