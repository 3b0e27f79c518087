//! The order's state in the stream: cut into records, and put together again.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_64;

use super::nobody::record_of_nobody;
use crate::wire::batch::{self, HEADER_LEN, Kind};
use crate::wire::position_mark::PositionMark;
use crate::wire::stream_record::{self, Founding, Part, Proposal};
use crate::wire::{DecodeError, Epoch, OrderNumber, Position};

/// The most bytes of the state in one record: with its header it stays below half a MiB.
const PART_BYTES: u64 = 480 << 10;
/// The least.
const PART_BYTES_LEAST: u64 = 256;
/// The bytes between two snapshots are at least those of so many parts.
const PARTS_BETWEEN: u64 = 8;

/// The state of a shared order at a position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// The position: what follows is applied to it.
    pub position: Position,
    /// What all brokers share.
    pub founding: Founding,
    /// The number that the next message gets.
    pub next: OrderNumber,
    /// The last epoch.
    pub epoch: Epoch,
    /// All of it: a snapshot of the sessions, and a mark.
    pub bytes: Vec<u8>,
}

impl State {
    /// Reads a state.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn decode(bytes: Vec<u8>) -> Result<Self, DecodeError> {
        let sessions = batch::verify(&bytes)?;
        let rest = bytes.get(sessions.length..).ok_or(DecodeError::Truncated)?;
        let marked = batch::verify(rest)?;
        if (sessions.kind, marked.kind) != (Kind::Snapshot, Kind::Position) {
            return Err(DecodeError::UnexpectedKind);
        }
        if marked.length != rest.len() {
            return Err(DecodeError::Trailing);
        }
        let mark = PositionMark::decode(&rest[HEADER_LEN..])?;
        Ok(Self {
            position: mark.position,
            founding: mark.founding.ok_or(DecodeError::FieldOutOfRange)?,
            next: sessions.first,
            epoch: mark.epoch,
            bytes,
        })
    }
}

/// What two states are compared by.
#[must_use]
pub fn digest(state: &[u8]) -> u64 {
    xxh3_64(state)
}

/// Bytes of each part but the last.
fn part_bytes(founding: &Founding) -> usize {
    let bytes = founding.snapshot_bytes / PARTS_BETWEEN;
    usize::try_from(bytes.clamp(PART_BYTES_LEAST, PART_BYTES)).unwrap_or(usize::MAX)
}

fn parts(founding: &Founding, state: &[u8]) -> u32 {
    let parts = state.len().div_ceil(part_bytes(founding));
    u32::try_from(parts).unwrap_or(u32::MAX)
}

/// One part of a state at a position; `digest` is that of the state.
#[must_use]
pub fn part<'a>(
    founding: &Founding,
    state: &'a [u8],
    of: Position,
    digest: u64,
    index: u32,
) -> Part<'a> {
    let most = part_bytes(founding);
    let start = (index as usize * most).min(state.len());
    let end = (start + most).min(state.len());
    Part {
        of,
        index,
        count: parts(founding, state),
        digest,
        bytes: &state[start..end],
    }
}

/// The records that follow the first one of a stream whose order began elsewhere.
#[must_use]
pub fn seed(founding: &Founding, state: &[u8]) -> Vec<Vec<u8>> {
    let digest = digest(state);
    let record = |index| {
        let proposal = Proposal::Part(part(founding, state, Position(1), digest, index));
        record_of_nobody(founding.log_id, u64::from(index) + 2, &proposal)
    };
    (0..parts(founding, state)).map(record).collect()
}

/// Puts a state together from the records that are read from the stream's first one on.
#[derive(Debug, Default)]
pub struct Assembly {
    /// By position and digest.
    states: BTreeMap<(Position, u64), Vec<Option<Vec<u8>>>>,
}

impl Assembly {
    /// Takes the next record, and gives back the first state that is whole.
    ///
    /// # Errors
    /// What is wrong with that state: it is of no use, whatever follows.
    pub fn take(&mut self, record: &[u8]) -> Result<Option<State>, DecodeError> {
        let Ok((_, proposals)) = stream_record::decode(record) else {
            return Ok(None); // brokers step over it, too
        };
        for proposal in &proposals {
            let Proposal::Part(part) = proposal else {
                continue;
            };
            if let Some(bytes) = self.add(part) {
                return State::decode(bytes).map(Some);
            }
        }
        Ok(None)
    }

    fn add(&mut self, part: &Part<'_>) -> Option<Vec<u8>> {
        let key = (part.of, part.digest);
        let parts = self.states.entry(key).or_default();
        let (index, count) = (part.index as usize, part.count as usize);
        // A count is believed as far as its parts come.
        if parts.len() <= index {
            parts.resize(index + 1, None);
        }
        parts[index] = Some(part.bytes.to_vec());
        let is_whole = parts.len() == count && parts.iter().all(Option::is_some);
        if !is_whole {
            return None;
        }
        let bytes = parts
            .iter()
            .flatten()
            .flatten()
            .copied()
            .collect::<Vec<_>>();
        self.states.remove(&key);
        (digest(&bytes) == part.digest).then_some(bytes)
    }
}
