//! A batch: a header, then records one after the other. The unit that is synced, sent and shared.
//!
//! The header's bytes are the head of a native frame *and* of what the log writes, so a batch is
//! encoded once: a frame to a member is one or more batches end to end, exactly as they lie in
//! the log.
//!
//! ```text
//!  0       1         2      3   4        8          12
//!  | magic | version | kind | 0 | length | checksum | count
//!  16      24        32       40      44              48
//!  | first | first  | log id | epoch | body checksum | records ...
//! ```

use super::fields::{Field, put, read_u8, read_u32, read_u64};
use super::native::{MAGIC, VERSION};
use super::record::Record;
use super::{DecodeError, Epoch, LogId, OrderNumber};

/// The layout of a batch's header, stated once.
pub mod field {
    use super::Field;
    /// [`super::MAGIC`].
    pub const MAGIC: Field = 0..1;
    /// [`super::VERSION`].
    pub const VERSION: Field = 1..2;
    /// [`super::Kind`].
    pub const KIND: Field = 2..3;
    /// Zero.
    pub const RESERVED: Field = 3..4;
    /// Bytes of header and body.
    pub const LENGTH: Field = 4..8;
    /// CRC-32 over all other bytes of the header.
    pub const CHECKSUM: Field = 8..12;
    /// How many records, or session entries, the body holds.
    pub const COUNT: Field = 12..16;
    /// Order number of the first record; without records, of the next one to come.
    pub const FIRST: Field = 16..24;
    /// [`FIRST`] once more: version 1 of the dialect has a number here that its peers may show.
    pub const FIRST_AGAIN: Field = 24..32;
    /// [`super::LogId`].
    pub const LOG_ID: Field = 32..40;
    /// [`super::Epoch`].
    pub const EPOCH: Field = 40..44;
    /// CRC-32 over the body where its parts carry none of their own; otherwise 0.
    pub const BODY_CHECKSUM: Field = 44..48;
}

/// Bytes before the first record.
pub const HEADER_LEN: usize = 48;

/// What a batch's body holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Records; each has its own checksum. The only kind that is sent to peers.
    Messages = 0x10,
    /// Session entries (see [`super::sessions`]) that changed.
    Sessions = 0x20,
    /// Session entries, all there are: what was known before is forgotten.
    Snapshot = 0x21,
    /// A mark of the log's own: it was closed in good order here.
    Closed = 0x22,
    /// A mark of the log's own: everything before it had been synced when it was written.
    Synced = 0x23,
    /// A mark of the log's own: what comes next is in the next segment.
    Continued = 0x24,
    /// How far the stream that several brokers share is applied: see [`super::position_mark`].
    Position = 0x25,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            0x10 => Self::Messages,
            0x20 => Self::Sessions,
            0x21 => Self::Snapshot,
            0x22 => Self::Closed,
            0x23 => Self::Synced,
            0x24 => Self::Continued,
            0x25 => Self::Position,
            _ => return None,
        })
    }
}

/// What the header of a batch says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the body holds.
    pub kind: Kind,
    /// Bytes of header and body.
    pub length: usize,
    /// Records or session entries in the body.
    pub count: u32,
    /// Order number of the first record; without records, of the next one to come.
    pub first: OrderNumber,
    /// The log it belongs to.
    pub log_id: LogId,
    /// The broker's epoch when it was written.
    pub epoch: Epoch,
    /// CRC-32 over the body, 0 for [`Kind::Messages`].
    pub body_checksum: u32,
}

impl Header {
    /// Reads and checks the header at the head of `bytes`; of the body only its end is checked.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let header = bytes.get(..HEADER_LEN).ok_or(DecodeError::Truncated)?;
        if read_u8(header, field::MAGIC)? != MAGIC {
            return Err(DecodeError::UnexpectedKind);
        }
        if read_u8(header, field::VERSION)? != VERSION {
            return Err(DecodeError::UnsupportedVersion);
        }
        if header_checksum(header) != read_u32(header, field::CHECKSUM)? {
            return Err(DecodeError::BadChecksum);
        }
        let kind = Kind::from_byte(read_u8(header, field::KIND)?);
        let length = read_u32(header, field::LENGTH)? as usize;
        if length < HEADER_LEN || read_u8(header, field::RESERVED)? != 0 {
            return Err(DecodeError::FieldOutOfRange);
        }
        if length > bytes.len() {
            return Err(DecodeError::Truncated);
        }
        let count = read_u32(header, field::COUNT)?;
        let first = OrderNumber(read_u64(header, field::FIRST)?);
        // Whoever holds a header may ask for its end.
        if first.0.checked_add(u64::from(count)).is_none() {
            return Err(DecodeError::FieldOutOfRange);
        }
        Ok(Self {
            kind: kind.ok_or(DecodeError::UnexpectedKind)?,
            length,
            count,
            first,
            log_id: LogId(read_u64(header, field::LOG_ID)?),
            epoch: Epoch(read_u32(header, field::EPOCH)?),
            body_checksum: read_u32(header, field::BODY_CHECKSUM)?,
        })
    }

    /// Writes the header over the first [`HEADER_LEN`] bytes of `batch`, whose body is complete.
    /// Length and, where the kind has one, body checksum are taken from the batch itself.
    ///
    /// # Panics
    /// If the batch is shorter than a header or longer than 4 GiB.
    pub fn seal(self, batch: &mut [u8]) {
        let length = u32::try_from(batch.len()).expect("batch size is limited");
        let body_checksum = match self.kind {
            Kind::Messages => 0,
            _ => crc32fast::hash(&batch[HEADER_LEN..]),
        };
        put(batch, field::MAGIC, &[MAGIC]);
        put(batch, field::VERSION, &[VERSION]);
        put(batch, field::KIND, &[self.kind as u8]);
        put(batch, field::RESERVED, &[0]);
        put(batch, field::LENGTH, &length.to_be_bytes());
        put(batch, field::COUNT, &self.count.to_be_bytes());
        put(batch, field::FIRST, &self.first.0.to_be_bytes());
        put(batch, field::FIRST_AGAIN, &self.first.0.to_be_bytes());
        put(batch, field::LOG_ID, &self.log_id.0.to_be_bytes());
        put(batch, field::EPOCH, &self.epoch.0.to_be_bytes());
        put(batch, field::BODY_CHECKSUM, &body_checksum.to_be_bytes());
        let checksum = header_checksum(&batch[..HEADER_LEN]).to_be_bytes();
        put(batch, field::CHECKSUM, &checksum);
    }

    /// The number after the last record.
    #[must_use]
    pub fn end(&self) -> OrderNumber {
        match self.kind {
            Kind::Messages => self.first.plus(u64::from(self.count)),
            _ => self.first,
        }
    }
}

/// Checks a whole batch: its header, every record with its checksum and number, nothing between
/// or after them. Session entries are checked by their checksum, not decoded.
///
/// # Errors
/// The first thing that is wrong.
pub fn verify(bytes: &[u8]) -> Result<Header, DecodeError> {
    let header = Header::decode(bytes)?;
    let mut body = &bytes[HEADER_LEN..header.length];
    if header.kind != Kind::Messages {
        let intact = crc32fast::hash(body) == header.body_checksum;
        return intact.then_some(header).ok_or(DecodeError::BadChecksum);
    }
    for place in 0..u64::from(header.count) {
        let (record, length) = Record::verify(body)?;
        if record.order.0.checked_sub(place) != Some(header.first.0) {
            return Err(DecodeError::FieldOutOfRange);
        }
        body = &body[length..];
    }
    if body.is_empty() {
        Ok(header)
    } else {
        Err(DecodeError::Trailing)
    }
}

/// The records of one or more batches that lie end to end, in order.
///
/// Trusts checksums (see [`Record::decode`]); ends after the first error it yields.
pub fn records(frame: &[u8]) -> Records<'_> {
    Records {
        batch: &[],
        left_in_batch: 0,
        rest: frame,
    }
}

/// See [`records`].
#[derive(Clone, Debug)]
pub struct Records<'a> {
    /// What has not been read of the batch that is being read.
    batch: &'a [u8],
    left_in_batch: u32,
    /// The batches after it.
    rest: &'a [u8],
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, DecodeError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        while self.left_in_batch == 0 {
            if self.batch.is_empty() && self.rest.is_empty() {
                return None;
            }
            if let Err(error) = self.next_batch() {
                return Some(Err(self.end(error)));
            }
        }
        match Record::decode(self.batch) {
            Ok((record, length)) => {
                self.batch = &self.batch[length..];
                self.left_in_batch -= 1;
                Some(Ok(record))
            }
            Err(error) => Some(Err(self.end(error))),
        }
    }
}

impl Records<'_> {
    fn next_batch(&mut self) -> Result<(), DecodeError> {
        if !self.batch.is_empty() {
            return Err(DecodeError::Trailing);
        }
        let header = Header::decode(self.rest)?;
        if header.kind != Kind::Messages {
            return Err(DecodeError::UnexpectedKind);
        }
        let (batch, rest) = self.rest.split_at(header.length);
        self.batch = &batch[HEADER_LEN..];
        self.left_in_batch = header.count;
        self.rest = rest;
        Ok(())
    }

    /// Nothing comes after an error.
    fn end(&mut self, error: DecodeError) -> DecodeError {
        *self = records(&[]);
        error
    }
}

fn header_checksum(header: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&header[..field::CHECKSUM.start]);
    hasher.update(&header[field::CHECKSUM.end..HEADER_LEN]);
    hasher.finalize()
}
