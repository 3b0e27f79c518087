//! Beginning a segment: its head, and only then its name.
//!
//! A file that has a segment's name has its header and its snapshot, whole and safe, whenever
//! the power is cut. So whatever else is found there is damage, and never a torn write.

use std::io;
use std::sync::Arc;

use super::Error;
use super::catalog::{Entry, Index, Place};
use super::log::Failure;
use super::maintenance::{Maintenance, Readiness};
use super::medium::{File, Medium};
use super::recovery::{Found, recover};
use super::segment::{FILLING, HEADER_LEN, Header, Identity, Sequence};
use super::shortage::Shortage;
use super::survey::damaged;
use crate::core::replica::State;
use crate::core::{Mutant, Recovered};
use crate::wire::batch::{self, Kind};
use crate::wire::{Epoch, OrderNumber};

/// The segment that is written to.
pub(super) struct Current {
    pub(super) sequence: Sequence,
    pub(super) file: Arc<dyn File>,
    /// Where the next batch goes.
    pub(super) tail: u64,
    /// Where the next segment is due.
    pub(super) limit: u64,
    /// How large that one is to be.
    pub(super) following: u64,
}

/// What a log begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beginning {
    /// What makes it unlike any other.
    pub identity: Identity,
    /// What there was before its first message; `None`: nothing.
    pub state: Option<State>,
}

impl From<Identity> for Beginning {
    fn from(identity: Identity) -> Self {
        Self {
            identity,
            state: None,
        }
    }
}

/// Begins a log: its first segment.
pub(super) fn begin(
    medium: &dyn Medium,
    maintenance: &Maintenance,
    segment_bytes: u64,
    beginning: Beginning,
) -> Result<Found, Error> {
    let identity = beginning.identity;
    if let Readiness::Short(shortage) = maintenance.wait(segment_bytes) {
        return Err(Error::NoSpace(shortage));
    }
    maintenance.check()?;
    let (file, filled) = maintenance.take().ok_or(Error::Ended)?;
    let mut header = Header {
        identity,
        epoch: Epoch(1),
        sequence: Sequence(1),
        first: OrderNumber(0),
        filled,
        newest: 0,
    };
    if let Some(state) = beginning.state {
        (header.epoch, header.first) = (state.epoch, state.next);
        named(medium, file, &header, &state.bytes, segment_bytes)?;
        let found = recover(medium, true)?;
        return found.ok_or_else(|| damaged(medium.place().to_owned(), 0, None, "it is gone"));
    }
    let mut snapshot = vec![0; batch::HEADER_LEN];
    batch::Header {
        kind: Kind::Snapshot,
        length: snapshot.len(),
        count: 0,
        first: header.first,
        log_id: identity.log_id,
        epoch: header.epoch,
        body_checksum: 0,
    }
    .seal(&mut snapshot);
    let (current, entry) = named(medium, file, &header, &snapshot, segment_bytes)?;
    Ok(Found {
        recovered: Recovered::nothing(identity.log_id, identity.secret),
        identity,
        entries: vec![entry],
        header,
        file: current.file,
        tail: current.tail,
        mark: None,
        is_begun: true,
        newest: 0,
        repair: None,
    })
}

fn named(
    medium: &dyn Medium,
    file: Arc<dyn File>,
    header: &Header,
    snapshot: &[u8],
    segment_bytes: u64,
) -> Result<(Current, Entry), Error> {
    let named = name_segment(medium, file, header, snapshot, segment_bytes);
    named.map_err(|failure| match failure {
        Failure::Passing(shortage) => Error::NoSpace(shortage),
        Failure::Final(error) => error,
    })
}

/// Bytes of a segment's head with this snapshot.
pub(super) fn head_of(snapshot: &[u8]) -> u64 {
    (HEADER_LEN + snapshot.len()) as u64
}

/// Gives the segment that was made ready its head and its name. From then on it is part of the
/// log, and whatever else lies in its place is damage. With a shortage the file is to be dropped.
pub(super) fn name_segment(
    medium: &dyn Medium,
    file: Arc<dyn File>,
    header: &Header,
    snapshot: &[u8],
    segment_bytes: u64,
) -> Result<(Current, Entry), Failure> {
    let name = header.sequence.file_name();
    let mut head = header.encode().to_vec();
    head.extend_from_slice(snapshot);
    let tail = head.len() as u64;
    let path = medium.place().join(&name);
    let named = || -> io::Result<()> {
        file.write_at(&head, 0)?;
        file.sync_data()?;
        medium.rename(FILLING, &name)
    };
    // Before it has its name, nothing rests on the file: it can be given up.
    match named().map_err(Shortage::of) {
        Ok(()) => {}
        Err(Ok(shortage)) => return Err(shortage.into()),
        Err(Err(error)) => return Err(Error::io("begin", path)(error).into()),
    }
    if !Mutant::ForgetDirectorySync.lives() {
        let synced = medium.sync_directory();
        synced.map_err(Error::io("begin", path))?;
    }
    let first = Place {
        order: header.first,
        offset: tail,
    };
    let entry = Entry {
        sequence: header.sequence,
        first: header.first,
        newest: header.newest,
        bytes: header.filled.max(tail),
        index: Some(Index::empty(first)),
    };
    let current = Current {
        sequence: header.sequence,
        file,
        tail,
        limit: header.filled.max(tail),
        following: segment_bytes.max(2 * tail),
    };
    debug_assert_eq!(tail, head_of(snapshot));
    Ok((current, entry))
}
