//! A record of the stream that several brokers share: what one of them had to be ordered, as one
//! message of the engine.
//!
//! ```text
//!  0       1         2      3   4        8          12      16       24       32
//!  | magic | version | kind | 0 | length | checksum | count | log id | writer | number
//!  40     48     56      64
//!  | wall | seen | chain | proposals ...
//! ```
//! Each broker numbers its own records 1, 2, 3 ... and sends one again until it has come back, so
//! a record may stand in the stream twice, or out of turn: which copy counts is decided where
//! records are applied. `seen` and `chain` say what its writer had applied, so that two histories
//! are told apart by whoever reads both.

mod parts;
mod proposal;

use super::fields::{Field, put, read_u8, read_u32, read_u64};
use super::native::{MAGIC, VERSION};
use super::{DecodeError, LogId, Position, Writer};

pub use parts::{Floor, Founding, Part, Sitter};
pub use proposal::Proposal;

/// The layout of a record's header, stated once.
pub mod field {
    use super::Field;
    /// The native dialect's first byte.
    pub const MAGIC: Field = 0..1;
    /// The native dialect's version.
    pub const VERSION: Field = 1..2;
    /// [`super::KIND`].
    pub const KIND: Field = 2..3;
    /// Zero.
    pub const RESERVED: Field = 3..4;
    /// Bytes of header and proposals.
    pub const LENGTH: Field = 4..8;
    /// CRC-32 over all other bytes of the record.
    pub const CHECKSUM: Field = 8..12;
    /// How many proposals follow.
    pub const COUNT: Field = 12..16;
    /// Which order it belongs to.
    pub const LOG_ID: Field = 16..24;
    /// The broker's process that has written it.
    pub const WRITER: Field = 24..32;
    /// That writer's own number for it, from 1, without gaps.
    pub const NUMBER: Field = 32..40;
    /// When it was written, in microseconds since 1970 (UTC).
    pub const WALL: Field = 40..48;
    /// The last position that the writer had applied.
    pub const SEEN: Field = 48..56;
    /// The writer's chain at that position.
    pub const CHAIN: Field = 56..64;
}

/// Bytes before the first proposal.
pub const HEADER_LEN: usize = 64;
/// What a record that holds proposals says it is.
pub const KIND: u8 = 0x30;

/// What the header of a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// How many proposals it holds.
    pub count: u32,
    /// Which order it belongs to.
    pub log_id: LogId,
    /// The broker's process that has written it.
    pub writer: Writer,
    /// That writer's own number for it, from 1, without gaps.
    pub number: u64,
    /// When it was written, in microseconds since 1970 (UTC): the time of its messages.
    pub wall: u64,
    /// The last position that the writer had applied.
    pub seen: Position,
    /// The writer's chain at that position.
    pub chain: u64,
}

/// CRC-32 over a record's bytes without its checksum, whatever they are.
fn checksum(record: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    let (head, rest) = record.split_at(record.len().min(field::CHECKSUM.start));
    hasher.update(head);
    hasher.update(rest.get(field::CHECKSUM.len()..).unwrap_or_default());
    hasher.finalize()
}

/// What a record is compared by: the checksum of a whole one, and for any other one that of all its
/// bytes. What is damaged in its checksum only is another record, too: it does not count.
#[must_use]
pub fn fingerprint(record: &[u8]) -> u32 {
    let checksum = checksum(record);
    match read_u32(record, field::CHECKSUM) {
        Ok(said) if said == checksum => checksum,
        _ => crc32fast::hash(record),
    }
}

impl Header {
    /// Writes the header over the first [`HEADER_LEN`] bytes of a record whose proposals are
    /// complete.
    ///
    /// # Panics
    /// If the record is shorter than a header or longer than 4 GiB.
    pub fn seal(&self, record: &mut [u8]) {
        let length = u32::try_from(record.len()).expect("a record's size is limited");
        put(record, field::MAGIC, &[MAGIC]);
        put(record, field::VERSION, &[VERSION]);
        put(record, field::KIND, &[KIND]);
        put(record, field::RESERVED, &[0]);
        put(record, field::LENGTH, &length.to_be_bytes());
        put(record, field::COUNT, &self.count.to_be_bytes());
        put(record, field::LOG_ID, &self.log_id.0.to_be_bytes());
        put(record, field::WRITER, &self.writer.0.to_be_bytes());
        put(record, field::NUMBER, &self.number.to_be_bytes());
        put(record, field::WALL, &self.wall.to_be_bytes());
        put(record, field::SEEN, &self.seen.0.to_be_bytes());
        put(record, field::CHAIN, &self.chain.to_be_bytes());
        let checksum = checksum(record).to_be_bytes();
        put(record, field::CHECKSUM, &checksum);
    }

    /// Reads and checks a record's header and its checksum.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn decode(record: &[u8]) -> Result<Self, DecodeError> {
        if record.len() < HEADER_LEN {
            return Err(DecodeError::Truncated);
        }
        if read_u8(record, field::MAGIC)? != MAGIC {
            return Err(DecodeError::UnexpectedKind);
        }
        if read_u8(record, field::VERSION)? != VERSION {
            return Err(DecodeError::UnsupportedVersion);
        }
        if read_u32(record, field::CHECKSUM)? != checksum(record) {
            return Err(DecodeError::BadChecksum);
        }
        if read_u8(record, field::KIND)? != KIND {
            return Err(DecodeError::UnexpectedKind);
        }
        if read_u8(record, field::RESERVED)? != 0
            || usize::try_from(read_u32(record, field::LENGTH)?) != Ok(record.len())
        {
            return Err(DecodeError::FieldOutOfRange);
        }
        Ok(Self {
            count: read_u32(record, field::COUNT)?,
            log_id: LogId(read_u64(record, field::LOG_ID)?),
            writer: Writer(read_u64(record, field::WRITER)?),
            number: read_u64(record, field::NUMBER)?,
            wall: read_u64(record, field::WALL)?,
            seen: Position(read_u64(record, field::SEEN)?),
            chain: read_u64(record, field::CHAIN)?,
        })
    }
}

/// Reads a whole record.
///
/// # Errors
/// The first thing that is wrong with it, anywhere: then nothing of it counts.
pub fn decode(record: &[u8]) -> Result<(Header, Vec<Proposal<'_>>), DecodeError> {
    let header = Header::decode(record)?;
    let mut rest = &record[HEADER_LEN..];
    let mut proposals = Vec::new();
    for _ in 0..header.count {
        let (proposal, after) = Proposal::decode(rest)?;
        proposals.push(proposal);
        rest = after;
    }
    if rest.is_empty() {
        Ok((header, proposals))
    } else {
        Err(DecodeError::Trailing)
    }
}
