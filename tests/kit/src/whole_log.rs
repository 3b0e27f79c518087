//! The whole log of a broker that has stopped in good order.

use std::path::Path;

use orden::core::Recovered;
use orden::store;
use orden::wire::record::Record;

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
