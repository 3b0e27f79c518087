//! One broker among several: its own records, until they have come back, and everybody's, in
//! their order. Both know the stream by positions only, and count on nothing that it answers.

mod follower;
mod scribe;

pub use follower::{Fetch, Follower};
pub use scribe::{Append, Scribe};

use crate::wire::stream_record::{Founding, HEADER_LEN, Header, Proposal};
use crate::wire::{Position, Writer};

/// The first record of a stream: the order begins.
#[must_use]
pub fn found(founding: &Founding) -> Vec<u8> {
    let mut record = vec![0; HEADER_LEN];
    Proposal::Found(founding.clone()).encode(&mut record);
    let header = Header {
        count: 1,
        log_id: founding.log_id,
        writer: Writer(0),
        number: 1,
        wall: 0,
        seen: Position(0),
        chain: 0,
    };
    header.seal(&mut record);
    record
}
