//! The broker's door: whom it serves over which connection, and how far it believes them to be.

use std::collections::BTreeMap;

use super::Property::{AckSoundness, Bounds, Fencing};
use super::history::{Event, Said};
use super::{Verdict, broken};

/// All members, by name.
#[derive(Default)]
pub(super) struct Doors {
    doors: BTreeMap<String, Door>,
    /// Everything below may have been sent to anybody, before the broker was started.
    start: u64,
}

#[derive(Default)]
struct Door {
    /// The connection that was heard last of those that named themselves.
    connection: Option<String>,
    /// One past the highest number that it was sent.
    served: u64,
    /// One past the highest number that it has acknowledged over its connection.
    acked: u64,
    /// The highest that its floor may be; `None` if nothing is known yet.
    most: Option<u64>,
    floor: u64,
    /// The highest that it ever was.
    highest: Option<u64>,
    /// Its floor when its goodbye was answered: no crash takes that back.
    farewell: Option<u64>,
    /// Whether the floor may lie below what it was: the member said so, or the broker forgot.
    may_fall: bool,
}

impl Doors {
    pub(super) fn take(&mut self, event: &Event) -> Verdict {
        match event {
            Event::BrokerStart { next, .. } => {
                self.start = *next;
                for door in self.doors.values_mut() {
                    // It knows each floor as it was at some time.
                    door.most = door.most.max(door.highest);
                    door.may_fall = true;
                    door.connection = None;
                    door.acked = 0;
                }
            }
            Event::Hears {
                who,
                connection,
                said,
            } => {
                let start = self.start;
                self.door(who).hear(connection, said, start);
            }
            Event::Serves {
                who,
                connection,
                end,
            } => return self.door(who).serve(who, connection, *end),
            Event::Cursor {
                who,
                floor,
                next,
                window,
            } => {
                let ahead = next.checked_sub(*floor);
                if ahead.is_none_or(|ahead| window.is_some_and(|window| ahead > window)) {
                    let what = format!("{who} is at {floor}, and is sent up to {next}");
                    return broken(Bounds, what);
                }
                return self.door(who).believe(who, *floor);
            }
            Event::Trims { who, to } => {
                let door = self.door(who);
                door.most = door.most.map(|most| most.max(*to));
            }
            Event::Farewell { who } => {
                let door = self.door(who);
                // Its last ACK may have come right before its goodbye.
                door.farewell = Some(door.floor.max(door.acked));
            }
            Event::Gone { who } => {
                self.doors.remove(who);
            }
            _ => {}
        }
        Ok(())
    }

    fn door(&mut self, who: &str) -> &mut Door {
        if !self.doors.contains_key(who) {
            self.doors.insert(who.to_owned(), Door::default());
        }
        self.doors.get_mut(who).expect("it was just put there")
    }
}

impl Door {
    fn hear(&mut self, connection: &str, said: &Said, start: u64) {
        match *said {
            Said::Hello { resume } => {
                self.connection = Some(connection.to_owned());
                self.acked = 0;
                if let Some(resume) = resume {
                    self.farewell = None;
                    self.most = self.most.map(|_| resume);
                    self.may_fall = true;
                }
            }
            Said::Ack { order } => {
                let fenced = self
                    .connection
                    .as_ref()
                    .is_some_and(|own| own != connection);
                if !fenced && order < self.served.max(start) {
                    self.acked = self.acked.max(order + 1);
                    // Where it begins is the broker's word, see `believe`.
                    self.most = self.most.map(|most| most.max(order + 1));
                }
            }
        }
    }

    fn serve(&mut self, who: &str, connection: &str, end: u64) -> Verdict {
        if let Some(own) = self.connection.as_ref().filter(|own| *own != connection) {
            let what = format!("{who} speaks over {own}, and is served over {connection}");
            return broken(Fencing, what);
        }
        self.served = self.served.max(end);
        Ok(())
    }

    fn believe(&mut self, who: &str, floor: u64) -> Verdict {
        let most = *self.most.get_or_insert(floor);
        if floor > most {
            let what = format!("{who} has acknowledged what is before {most}, not before {floor}");
            return broken(AckSoundness, what);
        }
        if let Some(kept) = self.farewell.filter(|&kept| floor < kept) {
            let what = format!("{who} went at {kept}, was told so, and is taken for {floor}");
            return broken(AckSoundness, what);
        }
        if floor < self.floor && !self.may_fall {
            let before = self.floor;
            let what = format!("{who} was at {before}, and is taken for {floor}");
            return broken(AckSoundness, what);
        }
        self.floor = floor;
        self.highest = self.highest.max(Some(floor));
        self.served = self.served.max(floor);
        self.may_fall = false;
        Ok(())
    }
}
