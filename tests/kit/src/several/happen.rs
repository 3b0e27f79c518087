//! What happens in such a world, one thing at a time.

use orden::core::{PacketOf, Time};
use orden::stream::StreamEvent;
use orden::wire::Position;

use super::client::LOOK_EVERY;
use super::{Happening, World, routing_id};

/// How often the engine says how far it goes.
const TELL_EVERY: u64 = 1_000_000;

impl World {
    pub(super) fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Starts(broker) => self.start(broker),
            Happening::Wakes(broker, process) => self.wake(broker, process),
            Happening::Appends {
                broker,
                process,
                tag,
                record,
                fate,
            } => self.append(broker, process, tag, record, fate),
            Happening::Hears(broker, process, mail) => self.hear(broker, process, mail),
            Happening::Fetches(broker, process, from, most) => {
                for event in self.engine.fetch(broker, from, most) {
                    self.send_event(broker, process, event, 50);
                }
            }
            Happening::ReadsAgain(broker, process, at) => {
                let event = StreamEvent::ReadAgain {
                    position: Position(at),
                    record: self.engine.record_for(broker, at),
                };
                self.send_event(broker, process, event, 2_000);
            }
            Happening::Purges(below) => self.engine.purge(below),
            Happening::Looks(client) => {
                let wishes = self.clients[client].looks(Time(self.now));
                self.grant(client, wishes);
                self.at(self.now + LOOK_EVERY, Happening::Looks(client));
            }
            Happening::ToBroker(broker, process, client, connection, body) => {
                self.carry(broker, process, routing_id(client, connection), body);
            }
            Happening::ToClient(client, connection, frame) => {
                let at = self.clients[client].at;
                if at.is_some_and(|(_, number)| number == connection) {
                    let wishes = self.clients[client].hears(Time(self.now), &frame);
                    self.grant(client, wishes);
                }
            }
            Happening::Trouble => self.trouble(),
            Happening::Leader(there) => {
                self.engine.has_leader = there;
                for broker in 0..self.brokers.len() {
                    self.tell_up(broker);
                }
            }
            Happening::Continues(broker) => {
                self.brokers[broker].is_stopped = false;
                if let Some(number) = self.process_of(broker) {
                    self.at(self.now, Happening::Wakes(broker, number));
                }
            }
            Happening::Joined(broker) => {
                self.brokers[broker].is_cut_off = false;
                self.tell_up(broker);
            }
            Happening::HasRoom => self.engine.is_full = false,
            Happening::TellsExtent => self.tell_extent(),
            Happening::Released => {
                let before = self.engine.records.len();
                self.engine.release();
                self.spread(before);
            }
        }
    }

    fn hear(&mut self, broker: usize, process: u64, mail: usize) {
        let event = self.mail[mail].take();
        let is_cut_off = self.brokers[broker].is_cut_off;
        if let (Some(event), false) = (event, is_cut_off)
            && let Some(process) = self.running(broker, process)
        {
            process.stream.tell(event);
            let number = process.number;
            self.at(self.now, Happening::Wakes(broker, number));
        }
    }

    fn carry(&mut self, broker: usize, process: u64, id: Vec<u8>, body: Vec<u8>) {
        if let Some(process) = self.running(broker, process) {
            process.inbox.push(PacketOf {
                id,
                delimited: false,
                body,
                excess: false,
                proof: None,
            });
            let number = process.number;
            self.at(self.now, Happening::Wakes(broker, number));
        }
    }

    fn tell_extent(&mut self) {
        for broker in 0..self.brokers.len() {
            if let Some(number) = self.process_of(broker) {
                let event = StreamEvent::Extent(self.engine.extent());
                self.send_event(broker, number, event, 2_000);
            }
        }
        self.at(self.now + TELL_EVERY, Happening::TellsExtent);
    }

    pub(super) fn process_of(&self, broker: usize) -> Option<u64> {
        self.brokers[broker].process.as_ref().map(|it| it.number)
    }
}
