//! Writes the machine's events to the log, at a limited rate: so a hostile peer cannot fill a disk
//! with lines about itself.

use std::collections::HashMap;
use std::mem::{Discriminant, discriminant};
use std::time::Duration;

use crate::core::{Event, Time};
use crate::wire::Name;

/// Lines of one kind that are written in a row, before some are left out.
const BURST: u32 = 20;
/// How often that many may be written.
const PERIOD: Duration = Duration::from_secs(10);

/// Writes events to the log.
#[derive(Debug, Default)]
pub(super) struct EventLog {
    written: HashMap<Discriminant<Event>, Written>,
}

#[derive(Debug)]
struct Written {
    since: Time,
    lines: u32,
    left_out: u32,
}

impl EventLog {
    /// Writes what has happened, or counts it as left out.
    pub(super) fn write(&mut self, now: Time, events: Vec<Event>) {
        for event in events {
            let kind = self.written.entry(discriminant(&event));
            let written = kind.or_insert(Written {
                since: now,
                lines: 0,
                left_out: 0,
            });
            if now.since(written.since) >= PERIOD {
                if written.left_out > 0 {
                    log::warn!(
                        "{} more lines like the following were left out",
                        written.left_out
                    );
                }
                *written = Written {
                    since: now,
                    lines: 0,
                    left_out: 0,
                };
            }
            if written.lines == BURST {
                written.left_out += 1;
                continue;
            }
            written.lines += 1;
            write_line(&event);
        }
    }
}

fn write_line(event: &Event) {
    match event {
        Event::Joined(name, dialect) => log::info!("{name} has joined ({dialect:?})"),
        Event::Returned(name, dialect) => log::info!("{name} is back ({dialect:?})"),
        Event::Away(name) => log::info!("{name} is away"),
        Event::Left(name) => log::info!("{name} has left"),
        Event::Superseded(name) => log::warn!("another connection has taken the name {name}"),
        Event::Undecodable(name, error) => {
            log::warn!("refused from {}: {error}", who(name.as_ref()));
        }
        Event::Refused(name, code) => {
            log::warn!("refused from {}: {}", who(name.as_ref()), code.name());
        }
        // The connection tracker has said so, and of whom.
        Event::TurnedAway(_) => {}
        Event::Skipped(name, order) => {
            log::warn!("{name} is behind what is kept and goes on with message {order}");
        }
        Event::Altered(dialect) => {
            log::warn!("a message was changed to fit the {dialect:?} dialect");
        }
        Event::Undelivered(name, why) => log::warn!("nothing can be sent to {name}: {why:?}"),
        Event::Unreadable(why) => log::error!("the log cannot be read: {why}"),
        Event::Short(why) => log::error!("no room in the log, new messages are refused: {why}"),
        Event::RoomAgain => log::info!("there is room in the log again"),
    }
}

/// The member's name, if there is one: a generated routing id is never shown.
fn who(name: Option<&Name>) -> String {
    name.map_or_else(|| "an unknown peer".to_owned(), Name::to_string)
}
