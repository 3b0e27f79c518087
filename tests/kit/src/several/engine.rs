//! A simulated stream: it keeps what a replicated engine keeps, and does to appends, tails and
//! answers what was seen of a real one.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use crossbeam_channel::{Receiver, Sender, unbounded};
use orden::stream::{Extent, Outage, Refusal, Shelf, Stream, StreamEvent};
use orden::wire::Position;

use crate::random::Random;

/// What a broker has asked of the stream.
#[derive(Clone, Debug)]
pub(super) enum Request {
    /// To append a record.
    Append(u64, Shelf, Vec<u8>),
    /// To read so many records from a position on.
    Fetch(u64, u32),
    /// To read one record at the leader.
    ReadAgain(u64),
    /// To let go of what lies below a position.
    Purge(u64),
}

/// A broker's end of the stream.
pub(super) struct End {
    requests: Arc<Mutex<VecDeque<Request>>>,
    events: Receiver<StreamEvent>,
}

/// The world's end of the same.
pub(super) struct FarEnd {
    requests: Arc<Mutex<VecDeque<Request>>>,
    events: Sender<StreamEvent>,
    /// What the broker reads; one thread holds both ends.
    pub arrivals: Receiver<StreamEvent>,
}

/// Both ends of a new link.
#[must_use]
pub(super) fn link() -> (End, FarEnd) {
    let requests = Arc::new(Mutex::new(VecDeque::new()));
    let (sender, receiver) = unbounded();
    let end = End {
        requests: Arc::clone(&requests),
        events: receiver.clone(),
    };
    let far = FarEnd {
        requests,
        events: sender,
        arrivals: receiver,
    };
    (end, far)
}

fn lock(requests: &Mutex<VecDeque<Request>>) -> MutexGuard<'_, VecDeque<Request>> {
    requests.lock().expect("one thread holds both ends")
}

impl FarEnd {
    /// What was asked since the last time.
    pub(super) fn take(&self) -> Vec<Request> {
        lock(&self.requests).drain(..).collect()
    }

    /// Lets the broker hear of something.
    pub(super) fn tell(&self, event: StreamEvent) {
        self.events.send(event).expect("the world holds both ends");
    }
}

impl Stream for End {
    fn append(&mut self, tag: u64, place: Shelf, record: Arc<Vec<u8>>) {
        lock(&self.requests).push_back(Request::Append(tag, place, record.to_vec()));
    }

    fn fetch(&mut self, from: Position, records: u32, _: u32) {
        lock(&self.requests).push_back(Request::Fetch(from.0, records));
    }

    fn read_again(&mut self, at: Position) {
        lock(&self.requests).push_back(Request::ReadAgain(at.0));
    }

    fn find_snapshot(&mut self) {}

    fn purge(&mut self, below: Position) {
        lock(&self.requests).push_back(Request::Purge(below.0));
    }

    fn events(&self) -> &Receiver<StreamEvent> {
        &self.events
    }
}

/// What has become of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    /// Stored, and said so.
    Stored,
    /// Stored, and nothing said.
    AckLost,
    /// Gone without a word.
    Lost,
    /// Gone, although it was acknowledged: a change of leader took it.
    AckedAndLost,
    /// Not stored, and said so.
    Refused,
    /// Stored twice.
    Twice,
    /// Stored later, behind what is appended meanwhile.
    Delayed,
    /// Not stored, as there is no room.
    Full,
    /// Stored, with something before it that is no record.
    BehindGarbage,
}

/// The records that are kept.
pub(super) struct Engine {
    /// Record at position `index + 1`.
    pub records: Vec<Vec<u8>>,
    /// The first position that is kept.
    pub first: u64,
    pub has_leader: bool,
    /// There is no room.
    pub is_full: bool,
    /// A replica that has gone its own way: this broker reads another record at this position.
    pub diverged: Option<(usize, u64)>,
    /// How often each kind of mishap happens, out of a thousand.
    pub mishaps: u64,
    dice: Random,
    delayed: Vec<Vec<u8>>,
}

impl Engine {
    /// An empty stream.
    #[must_use]
    pub(super) fn new(seed: u64, mishaps: u64) -> Self {
        Self {
            records: Vec::new(),
            first: 1,
            has_leader: true,
            is_full: false,
            diverged: None,
            mishaps,
            dice: Random::new(seed),
            delayed: Vec::new(),
        }
    }

    /// How far it goes.
    #[must_use]
    pub(super) fn extent(&self) -> Extent {
        Extent {
            first: Position(self.first),
            last: Position(self.records.len() as u64),
        }
    }

    fn chance(&mut self, per_mille: u64) -> bool {
        self.dice.below(1000) < per_mille
    }

    /// Draws what becomes of an append.
    pub(super) fn draw_fate(&mut self) -> Fate {
        if !self.has_leader {
            return if self.chance(500) {
                Fate::Refused
            } else {
                Fate::Lost
            };
        }
        if self.is_full {
            return Fate::Full;
        }
        if self.chance(1000 - self.mishaps) {
            return Fate::Stored;
        }
        let fates = [
            Fate::AckLost,
            Fate::Lost,
            Fate::AckedAndLost,
            Fate::Refused,
            Fate::Twice,
            Fate::Delayed,
            Fate::BehindGarbage,
        ];
        fates[usize::try_from(self.dice.below(fates.len() as u64)).expect("a few")]
    }

    /// Appends a record, and says what its writer hears; the new records are behind `before`.
    pub(super) fn append(&mut self, tag: u64, record: Vec<u8>, fate: Fate) -> Option<StreamEvent> {
        let acked = |records: &Vec<Vec<u8>>| {
            let position = Position(records.len() as u64);
            Some(StreamEvent::Appended { tag, position })
        };
        match fate {
            Fate::Stored => {
                self.records.push(record);
                acked(&self.records)
            }
            Fate::AckLost => {
                self.records.push(record);
                None
            }
            Fate::Lost => None,
            // Another record will have the place that was promised.
            Fate::AckedAndLost => Some(StreamEvent::Appended {
                tag,
                position: Position(self.records.len() as u64 + 1),
            }),
            Fate::Full => Some(StreamEvent::Refused {
                tag,
                why: Refusal::Full,
            }),
            Fate::BehindGarbage => {
                let length = 1 + self.dice.index(record.len() - 1);
                self.records.push(record[..length].to_vec());
                self.records.push(record);
                acked(&self.records)
            }
            Fate::Refused => Some(StreamEvent::Refused {
                tag,
                why: Refusal::Unavailable,
            }),
            Fate::Twice => {
                self.records.push(record.clone());
                self.records.push(record);
                acked(&self.records)
            }
            Fate::Delayed => {
                self.delayed.push(record);
                None
            }
        }
    }

    /// What was delayed comes now.
    pub(super) fn release(&mut self) {
        self.records.append(&mut self.delayed);
    }

    /// What a broker hears of itself.
    #[must_use]
    pub(super) fn up(&self) -> StreamEvent {
        if self.has_leader {
            StreamEvent::Up(self.extent())
        } else {
            StreamEvent::Down(Outage::NoLeader)
        }
    }

    /// The record at a position as a broker reads it.
    pub(super) fn record_for(&self, broker: usize, position: u64) -> Option<Vec<u8>> {
        let mut record = self.record(position)?.clone();
        if self.diverged == Some((broker, position)) {
            *record.last_mut()? ^= 1;
        }
        Some(record)
    }

    /// The record at a position, if it is kept.
    pub(super) fn record(&self, position: u64) -> Option<&Vec<u8>> {
        let index = usize::try_from(position.checked_sub(1)?).ok()?;
        (position >= self.first).then(|| self.records.get(index))?
    }

    /// Lets go of what lies below a position.
    pub(super) fn purge(&mut self, below: u64) {
        self.first = self.first.max(below);
    }

    /// Answers a fetch: a lagging replica knows less.
    pub(super) fn fetch(&mut self, broker: usize, from: u64, most: u32) -> Vec<StreamEvent> {
        let last = self.records.len() as u64;
        if from < self.first {
            return vec![StreamEvent::FetchEnd {
                from: Position(from),
                next: Position(from),
                is_missing: true,
            }];
        }
        let lag = if self.chance(self.mishaps) {
            self.dice.below(4)
        } else {
            0
        };
        let known = last.saturating_sub(lag);
        let end = known.min(from + u64::from(most) - 1);
        let mut events: Vec<_> = (from..=end)
            .filter_map(|position| Some((position, self.record_for(broker, position)?)))
            .map(|(position, record)| StreamEvent::Fetched {
                position: Position(position),
                record,
            })
            .collect();
        events.push(StreamEvent::FetchEnd {
            from: Position(from),
            next: Position(end.max(from - 1) + 1),
            is_missing: false,
        });
        events
    }
}
