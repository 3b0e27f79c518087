//! A segment: a file of the log. Its name, its header, and where its zeros go up to.
//!
//! ```text
//!  0       8        12         16       24       32      36   40
//!  | magic | format | checksum | log id | secret | epoch | 0  |
//!  40         48      56       64       72
//!  | sequence | first | filled | newest |
//! ```
//! Integers are big-endian. After the header come batches end to end, the first of them a
//! snapshot of all sessions; after the batches, zeros.

use crate::wire::fields::{Field, put, read_u32, read_u64};
use crate::wire::{Epoch, LogId, OrderNumber};

/// The layout of a segment's header, stated once. It stays as it is in every later format, so
/// that an older version can tell a newer log from a damaged one.
pub mod field {
    use super::Field;
    /// [`super::MAGIC`].
    pub const MAGIC: Field = 0..8;
    /// [`super::FORMAT`].
    pub const FORMAT: Field = 8..12;
    /// CRC-32 over all other bytes of the header.
    pub const CHECKSUM: Field = 12..16;
    /// [`super::LogId`].
    pub const LOG_ID: Field = 16..24;
    /// What only the log's own marks carry (see `mark.rs`): never sent to anybody.
    pub const SECRET: Field = 24..32;
    /// [`super::Epoch`].
    pub const EPOCH: Field = 32..36;
    /// Zero.
    pub const RESERVED: Field = 36..40;
    /// The segment's number, from 1 without gaps; also its file's name.
    pub const SEQUENCE: Field = 40..48;
    /// Order number of the segment's first message.
    pub const FIRST: Field = 48..56;
    /// Bytes that the file was filled to before it was used: it can never be shorter.
    pub const FILLED: Field = 56..64;
    /// When the newest message before this segment was ordered, in microseconds since 1970 (UTC).
    pub const NEWEST: Field = 64..72;
}

/// What a segment begins with.
pub const MAGIC: [u8; 8] = *b"ordenlog";
/// The format that this version writes, and the newest that it reads.
pub const FORMAT: u32 = 1;
/// Bytes before the first batch.
pub const HEADER_LEN: usize = 72;

/// The file in which the next segment is made ready. What it holds means nothing until it has
/// a segment's name.
pub(super) const FILLING: &str = "next.filling";
const SUFFIX: &str = ".segment";

/// Which segment: from 1, without gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sequence(pub u64);

impl Sequence {
    /// The file of this segment. Names sort as numbers do.
    pub(super) fn file_name(self) -> String {
        format!("{:020}{SUFFIX}", self.0)
    }

    /// The segment that a file is, if it is one.
    pub(super) fn from_file_name(name: &str) -> Option<Self> {
        let digits = name.strip_suffix(SUFFIX)?;
        let sequence = Self(digits.parse().ok()?);
        (sequence.file_name() == name).then_some(sequence)
    }

    pub(super) fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// What makes a log this one: in every segment the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The number that clients know it by.
    pub log_id: LogId,
    /// The number that nobody but the log's files has; see `mark.rs` for what it prevents.
    pub secret: u64,
}

/// What the header of a segment says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) identity: Identity,
    pub(super) epoch: Epoch,
    pub(super) sequence: Sequence,
    /// Order number of the segment's first message.
    pub(super) first: OrderNumber,
    /// Bytes that the file was filled to.
    pub(super) filled: u64,
    /// Time of the newest message before this segment, 0 if there is none.
    pub(super) newest: u64,
}

/// Why bytes are not a segment's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadHeader {
    Damaged(&'static str),
    Newer(u32),
}

impl Header {
    pub(super) fn encode(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        put(&mut bytes, field::MAGIC, &MAGIC);
        put(&mut bytes, field::FORMAT, &FORMAT.to_be_bytes());
        put(
            &mut bytes,
            field::LOG_ID,
            &self.identity.log_id.0.to_be_bytes(),
        );
        put(
            &mut bytes,
            field::SECRET,
            &self.identity.secret.to_be_bytes(),
        );
        put(&mut bytes, field::EPOCH, &self.epoch.0.to_be_bytes());
        put(&mut bytes, field::SEQUENCE, &self.sequence.0.to_be_bytes());
        put(&mut bytes, field::FIRST, &self.first.0.to_be_bytes());
        put(&mut bytes, field::FILLED, &self.filled.to_be_bytes());
        put(&mut bytes, field::NEWEST, &self.newest.to_be_bytes());
        let checksum = checksum(&bytes).to_be_bytes();
        put(&mut bytes, field::CHECKSUM, &checksum);
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, BadHeader> {
        let short = BadHeader::Damaged("the file is too short for a segment's header");
        let bytes = bytes.get(..HEADER_LEN).ok_or(short)?;
        if bytes[field::MAGIC] != MAGIC {
            return Err(BadHeader::Damaged("this is not a segment of a log"));
        }
        let read_u64 = |field| read_u64(bytes, field).map_err(|_| short);
        let read_u32 = |field| read_u32(bytes, field).map_err(|_| short);
        if read_u32(field::CHECKSUM)? != checksum(bytes) {
            return Err(BadHeader::Damaged("the header's checksum does not match"));
        }
        match read_u32(field::FORMAT)? {
            FORMAT => {}
            newer if newer > FORMAT => return Err(BadHeader::Newer(newer)),
            _ => return Err(BadHeader::Damaged("there never was such a format")),
        }
        Ok(Self {
            identity: Identity {
                log_id: LogId(read_u64(field::LOG_ID)?),
                secret: read_u64(field::SECRET)?,
            },
            epoch: Epoch(read_u32(field::EPOCH)?),
            sequence: Sequence(read_u64(field::SEQUENCE)?),
            first: OrderNumber(read_u64(field::FIRST)?),
            filled: read_u64(field::FILLED)?,
            newest: read_u64(field::NEWEST)?,
        })
    }
}

fn checksum(header: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&header[..field::CHECKSUM.start]);
    hasher.update(&header[field::CHECKSUM.end..]);
    hasher.finalize()
}
