//! Records that no broker has written: those by which a stream begins.

use crate::wire::stream_record::{Founding, HEADER_LEN, Header, Proposal};
use crate::wire::{LogId, Position, Writer};

/// The first record of a stream: the order begins.
#[must_use]
pub fn found(founding: &Founding) -> Vec<u8> {
    record_of_nobody(founding.log_id, 1, &Proposal::Found(founding.clone()))
}

pub(super) fn record_of_nobody(log_id: LogId, number: u64, proposal: &Proposal<'_>) -> Vec<u8> {
    let mut record = vec![0; HEADER_LEN];
    proposal.encode(&mut record);
    let header = Header {
        count: 1,
        log_id,
        writer: Writer(0),
        number,
        wall: 0,
        seen: Position(0),
        chain: 0,
    };
    header.seal(&mut record);
    record
}
