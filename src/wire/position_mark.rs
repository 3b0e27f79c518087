//! What the journal of one of several brokers keeps besides messages and sessions: how far the
//! stream is applied, which brokers there are, and where members sit.
//!
//! It is the body of a batch of the kind [`Position`](super::batch::Kind::Position), which ends
//! what was applied in one round: without it, nothing of that round counts.
//!
//! ```text
//!  0          8       16         20      24          69
//!  | position | chain | checksum | epoch | snapshots | founding | brokers | seats | whole
//! ```

use super::cursor::{Cursor, put_name};
use super::stream_record::Founding;
use super::{DecodeError, Epoch, Name, Position, PublicKey, Writer};

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PositionMark {
    /// The last position that was applied.
    pub position: Position,
    /// The chain of all records up to there.
    pub chain: u64,
    /// The checksum of the record at that position.
    pub checksum: u32,
    /// The epoch of what follows.
    pub epoch: Epoch,
    /// How far the snapshots in the stream are.
    pub snapshots: SnapshotsEntry,
    /// What all brokers share, once the order has begun.
    pub founding: Option<Founding>,
    /// All brokers, by name.
    pub brokers: Vec<BrokerEntry>,
    /// Members that have changed their seat since the last mark; in a snapshot, all.
    pub seats: Vec<SeatEntry>,
    /// Snapshots that have become whole since the last mark; in a snapshot, all.
    pub whole: Vec<WholeEntry>,
}

/// How far the snapshots in the stream are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SnapshotsEntry {
    /// Bytes of all records so far.
    pub bytes: u64,
    /// Bytes of records until the next snapshot is due.
    pub until: u64,
    /// The one that was due last.
    pub due: WholeEntry,
    /// Whose parts of it are there; 0: it has none, or is whole.
    pub writer: Writer,
    /// How many of its parts are there.
    pub parts: u32,
    /// Whether it is whole.
    pub is_whole: bool,
}

/// A snapshot whose parts are all in the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WholeEntry {
    /// The position whose state it is; 0: there is none.
    pub position: Position,
    /// Bytes of all records up to there.
    pub bytes: u64,
}

/// What is known of a broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerEntry {
    /// Its name.
    pub name: Name,
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

/// Where a member sits, and what else of it only several brokers need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeatEntry {
    /// Whom it is about.
    pub name: Name,
    /// Whether its session ends with its connection.
    pub transient: bool,
    /// The broker where it sits or sat last.
    pub home: Name,
    /// Where it sits; writer 0: it is away.
    pub writer: Writer,
    /// The seat's number.
    pub seat: u32,
    /// Its process, as its last hello said.
    pub life: u64,
    /// That hello's number.
    pub attempt: u32,
    /// The position of the record by which it went away.
    pub away_since: Position,
    /// The key that speaks for it.
    pub key: Option<PublicKey>,
}

impl PositionMark {
    /// Appends the body's bytes.
    ///
    /// # Panics
    /// If there are more than 4 billion brokers or seats, which other limits rule out.
    pub fn encode(&self, into: &mut Vec<u8>) {
        let count = |len: usize| u32::try_from(len).expect("members are limited");
        into.extend_from_slice(&self.position.0.to_be_bytes());
        into.extend_from_slice(&self.chain.to_be_bytes());
        into.extend_from_slice(&self.checksum.to_be_bytes());
        into.extend_from_slice(&self.epoch.0.to_be_bytes());
        self.snapshots.encode(into);
        into.push(u8::from(self.founding.is_some()));
        if let Some(founding) = &self.founding {
            founding.encode(into);
        }
        into.extend_from_slice(&count(self.brokers.len()).to_be_bytes());
        into.extend_from_slice(&count(self.seats.len()).to_be_bytes());
        into.extend_from_slice(&count(self.whole.len()).to_be_bytes());
        for broker in &self.brokers {
            put_name(&broker.name, into);
            into.extend_from_slice(&broker.writer.0.to_be_bytes());
            into.extend_from_slice(&broker.last.to_be_bytes());
            into.extend_from_slice(&broker.epoch.0.to_be_bytes());
            into.push(u8::from(broker.gone));
            into.extend_from_slice(&broker.level.to_be_bytes());
        }
        for seat in &self.seats {
            seat.encode(into);
        }
        for whole in &self.whole {
            whole.encode(into);
        }
    }

    /// Reads a body.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut cursor = Cursor(body);
        let mut mark = Self {
            position: Position(cursor.u64()?),
            chain: cursor.u64()?,
            checksum: cursor.u32()?,
            epoch: Epoch(cursor.u32()?),
            snapshots: SnapshotsEntry::decode(&mut cursor)?,
            founding: cursor.optional(Founding::decode)?,
            ..Self::default()
        };
        let (brokers, seats, whole) = (cursor.u32()?, cursor.u32()?, cursor.u32()?);
        for _ in 0..brokers {
            mark.brokers.push(BrokerEntry {
                name: cursor.name()?,
                writer: Writer(cursor.u64()?),
                last: cursor.u64()?,
                epoch: Epoch(cursor.u32()?),
                gone: cursor.flag()?,
                level: cursor.u32()?,
            });
        }
        for _ in 0..seats {
            mark.seats.push(SeatEntry::decode(&mut cursor)?);
        }
        for _ in 0..whole {
            mark.whole.push(WholeEntry::decode(&mut cursor)?);
        }
        cursor.end()?;
        Ok(mark)
    }
}

impl SnapshotsEntry {
    fn encode(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.bytes.to_be_bytes());
        into.extend_from_slice(&self.until.to_be_bytes());
        self.due.encode(into);
        into.extend_from_slice(&self.writer.0.to_be_bytes());
        into.extend_from_slice(&self.parts.to_be_bytes());
        into.push(u8::from(self.is_whole));
    }

    fn decode(cursor: &mut Cursor<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            bytes: cursor.u64()?,
            until: cursor.u64()?,
            due: WholeEntry::decode(cursor)?,
            writer: Writer(cursor.u64()?),
            parts: cursor.u32()?,
            is_whole: cursor.flag()?,
        })
    }
}

impl WholeEntry {
    fn encode(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.position.0.to_be_bytes());
        into.extend_from_slice(&self.bytes.to_be_bytes());
    }

    fn decode(cursor: &mut Cursor<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            position: Position(cursor.u64()?),
            bytes: cursor.u64()?,
        })
    }
}

impl SeatEntry {
    fn encode(&self, into: &mut Vec<u8>) {
        put_name(&self.name, into);
        put_name(&self.home, into);
        into.push(u8::from(self.transient));
        into.extend_from_slice(&self.writer.0.to_be_bytes());
        into.extend_from_slice(&self.seat.to_be_bytes());
        into.extend_from_slice(&self.life.to_be_bytes());
        into.extend_from_slice(&self.attempt.to_be_bytes());
        into.extend_from_slice(&self.away_since.0.to_be_bytes());
        into.push(u8::from(self.key.is_some()));
        if let Some(key) = &self.key {
            into.extend_from_slice(key.as_bytes());
        }
    }

    fn decode(cursor: &mut Cursor<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            name: cursor.name()?,
            home: cursor.name()?,
            transient: cursor.flag()?,
            writer: Writer(cursor.u64()?),
            seat: cursor.u32()?,
            life: cursor.u64()?,
            attempt: cursor.u32()?,
            away_since: Position(cursor.u64()?),
            key: cursor.optional(Cursor::key)?,
        })
    }
}
