//! Events in few words, and ways to find them.

use orden_kit::checker::history::{Digest, Event, Form, Message, Moment, Said};
use orden_kit::checker::{Property, check};

pub(crate) fn start(who: &str, position: Option<u64>) -> Event {
    Event::Start {
        who: who.into(),
        position,
        keeps_sends: true,
    }
}

pub(crate) fn open(who: &str, resumed: bool, begin: u64) -> Event {
    Event::Open {
        who: who.into(),
        resumed,
        begin,
        log: 7,
    }
}

pub(crate) fn hello(who: &str, connection: &str, resume: Option<u64>) -> Event {
    Event::Hears {
        who: who.into(),
        connection: connection.into(),
        said: Said::Hello { resume },
    }
}

pub(crate) fn ack(who: &str, connection: &str, order: u64) -> Event {
    Event::Hears {
        who: who.into(),
        connection: connection.into(),
        said: Said::Ack { order },
    }
}

pub(crate) fn serves(who: &str, connection: &str, end: u64) -> Event {
    Event::Serves {
        who: who.into(),
        connection: connection.into(),
        end,
    }
}

pub(crate) fn cursor(who: &str, floor: u64, next: u64) -> Event {
    Event::Cursor {
        who: who.into(),
        floor,
        next,
        window: Some(4),
    }
}

pub(crate) fn digest(sender: &str, text: &str) -> Digest {
    Digest::of(&[sender.as_bytes(), b": ", text.as_bytes()])
}

pub(crate) fn send(who: &str, sequence: u64, text: &str) -> Event {
    Event::Send {
        who: who.into(),
        sequence,
        digest: digest(who, text),
    }
}

pub(crate) fn confirm(who: &str, sequence: u64, order: u64) -> Event {
    Event::Confirm {
        who: who.into(),
        sequence,
        order,
    }
}

pub(crate) fn message(order: u64, sender: &str, sequence: Option<u64>, text: &str) -> Message {
    Message {
        order,
        sender: Some(sender.into()),
        sequence,
        digest: digest(sender, text),
        form: Form::Exact,
    }
}

pub(crate) fn deliver(
    who: &str,
    order: u64,
    sender: &str,
    sequence: Option<u64>,
    text: &str,
) -> Event {
    Event::Deliver {
        who: who.into(),
        message: message(order, sender, sequence, text),
    }
}

/// A log from 0 on: `ana joined` and `ana left` are notices, `ana#1 uno` is a message with a client
/// sequence.
pub(crate) fn log(lines: &[&str]) -> Vec<Event> {
    let entry = |(order, line): (u64, &&str)| {
        let (sender, text) = line.split_once(' ').unwrap();
        if text == "joined" || text == "left" {
            let text = format!("{sender} has {text}");
            return Event::Log {
                message: message(order, "Server", None, &text),
                notice: Some(text + " the net"),
            };
        }
        let (sender, sequence) = sender.split_once('#').unwrap_or((sender, ""));
        Event::Log {
            message: message(order, sender, sequence.parse().ok(), text),
            notice: None,
        }
    };
    let mut events: Vec<_> = (0..).zip(lines).map(entry).collect();
    let next = u64::try_from(lines.len()).unwrap();
    events.push(Event::LogEnd { oldest: 0, next });
    events
}

pub(crate) fn settled(who: &str) -> Event {
    Event::Settled {
        who: who.into(),
        receives: true,
    }
}

pub(crate) fn floor(who: &str, floor: u64) -> Event {
    let who = who.into();
    Event::Floor { who, floor }
}

pub(crate) fn is_delivery(event: &Event, whom: &str, order: u64) -> bool {
    matches!(event, Event::Deliver { who, message } if who == whom && message.order == order)
}

pub(crate) fn is_send(event: &Event, whom: &str) -> bool {
    matches!(event, Event::Send { who, .. } if who == whom)
}

pub(crate) fn is_open(event: &Event, whom: &str, at: u64) -> bool {
    matches!(event, Event::Open { who, begin, .. } if who == whom && *begin == at)
}

pub(crate) fn is_cursor(event: &Event, whom: &str, at: u64) -> bool {
    matches!(event, Event::Cursor { who, floor, .. } if who == whom && *floor == at)
}

pub(crate) fn is_log(event: &Event, order: u64) -> bool {
    matches!(event, Event::Log { message, .. } if message.order == order)
}

pub(crate) fn is_start(event: &Event, at: Option<u64>) -> bool {
    matches!(event, Event::Start { position, .. } if *position == at)
}

/// Adds an event behind those that `place` picks.
pub(crate) fn after(
    place: impl Fn(&Event) -> bool,
    event: Event,
) -> impl Fn(&Event) -> Option<Vec<Event>> {
    move |before| place(before).then(|| vec![before.clone(), event.clone()])
}

pub(crate) fn verify(history: &[Event]) -> Result<(), Property> {
    let moments = history.iter().zip(0..);
    let moments: Vec<_> = moments
        .map(|(event, at)| Moment {
            at,
            event: event.clone(),
        })
        .collect();
    check(&moments).map_err(|violation| {
        println!("{violation}");
        violation.property
    })
}
