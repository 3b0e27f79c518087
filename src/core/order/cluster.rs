//! What several brokers share beyond the order itself: how far their stream is applied, which
//! brokers there are, and who sits where.
//!
//! Everything here follows from the records alone. A record counts once, in its writer's own
//! turn: whatever the engine acknowledged, doubled or brought back late.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use super::members::MemberId;
use super::seating::Seat;
use super::snapshots::Snapshots;
use crate::core::Mutant;
use crate::wire::position_mark::{BrokerEntry, PositionMark};
use crate::wire::stream_record::{Founding, Header, Proposal};
use crate::wire::{DecodeError, Epoch, Name, Position, Writer};

/// Chains that are remembered, of the newest positions: what older records claim is believed.
const CHAINS: usize = 1 << 16;

/// See the module.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) position: Position,
    /// The chains up to `position`, which has the last one.
    chains: VecDeque<u64>,
    /// The checksum of the record at `position`.
    pub(super) checksum: u32,
    pub(super) snapshots: Snapshots,
    pub(super) founding: Option<Founding>,
    pub(super) brokers: BTreeMap<Name, Broker>,
    pub(super) seats: HashMap<Seat, MemberId>,
    /// Members whose seats the log does not know yet.
    pub(super) changed: BTreeSet<Name>,
    /// The position that the log knows.
    pub(super) marked: Option<Position>,
}

/// A broker as all others know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broker {
    /// Its process.
    pub writer: Writer,
    /// The last of its records that was applied.
    pub last: u64,
    /// The epoch in which it began to serve.
    pub epoch: Epoch,
    /// Whether it was silent for too long: nothing that it says counts.
    pub gone: bool,
    /// The highest level that it can apply.
    pub level: u32,
}

/// What a record is.
#[derive(Debug)]
pub enum Taken<'a> {
    /// Its writer's next one: each proposal is to be executed, then the record ended.
    Counts(Header, Vec<Proposal<'a>>),
    /// Nothing that counts.
    Skipped(Option<Header>, Skip),
    /// Its writer has seen another history than this one.
    Differs(Differs),
    /// It says what this version does not know: to go on would be to apply it differently.
    Newer,
}

/// Why a record does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// It is no record, or a damaged one.
    Malformed(DecodeError),
    /// It is of another order.
    Foreign,
    /// The order has not begun.
    Unfounded,
    /// Its writer is not the one that its broker's name belongs to, or was silent for too long.
    Fenced,
    /// It was applied before.
    Repeated,
    /// One of its writer's before it is missing.
    OutOfTurn,
}

/// Two histories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Differs {
    /// Where they are known to differ.
    pub position: Position,
    /// The other's chain there.
    pub theirs: u64,
    /// The own chain there; `None`: nothing is there yet.
    pub ours: Option<u64>,
}

impl Cluster {
    pub(super) fn new(mark: Option<PositionMark>) -> Self {
        let marked = mark.as_ref().map(|mark| mark.position);
        let mark = mark.unwrap_or_default();
        let brokers = mark.brokers.into_iter().map(|entry| {
            let broker = Broker {
                writer: entry.writer,
                last: entry.last,
                epoch: entry.epoch,
                gone: entry.gone,
                level: entry.level,
            };
            (entry.name, broker)
        });
        Self {
            position: mark.position,
            chains: VecDeque::from([mark.chain]),
            checksum: mark.checksum,
            snapshots: Snapshots::new(mark.snapshots, mark.whole),
            founding: mark.founding,
            brokers: brokers.collect(),
            seats: HashMap::new(),
            changed: BTreeSet::new(),
            marked,
        }
    }

    /// Nobody sits there any more.
    pub(super) fn leave_seat(&mut self, seat: Option<Seat>) {
        if let Some(seat) = seat.filter(|_| !Mutant::HearOldSeats.lives()) {
            self.seats.remove(&seat);
        }
    }

    pub(super) fn chain(&self) -> u64 {
        self.chains.back().copied().unwrap_or_default()
    }

    /// The chain at a position, if it is remembered.
    pub(super) fn chain_at(&self, position: Position) -> Option<u64> {
        let age = self.position.0.checked_sub(position.0)?;
        let age = usize::try_from(age).ok()?;
        let place = self.chains.len().checked_sub(1)?.checked_sub(age)?;
        self.chains.get(place).copied()
    }

    pub(super) fn advance(&mut self, position: Position, checksum: u32, length: usize) {
        let chain = mix(self.chain(), position, checksum, length);
        self.chains.push_back(chain);
        if self.chains.len() > CHAINS {
            self.chains.pop_front();
        }
        self.position = position;
        self.checksum = checksum;
        self.snapshots.advance(length);
    }

    pub(super) fn compare(&self, header: &Header) -> Option<Differs> {
        if header.seen == Position(0) {
            return None;
        }
        let ours = self.chain_at(header.seen);
        let is_forgotten = ours.is_none() && header.seen < self.position;
        let is_same = ours == Some(header.chain) && header.seen < self.position
            || Mutant::IgnoreChains.lives();
        (!is_forgotten && !is_same).then_some(Differs {
            position: header.seen,
            theirs: header.chain,
            ours,
        })
    }

    /// The broker whose process a writer is.
    pub(super) fn broker_of(&mut self, writer: Writer) -> Option<(&Name, &mut Broker)> {
        (self.brokers.iter_mut()).find(|(_, broker)| broker.writer == writer)
    }

    /// Judges a record by its writer and number.
    pub(super) fn judge(&mut self, header: &Header, first: Option<&Proposal<'_>>) -> Option<Skip> {
        if self.founding.is_none() {
            let begins = matches!(first, Some(Proposal::Found(_)));
            return (!begins).then_some(Skip::Unfounded);
        }
        if let Some((_, broker)) = self.broker_of(header.writer) {
            return judge_number(broker, header.number);
        }
        match first {
            Some(Proposal::Found(_)) => Some(Skip::Repeated),
            Some(Proposal::Open {
                broker,
                after,
                level,
            }) if header.number == 1 => {
                let current = self.brokers.get(broker);
                let current = current.map_or(Writer(0), |broker| broker.writer);
                if current != *after && !Mutant::OpenAnyway.lives() {
                    return Some(Skip::Fenced);
                }
                let opened = Broker {
                    writer: header.writer,
                    last: 1,
                    epoch: Epoch(0),
                    gone: false,
                    level: *level,
                };
                self.brokers.insert(broker.clone(), opened);
                None
            }
            _ => Some(Skip::Fenced),
        }
    }

    /// What the log is to know; seats, epoch and whole snapshots are to be filled in.
    pub(super) fn mark(&self) -> PositionMark {
        let brokers = self.brokers.iter().map(|(name, broker)| BrokerEntry {
            name: name.clone(),
            writer: broker.writer,
            last: broker.last,
            epoch: broker.epoch,
            gone: broker.gone,
            level: broker.level,
        });
        PositionMark {
            position: self.position,
            chain: self.chain(),
            checksum: self.checksum,
            epoch: Epoch(0),
            snapshots: self.snapshots.entry(),
            founding: self.founding.clone(),
            brokers: brokers.collect(),
            seats: Vec::new(),
            whole: Vec::new(),
        }
    }
}

fn judge_number(broker: &mut Broker, number: u64) -> Option<Skip> {
    if broker.gone {
        return Some(Skip::Fenced);
    }
    if number <= broker.last && !Mutant::CountTwice.lives() {
        return Some(Skip::Repeated);
    }
    if number > broker.last + 1 && !Mutant::CountBehindGap.lives() {
        return Some(Skip::OutOfTurn);
    }
    broker.last = number;
    None
}

/// The chain goes on with a record: equal positions and chains mean equal histories.
fn mix(chain: u64, position: Position, checksum: u32, length: usize) -> u64 {
    let mut bytes = [0; 28];
    bytes[..8].copy_from_slice(&chain.to_be_bytes());
    bytes[8..16].copy_from_slice(&position.0.to_be_bytes());
    bytes[16..20].copy_from_slice(&checksum.to_be_bytes());
    bytes[20..].copy_from_slice(&(length as u64).to_be_bytes());
    xxhash_rust::xxh3::xxh3_64(&bytes)
}
