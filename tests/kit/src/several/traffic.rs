//! What passes between brokers, stream and clients in such a world.

use orden::core::Time;
use orden::stream::{Shelf, StreamEvent};
use orden::wire::Position;

use super::client::Wish;
use super::engine::{Fate, Request};
use super::{Happening, World};

impl World {
    pub(super) fn request(&mut self, broker: usize, process: u64, request: Request) {
        if self.brokers[broker].is_cut_off {
            return self.count("request cut off");
        }
        match request {
            Request::Append(tag, place, record) => {
                if place == Shelf::Snapshot {
                    self.count("part of a snapshot appended");
                }
                let fate = self.engine.draw_fate();
                self.count(name_of(fate));
                let happening = Happening::Appends {
                    broker,
                    process,
                    tag,
                    record,
                    fate,
                };
                self.later(200, 3_000, happening);
            }
            Request::Fetch(from, most) => {
                self.count("hole fetched");
                self.later(100, 3_000, Happening::Fetches(broker, process, from, most));
            }
            Request::Purge(below) => {
                self.count("stream purged");
                self.later(100, 3_000, Happening::Purges(below));
            }
            Request::ReadAgain(at) => {
                self.count("read again");
                self.later(100, 3_000, Happening::ReadsAgain(broker, process, at));
            }
        }
    }

    pub(super) fn append(
        &mut self,
        broker: usize,
        process: u64,
        tag: u64,
        record: Vec<u8>,
        fate: Fate,
    ) {
        let before = self.engine.records.len();
        if fate == Fate::Delayed {
            self.later(1_000, 3_000_000, Happening::Released);
        }
        let answer = self.engine.append(tag, record, fate);
        if let Some(answer) = answer {
            self.send_event(broker, process, answer, 1_000);
        }
        self.spread(before);
    }

    /// The tail goes to everybody, as far as it is not dropped.
    pub(super) fn spread(&mut self, before: usize) {
        for index in before..self.engine.records.len() {
            for broker in 0..self.brokers.len() {
                let Some(number) = self.brokers[broker].process.as_ref().map(|it| it.number) else {
                    continue;
                };
                let event = if self.dice.below(1000) < self.engine.mishaps {
                    self.count("tail dropped");
                    StreamEvent::Extent(self.engine.extent())
                } else {
                    StreamEvent::Tail {
                        position: Position(index as u64 + 1),
                        record: (self.engine.record_for(broker, index as u64 + 1))
                            .expect("it was just stored"),
                    }
                };
                self.send_event(broker, number, event, 2_000);
            }
        }
    }

    pub(super) fn grant(&mut self, client: usize, wishes: Vec<Wish>) {
        for wish in wishes {
            match wish {
                Wish::Connect => {
                    let broker = self.dice.index(self.brokers.len());
                    if self.brokers[broker].process.is_some() {
                        self.count("client connects");
                        let wishes = self.clients[client].connected(Time(self.now), broker);
                        self.grant(client, wishes);
                    } else {
                        self.clients[client].at = None;
                    }
                }
                Wish::Send(frame) => {
                    let Some((broker, connection)) = self.clients[client].at else {
                        continue;
                    };
                    let Some(number) = self.brokers[broker].process.as_ref().map(|it| it.number)
                    else {
                        self.clients[client].at = None;
                        continue;
                    };
                    // A connection is a pipe: what is sent first arrives first.
                    let at = self.now + 300;
                    let frame = Happening::ToBroker(broker, number, client, connection, frame);
                    self.at(at, frame);
                }
            }
        }
    }
}

fn name_of(fate: Fate) -> &'static str {
    match fate {
        Fate::Stored => "append stored",
        Fate::AckLost => "append stored, ack lost",
        Fate::Lost => "append lost",
        Fate::AckedAndLost => "append acknowledged and lost",
        Fate::Refused => "append refused",
        Fate::Twice => "append stored twice",
        Fate::Delayed => "append delayed",
        Fate::Full => "append refused: stream full",
        Fate::BehindGarbage => "append behind what is no record",
    }
}
