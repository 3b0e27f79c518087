//! The whole log of a broker that has stopped in good order.

use std::path::Path;

use orden::core::Recovered;
use orden::store;
use orden::wire::batch::Header;
use orden::wire::record::Record;

use crate::checker::history::Event;

/// Hands over every message, in order; returns what else the log tells.
pub fn read(directory: &Path, each: impl FnMut(&Record<'_>)) -> Recovered {
    read_with(&store::Options::new(directory), each)
}

fn read_with(options: &store::Options, mut each: impl FnMut(&Record<'_>)) -> Recovered {
    let opened = store::open(options).expect("a log without damage");
    let repair = opened.repair;
    assert!(repair.is_none(), "it was closed: {repair:?}");
    let mut reader = opened.log.reader();
    let mut next = opened.recovered.oldest;
    while next < opened.recovered.next {
        let chunk = reader.read(next).unwrap_or_else(|error| panic!("{error}"));
        for record in chunk.records().filter(|record| record.order >= next) {
            each(&record);
        }
        next = chunk.end();
    }
    opened.recovered
}

/// The same as the end of a history: every message, where the log ends, and how far each session's
/// member has acknowledged.
pub fn events(directory: &Path) -> Vec<Event> {
    events_with(&store::Options::new(directory))
}

/// The same of the journal of one of several brokers.
pub fn events_of_journal(directory: &Path) -> Vec<Event> {
    events_with(&of_several(directory))
}

fn of_several(directory: &Path) -> store::Options {
    store::Options {
        positions: true,
        ..store::Options::new(directory)
    }
}

/// The bytes of all batches of messages of such a journal, and the first and the next number.
pub fn journal_bytes(directory: &Path) -> (Vec<u8>, u64, u64) {
    let opened = store::open(&of_several(directory)).expect("a journal without damage");
    let (oldest, next) = (opened.recovered.oldest, opened.recovered.next);
    let mut reader = opened.log.reader();
    let (mut bytes, mut at) = (Vec::new(), oldest);
    while at < next {
        let chunk = reader.read(at).unwrap_or_else(|error| panic!("{error}"));
        let mut rest = &chunk.bytes()[..];
        while let Ok(header) = Header::decode(rest) {
            let (batch, after) = rest.split_at(header.length);
            if header.first == at {
                bytes.extend_from_slice(batch);
                at = header.end();
            }
            rest = after;
        }
    }
    (bytes, oldest.0, next.0)
}

fn events_with(options: &store::Options) -> Vec<Event> {
    let mut events = Vec::new();
    let recovered = read_with(options, |record| events.push(Event::of_log(record)));
    events.push(Event::LogEnd {
        oldest: recovered.oldest.0,
        next: recovered.next.0,
    });
    events.extend(recovered.sessions().map(|session| Event::Floor {
        who: String::from_utf8_lossy(session.name.as_bytes()).into_owned(),
        floor: session.floor.0,
    }));
    events
}
