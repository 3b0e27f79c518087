//! The stream in NATS, with real servers: what is appended is read back, whatever befalls them.

mod faults;
mod trust;

use std::sync::Arc;
use std::time::Duration;

use orden::stream::nats::{Make, Nats, Options};
use orden::stream::{Extent, Shelf, Stream, StreamEvent};
use orden::wire::Position;
use orden_kit::programs::nats::NatsServers;
use orden_kit::{PATIENCE, deadline};

/// A stream, and what it has said.
struct Tested {
    stream: Nats,
    tag: u64,
}

fn options(servers: &NatsServers, copies: usize) -> Options {
    let mut options = Options::new(servers.urls(), "t");
    options.make = Make::IfMissing;
    options.allow_single_copy = copies < 3;
    options.message_bytes = 1 << 20;
    options
}

impl Tested {
    fn start(servers: &NatsServers, copies: usize) -> (Self, Extent) {
        deadline::set();
        let stream = Nats::start(options(servers, copies)).expect("a stream");
        let mut tested = Self { stream, tag: 0 };
        let extent = tested.up();
        (tested, extent)
    }

    /// Waits for an event that fits; others are left out.
    #[track_caller]
    fn wait<T>(&mut self, what: &str, fits: impl Fn(StreamEvent) -> Option<T>) -> T {
        loop {
            match self.stream.events().recv_timeout(PATIENCE) {
                Ok(event) => {
                    if let Some(found) = fits(event) {
                        return found;
                    }
                }
                Err(error) => panic!("{what}: {error}"),
            }
        }
    }

    fn up(&mut self) -> Extent {
        self.wait("the stream is up", |event| match event {
            StreamEvent::Up(extent) => Some(extent),
            _ => None,
        })
    }

    fn append(&mut self, record: &[u8]) -> u64 {
        self.tag += 1;
        let record = Arc::new(record.to_vec());
        self.stream.append(self.tag, Shelf::Commands, record);
        self.tag
    }

    /// Appends a record, again and again, until it is there; returns its last place.
    fn append_until_there(&mut self, text: &str) -> Position {
        let record = text.as_bytes();
        deadline::set();
        loop {
            self.append(record);
            let again = Duration::from_millis(200);
            while let Ok(event) = self.stream.events().recv_timeout(again) {
                match event {
                    StreamEvent::Tail {
                        position,
                        record: found,
                    } if found == record => return position,
                    _ => {}
                }
            }
        }
    }

    /// Reads from a place on; the records up to the first gap, and whether the next one is missing.
    fn fetch(&mut self, from: u64) -> (Vec<Vec<u8>>, bool) {
        self.stream.fetch(Position(from), 100, 1 << 20);
        let mut records = Vec::new();
        loop {
            let event = self.wait("a fetch", Some);
            match event {
                StreamEvent::Fetched { position, record } => {
                    assert_eq!(position.0, from + records.len() as u64, "no gap");
                    records.push(record);
                }
                StreamEvent::FetchEnd {
                    next, is_missing, ..
                } => {
                    assert_eq!(next.0, from + records.len() as u64);
                    return (records, is_missing);
                }
                _ => {}
            }
        }
    }
}

#[test]
fn what_is_appended_comes_with_the_tail_and_is_read_by_place() {
    let servers = NatsServers::start(1);
    let (mut writer, extent) = Tested::start(&servers, 1);
    assert_eq!(extent.last, Position(0));
    let (mut reader, _) = Tested::start(&servers, 1);
    for text in ["one", "two", "three"] {
        let tag = writer.append(text.as_bytes());
        let position = writer.wait("an answer", |event| match event {
            StreamEvent::Appended { tag: of, position } if of == tag => Some(position),
            _ => None,
        });
        let found = reader.wait("the tail", |event| match event {
            StreamEvent::Tail { position, record } => Some((position, record)),
            _ => None,
        });
        assert_eq!(found, (position, text.as_bytes().to_vec()));
    }
    let all = ["one", "two", "three"].map(|text| text.as_bytes().to_vec());
    assert_eq!(reader.fetch(1), (all.to_vec(), false));
    assert_eq!(reader.fetch(4), (Vec::new(), false), "there is none yet");
    reader.stream.read_again(Position(2));
    let again = reader.wait("a record again", |event| match event {
        StreamEvent::ReadAgain { record, .. } => record,
        _ => None,
    });
    assert_eq!(again, b"two");
}

#[test]
fn snapshot_parts_are_found_and_what_they_replace_is_purged() {
    let servers = NatsServers::start(1);
    let (mut tested, _) = Tested::start(&servers, 1);
    let find = |tested: &mut Tested| {
        tested.stream.find_snapshot();
        tested.wait("where it lies", |event| match event {
            StreamEvent::LastSnapshot(found) => Some(found),
            _ => None,
        })
    };
    assert_eq!(find(&mut tested), None);
    for text in ["one", "two"] {
        tested.append_until_there(text);
    }
    let part = Arc::new(b"part".to_vec());
    tested.stream.append(77, Shelf::Snapshot, part);
    let at = tested.wait("an answer", |event| match event {
        StreamEvent::Appended { tag: 77, position } => Some(position),
        _ => None,
    });
    assert_eq!(find(&mut tested), Some(at));
    tested.stream.purge(at);
    tested.wait("a shorter stream", |event| match event {
        StreamEvent::Extent(extent) => (extent.first == at).then_some(()),
        _ => None,
    });
    assert_eq!(tested.fetch(1), (Vec::new(), true), "it is missing");
    assert_eq!(tested.fetch(at.0), (vec![b"part".to_vec()], false));
}
