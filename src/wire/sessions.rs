//! What the log keeps of a member, so that a restarted broker knows it again: session entries.
//!
//! ```text
//!  0       1         2             3           4       12      20              28     32
//!  | state | dialect | name length | delimited | floor | heard | last sequence | runs | digests
//!  36
//!  | name | runs ... | digests ...
//! ```
//! A run is 20 bytes, see [`run_field`], a digest 4.

use super::fields::{Field, put, read_u8, read_u32, read_u64, split_items};
use super::{ClientSequence, DecodeError, Dialect, Name, OrderNumber};

/// The layout of an entry's fixed part, stated once.
pub mod field {
    use super::Field;
    /// 1: a member; 0: it has left, and what was known of it is forgotten.
    pub const STATE: Field = 0..1;
    /// 0 binary, 1 JSON, 2 raw, 3 native: what it last spoke.
    pub const DIALECT: Field = 1..2;
    /// Bytes of the name.
    pub const NAME_LENGTH: Field = 2..3;
    /// 1: it puts an empty frame before its messages; otherwise 0.
    pub const DELIMITED: Field = 3..4;
    /// The first order number that it has not acknowledged.
    pub const FLOOR: Field = 4..12;
    /// When it was last heard, in microseconds since 1970 (UTC); with the highest bit set, for how
    /// many microseconds it was away.
    pub const HEARD: Field = 12..20;
    /// The last client sequence that was ordered, 0 for none.
    pub const LAST_SEQUENCE: Field = 20..28;
    /// How many runs follow the name.
    pub const RUNS: Field = 28..32;
    /// How many digests follow the runs.
    pub const DIGESTS: Field = 32..36;
}

/// The layout of a [`SequenceRun`], stated once: in an entry and in a confirmation.
pub mod run_field {
    use super::Field;
    /// The first client sequence.
    pub const SEQUENCE: Field = 0..8;
    /// The order number that it got.
    pub const ORDER: Field = 8..16;
    /// How many follow one another.
    pub const COUNT: Field = 16..20;
}

/// Bytes before the name.
pub const FIXED_LEN: usize = 36;
/// Bytes of a [`SequenceRun`].
pub const RUN_LEN: usize = 20;
/// Bytes of a digest.
pub const DIGEST_LEN: usize = 4;
/// Marks what is in [`field::HEARD`] as the time for which a member was away.
const AWAY: u64 = 1 << 63;

/// Client sequences that follow one another and were ordered one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SequenceRun {
    /// The first of the client sequences.
    pub sequence: ClientSequence,
    /// The order number that it got.
    pub order: OrderNumber,
    /// How many there are; at least 1.
    pub count: u32,
}

impl SequenceRun {
    /// Appends the run's bytes.
    pub(super) fn encode(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.sequence.0.to_be_bytes());
        into.extend_from_slice(&self.order.0.to_be_bytes());
        into.extend_from_slice(&self.count.to_be_bytes());
    }

    /// Reads the [`RUN_LEN`] bytes of a run. Its end fits its numbers, so that whoever holds a
    /// run may count to it.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let run = Self {
            sequence: ClientSequence(read_u64(bytes, run_field::SEQUENCE)?),
            order: OrderNumber(read_u64(bytes, run_field::ORDER)?),
            count: read_u32(bytes, run_field::COUNT)?,
        };
        let count = u64::from(run.count);
        let fits = run.sequence.checked_plus(count).is_some();
        if count == 0 || !fits || run.order.0.checked_add(count).is_none() {
            return Err(DecodeError::FieldOutOfRange);
        }
        Ok(run)
    }
}

/// What the log keeps of one member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionEntry {
    /// Whom it is about.
    pub name: Name,
    /// False when it has left: then nothing else in the entry means anything.
    pub member: bool,
    /// What it last spoke.
    pub dialect: Dialect,
    /// Whether it puts an empty frame before its messages, and so wants one before ours.
    pub delimited: bool,
    /// The first order number that it has not acknowledged.
    pub floor: OrderNumber,
    /// When it was last heard, in microseconds since 1970 (UTC), or if it is away for how many
    /// microseconds it was while brokers ran; below 2^63.
    pub heard: u64,
    /// Whether it is away.
    pub away: bool,
    /// The last client sequence that was ordered.
    pub last_sequence: ClientSequence,
    /// Where the newest of its messages lie, oldest first, the last ending at `last_sequence`.
    pub runs: Vec<SequenceRun>,
    /// CRC-32 of the payload of each message in `runs`.
    pub digests: Vec<u32>,
}

impl SessionEntry {
    /// Bytes of an entry that holds no runs.
    #[must_use]
    pub fn len_without_runs(name: &Name) -> usize {
        FIXED_LEN + name.as_bytes().len()
    }

    /// Bytes that this entry takes.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        Self::len_without_runs(&self.name)
            + self.runs.len() * RUN_LEN
            + self.digests.len() * DIGEST_LEN
    }

    /// Appends the entry's bytes.
    ///
    /// # Panics
    /// If there are more than 4 billion runs or digests, which the publish window rules out.
    pub fn encode(&self, into: &mut Vec<u8>) {
        let count = |len: usize| u32::try_from(len).expect("bounded by the publish window");
        let mut fixed = [0; FIXED_LEN];
        fixed[field::STATE.start] = u8::from(self.member);
        fixed[field::DIALECT.start] = self.dialect.number();
        fixed[field::NAME_LENGTH.start] =
            u8::try_from(self.name.as_bytes().len()).expect("a name has at most 255 bytes");
        fixed[field::DELIMITED.start] = u8::from(self.delimited);
        put(&mut fixed, field::FLOOR, &self.floor.0.to_be_bytes());
        let heard = (self.heard & !AWAY) | (u64::from(self.away) * AWAY);
        put(&mut fixed, field::HEARD, &heard.to_be_bytes());
        put(
            &mut fixed,
            field::LAST_SEQUENCE,
            &self.last_sequence.0.to_be_bytes(),
        );
        put(
            &mut fixed,
            field::RUNS,
            &count(self.runs.len()).to_be_bytes(),
        );
        put(
            &mut fixed,
            field::DIGESTS,
            &count(self.digests.len()).to_be_bytes(),
        );
        into.extend_from_slice(&fixed);
        into.extend_from_slice(self.name.as_bytes());
        for run in &self.runs {
            run.encode(into);
        }
        for digest in &self.digests {
            into.extend_from_slice(&digest.to_be_bytes());
        }
    }

    /// Reads the entry at the head of `bytes` and says how long it is.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn decode(bytes: &[u8]) -> Result<(Self, usize), DecodeError> {
        let member = match read_u8(bytes, field::STATE)? {
            0 => false,
            1 => true,
            _ => return Err(DecodeError::FieldOutOfRange),
        };
        let dialect = Dialect::of_number(read_u8(bytes, field::DIALECT)?)?;
        let delimited = match read_u8(bytes, field::DELIMITED)? {
            0 => false,
            1 => true,
            _ => return Err(DecodeError::FieldOutOfRange),
        };
        let name_length = u32::from(read_u8(bytes, field::NAME_LENGTH)?);
        let rest = bytes.get(FIXED_LEN..).ok_or(DecodeError::Truncated)?;
        let (name, rest) = split_items(rest, name_length, 1)?;
        let (runs, rest) = split_items(rest, read_u32(bytes, field::RUNS)?, RUN_LEN)?;
        let (digests, rest) = split_items(rest, read_u32(bytes, field::DIGESTS)?, DIGEST_LEN)?;
        let heard = read_u64(bytes, field::HEARD)?;
        let entry = Self {
            name: Name::new(name).map_err(|_| DecodeError::BadName)?,
            member,
            dialect,
            delimited,
            floor: OrderNumber(read_u64(bytes, field::FLOOR)?),
            heard: heard & !AWAY,
            away: heard & AWAY != 0,
            last_sequence: ClientSequence(read_u64(bytes, field::LAST_SEQUENCE)?),
            runs: runs
                .chunks_exact(RUN_LEN)
                .map(SequenceRun::decode)
                .collect::<Result<_, _>>()?,
            digests: digests
                .chunks_exact(DIGEST_LEN)
                .map(|digest| read_u32(digest, 0..4))
                .collect::<Result<_, _>>()?,
        };
        Ok((entry, bytes.len() - rest.len()))
    }
}
