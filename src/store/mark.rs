//! Marks: small batches of the log's own, by which recovery tells damage from a torn write.
//!
//! After each sync the log writes a mark: "everything before this byte had been synced". So where
//! recovery finds something invalid, and a mark anywhere behind it, what is invalid had been
//! safe: it is damage. Without a mark behind it, it lies in the last group, of which nobody was
//! told: a torn write, to be cut off.
//!
//! A message may hold any bytes, a forged mark among them, and a torn write may lay them bare. So
//! a mark says where it lies, and carries a secret that is nowhere but in the log's files: a
//! client can forge none, and no copy of one counts elsewhere.
//!
//! ```text
//!  0              48       56       64
//!  | batch header | offset | secret |
//! ```

use super::segment::Identity;
use crate::wire::batch::{self, Header, Kind};
use crate::wire::fields::{Field, put, read_u64};
use crate::wire::{Epoch, OrderNumber};

/// The layout of a mark after its batch header, stated once.
pub mod field {
    use super::Field;
    /// Where in its file the mark lies.
    pub const OFFSET: Field = 48..56;
    /// The log's secret.
    pub const SECRET: Field = 56..64;
}

/// Bytes of a mark.
pub const LEN: usize = batch::HEADER_LEN + 16;
/// Room that is kept for marks at a segment's end: of the last sync, of an opening or a close, of
/// the roll, and one to spare.
pub(super) const RESERVE: u64 = 4 * LEN as u64;
/// What the medium writes wholly or not at all.
const SECTOR: u64 = 512;

/// Where the next mark goes: behind the last batch, whose end is `tail`; in a segment that ends at
/// `end` and is full, over the mark that lies there, if one does. On a full disk there may be no
/// other room for long, however often a broker is started and closed.
///
/// Only a mark within one sector is written over: no power cut leaves it in part, and with it the
/// only record of an epoch would be gone.
pub(super) fn place(last: Option<u64>, tail: u64, end: u64) -> u64 {
    let is_whole = |at: &u64| at % SECTOR + LEN as u64 <= SECTOR;
    match last.filter(is_whole) {
        Some(at) if tail + RESERVE > end => at,
        _ => tail,
    }
}

/// What a mark says, other than where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    /// [`Kind::Synced`], [`Kind::Continued`] or [`Kind::Closed`].
    pub(super) kind: Kind,
    pub(super) identity: Identity,
    pub(super) epoch: Epoch,
    /// The number that the next message gets.
    pub(super) next: OrderNumber,
}

impl Mark {
    /// The mark's bytes, for this place in a file.
    pub(super) fn encode(&self, offset: u64) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        put(&mut bytes, field::OFFSET, &offset.to_be_bytes());
        put(
            &mut bytes,
            field::SECRET,
            &self.identity.secret.to_be_bytes(),
        );
        Header {
            kind: self.kind,
            length: LEN,
            count: 0,
            first: self.next,
            log_id: self.identity.log_id,
            epoch: self.epoch,
            body_checksum: 0,
        }
        .seal(&mut bytes);
        bytes
    }
}

/// Whether `bytes`, which lie at `offset`, are a mark of this log.
pub(super) fn is_mark(bytes: &[u8], offset: u64, identity: Identity) -> bool {
    let Some(bytes) = bytes.get(..LEN) else {
        return false;
    };
    // Nearly all places fail here, before anything is computed.
    if bytes[batch::field::LENGTH] != length_bytes() {
        return false;
    }
    let says = |field, value| read_u64(bytes, field) == Ok(value);
    batch::verify(bytes).is_ok_and(|header| is_mark_kind(header.kind))
        && says(batch::field::LOG_ID, identity.log_id.0)
        && says(field::OFFSET, offset)
        && says(field::SECRET, identity.secret)
}

/// Whether batches of this kind are marks.
pub(super) fn is_mark_kind(kind: Kind) -> bool {
    matches!(kind, Kind::Synced | Kind::Continued | Kind::Closed)
}

const fn length_bytes() -> [u8; 4] {
    #[expect(clippy::cast_possible_truncation, reason = "64")]
    (LEN as u32).to_be_bytes()
}
