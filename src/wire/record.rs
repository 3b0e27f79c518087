//! One ordered message as it lies in the log and travels in a native frame: the same bytes.
//!
//! ```text
//!  0        4          8       16                24     32      33            34
//!  | length | checksum | order | client sequence | time | flags | name length | 0 (2)
//!  36                   36 + name length
//!  | sender's name      | payload ...
//! ```
//! All integers are big-endian. The checksum is CRC-32 (ISO-HDLC, as in zlib) over every byte
//! of the record but its own four.

use super::fields::{Field, put, read_u8, read_u16, read_u32, read_u64};
use super::{ClientSequence, DecodeError, OrderNumber};
use crate::display::Message;

/// The layout of a record's header, stated once.
pub mod field {
    use super::Field;
    /// Bytes of the whole record, this field included.
    pub const LENGTH: Field = 0..4;
    /// CRC-32 over all other bytes.
    pub const CHECKSUM: Field = 4..8;
    /// [`super::OrderNumber`].
    pub const ORDER: Field = 8..16;
    /// [`super::ClientSequence`], 0 for none.
    pub const CLIENT_SEQUENCE: Field = 16..24;
    /// When it was ordered, in microseconds since 1970 (UTC).
    pub const TIME: Field = 24..32;
    /// [`super::Flags`].
    pub const FLAGS: Field = 32..33;
    /// Bytes of the sender's name.
    pub const NAME_LENGTH: Field = 33..34;
    /// Zero.
    pub const RESERVED: Field = 34..36;
}

/// Bytes before the sender's name.
pub const HEADER_LEN: usize = 36;

/// What is special about a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(pub u8);

impl Flags {
    /// The broker's own notice, such as that somebody has joined.
    pub const NOTICE: Self = Self(1);
    /// Peers of the fixed dialects get the payload alone, without `name: ` before it: it was
    /// ordered by one of them and does not begin with its sender's name.
    pub const VERBATIM: Self = Self(2);

    /// Whether all of `other`'s flags are set.
    #[must_use]
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// One ordered message, borrowed from the bytes it was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its place in the order.
    pub order: OrderNumber,
    /// Its sender's own number for it.
    pub client_sequence: ClientSequence,
    /// When it was ordered, in microseconds since 1970 (UTC), by the broker's wall clock.
    pub time: u64,
    /// What is special about it.
    pub flags: Flags,
    /// Who sent it.
    pub sender: &'a [u8],
    /// What it says.
    pub payload: &'a [u8],
}

impl<'a> From<&Record<'a>> for Message<'a> {
    fn from(record: &Record<'a>) -> Self {
        Self {
            order: record.order.0,
            from: record.sender,
            payload: record.payload,
            time: record.time,
            is_notice: record.flags.has(Flags::NOTICE),
        }
    }
}

impl<'a> Record<'a> {
    /// Bytes that this record takes.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        HEADER_LEN + self.sender.len() + self.payload.len()
    }

    /// Appends the record's bytes.
    ///
    /// # Panics
    /// If the sender is longer than a name can be, or the whole longer than 4 GiB: whoever
    /// orders a message has checked both.
    pub fn encode(&self, into: &mut Vec<u8>) {
        let start = into.len();
        let length = u32::try_from(self.encoded_len()).expect("message size is limited");
        let name_length = u8::try_from(self.sender.len()).expect("name length is limited");
        let mut header = [0; HEADER_LEN];
        put(&mut header, field::LENGTH, &length.to_be_bytes());
        put(&mut header, field::ORDER, &self.order.0.to_be_bytes());
        put(
            &mut header,
            field::CLIENT_SEQUENCE,
            &self.client_sequence.0.to_be_bytes(),
        );
        put(&mut header, field::TIME, &self.time.to_be_bytes());
        put(&mut header, field::FLAGS, &[self.flags.0]);
        put(&mut header, field::NAME_LENGTH, &[name_length]);
        into.extend_from_slice(&header);
        into.extend_from_slice(self.sender);
        into.extend_from_slice(self.payload);
        let checksum = checksum(&into[start..]).to_be_bytes();
        put(&mut into[start..], field::CHECKSUM, &checksum);
    }

    /// Reads the record at the head of `bytes` and says how long it is, leaving the checksum
    /// to [`verify`](Self::verify): bytes that were checked on their way in need no second look.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] if `bytes` end before the record does,
    /// [`DecodeError::FieldOutOfRange`] if its lengths contradict one another.
    pub fn decode(bytes: &'a [u8]) -> Result<(Self, usize), DecodeError> {
        let length = read_u32(bytes, field::LENGTH)? as usize;
        let name_end = HEADER_LEN + usize::from(read_u8(bytes, field::NAME_LENGTH)?);
        if length < name_end || read_u16(bytes, field::RESERVED)? != 0 {
            return Err(DecodeError::FieldOutOfRange);
        }
        let bytes = bytes.get(..length).ok_or(DecodeError::Truncated)?;
        let record = Self {
            order: OrderNumber(read_u64(bytes, field::ORDER)?),
            client_sequence: ClientSequence(read_u64(bytes, field::CLIENT_SEQUENCE)?),
            time: read_u64(bytes, field::TIME)?,
            flags: Flags(read_u8(bytes, field::FLAGS)?),
            sender: &bytes[HEADER_LEN..name_end],
            payload: &bytes[name_end..],
        };
        Ok((record, length))
    }

    /// Reads the record at the head of `bytes` and checks every byte of it.
    ///
    /// # Errors
    /// As [`decode`](Self::decode), or [`DecodeError::BadChecksum`].
    pub fn verify(bytes: &'a [u8]) -> Result<(Self, usize), DecodeError> {
        let (record, length) = Self::decode(bytes)?;
        if checksum(&bytes[..length]) != read_u32(bytes, field::CHECKSUM)? {
            return Err(DecodeError::BadChecksum);
        }
        Ok((record, length))
    }
}

/// CRC-32 over a record without its checksum field.
fn checksum(record: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&record[field::LENGTH]);
    hasher.update(&record[field::CHECKSUM.end..]);
    hasher.finalize()
}
