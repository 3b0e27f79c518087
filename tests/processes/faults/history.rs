//! What a member has said and seen, in a file that outlives it: its history for the checker, and
//! its own position when it starts again. An event that was recorded is in the hands of the
//! system, which a killed process does not take along.

use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufWriter, Write};
use std::path::Path;

/// One thing that a member has done or seen. Times are microseconds of the machine's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// It was welcomed, for the first time since it started: its deliveries go on with `begin`.
    Began { begin: u64, log_id: u64, at: u64 },
    /// It is about to say its message number `sequence`, having seen everything below `after`.
    Sent {
        sequence: u64,
        digest: u64,
        at: u64,
        after: u64,
    },
    /// It was told that its messages from `sequence` on got the numbers from `order` on.
    Confirmed {
        sequence: u64,
        count: u64,
        order: u64,
        at: u64,
    },
    /// It was given message `order`.
    Delivered { order: u64, digest: u64 },
}

const EVENT_LEN: usize = 33;

impl Event {
    fn encode(self) -> [u8; EVENT_LEN] {
        let (kind, fields) = match self {
            Self::Began { begin, log_id, at } => (0, [begin, log_id, at, 0]),
            Self::Sent {
                sequence,
                digest,
                at,
                after,
            } => (1, [sequence, digest, at, after]),
            Self::Confirmed {
                sequence,
                count,
                order,
                at,
            } => (2, [sequence, count, order, at]),
            Self::Delivered { order, digest } => (3, [order, digest, 0, 0]),
        };
        let mut bytes = [kind; EVENT_LEN];
        for (place, field) in bytes[1..].chunks_exact_mut(8).zip(fields) {
            place.copy_from_slice(&field.to_be_bytes());
        }
        bytes
    }

    fn decode(bytes: &[u8]) -> Self {
        let field = |index: usize| {
            let place = &bytes[1 + 8 * index..9 + 8 * index];
            u64::from_be_bytes(place.try_into().expect("eight bytes"))
        };
        match bytes[0] {
            0 => Self::Began {
                begin: field(0),
                log_id: field(1),
                at: field(2),
            },
            1 => Self::Sent {
                sequence: field(0),
                digest: field(1),
                at: field(2),
                after: field(3),
            },
            2 => Self::Confirmed {
                sequence: field(0),
                count: field(1),
                order: field(2),
                at: field(3),
            },
            3 => Self::Delivered {
                order: field(0),
                digest: field(1),
            },
            kind => panic!("a history has no event of kind {kind}"),
        }
    }
}

/// A history that is being written.
pub(crate) struct History(BufWriter<File>);

impl History {
    /// Goes on with the history in this file.
    pub(crate) fn open(path: &Path) -> Self {
        let file = File::options().create(true).append(true).open(path);
        Self(BufWriter::with_capacity(
            256 << 10,
            file.expect("a file for a history"),
        ))
    }

    pub(crate) fn note(&mut self, event: Event) {
        self.0.write_all(&event.encode()).expect("space");
    }

    /// What was noted outlives this process from now on.
    pub(crate) fn keep(&mut self) {
        self.0.flush().expect("space");
    }
}

/// Everything in a file so far. An event that a kill has cut is none.
pub(crate) fn read(path: &Path) -> Vec<Event> {
    let bytes = std::fs::read(path).unwrap_or_default();
    let events = bytes.chunks_exact(EVENT_LEN);
    events.map(Event::decode).collect()
}

/// Cuts off what a kill has left of an event, so that the next one begins where it should.
pub(crate) fn mend(path: &Path) {
    if let Ok(file) = File::options().write(true).open(path) {
        let length = file.metadata().expect("it is there").len();
        file.set_len(length - length % EVENT_LEN as u64)
            .expect("it can be cut");
    }
}

/// How far a member is, as its history tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    /// The log and the next number; `None` before the first welcome.
    pub(crate) next: Option<(u64, u64)>,
    pub(crate) sent: u64,
    pub(crate) confirmed: u64,
}

impl Position {
    pub(crate) fn after(events: &[Event]) -> Self {
        let mut position = Self::default();
        for event in events {
            position.note(*event);
        }
        position
    }

    pub(crate) fn note(&mut self, event: Event) {
        match event {
            Event::Began { begin, log_id, .. } => {
                self.next.get_or_insert((log_id, begin));
            }
            Event::Sent { sequence, .. } => self.sent = self.sent.max(sequence),
            Event::Confirmed {
                sequence, count, ..
            } => self.confirmed = sequence + count - 1,
            Event::Delivered { order, .. } => {
                if let Some((_, next)) = &mut self.next {
                    *next = order + 1;
                }
            }
        }
    }
}

/// What tells messages apart: their sender, its number for them, and what they say.
pub(crate) fn digest(sender: &[u8], sequence: u64, text: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (sender, sequence, text).hash(&mut hasher);
    hasher.finish()
}
