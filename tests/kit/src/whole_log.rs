//! The whole log of a broker that has stopped in good order.

use std::path::Path;

use orden::core::Recovered;
use orden::store;
use orden::wire::record::Record;

use crate::checker::history::Event;

/// Hands over every message, in order; returns what else the log tells.
pub fn read(directory: &Path, mut each: impl FnMut(&Record<'_>)) -> Recovered {
    let opened = store::open(&store::Options::new(directory)).expect("a log without damage");
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
    let mut events = Vec::new();
    let recovered = read(directory, |record| events.push(Event::of_log(record)));
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
