//! Opening a log that was written before: what it holds, and the repair of a torn tail.
//!
//! A power cut may leave any part of the last, unsynced group: that is cut off, and nobody was
//! told of it. Anything else that is not as it was written is refused. It must never cut what was
//! synced, never let bytes that were cut off come back, and may itself be interrupted anywhere.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::Error;
use super::catalog::{Entry, Index, Place};
use super::mark::{self, Mark};
use super::medium::{File, Medium};
use super::segment::{HEADER_LEN, Header, Identity};
use super::shortage::Shortage;
use super::survey::{self, damaged};
use super::walk::{Check, Remains, Step, Walk, remains};
use crate::core::{Mutant, Recovered};
use crate::wire::batch::{self, Kind};
use crate::wire::position_mark::PositionMark;
use crate::wire::sessions::SessionEntry;
use crate::wire::{DecodeError, Epoch};

/// A torn write that was cut off: of what it held nobody had been told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    /// The file.
    pub file: PathBuf,
    /// Where it was cut.
    pub offset: u64,
    /// How many bytes behind it were not zero, in whole blocks.
    pub bytes: u64,
}

/// What recovery hands to the writer.
pub(super) struct Found {
    pub(super) recovered: Recovered,
    pub(super) identity: Identity,
    pub(super) entries: Vec<Entry>,
    /// The newest segment.
    pub(super) header: Header,
    pub(super) file: Arc<dyn File>,
    /// Where in it the next batch goes.
    pub(super) tail: u64,
    /// Where the mark lies that is the last thing in it.
    pub(super) mark: Option<u64>,
    /// Whether the mark of this start, with the next epoch, is safe. It is not if the medium had
    /// no room for it; nothing may be appended before.
    pub(super) is_begun: bool,
    /// Time of the newest message.
    pub(super) newest: u64,
    pub(super) repair: Option<Repair>,
}

/// Opens what is there; `None` if there is no log yet.
pub(super) fn recover(medium: &dyn Medium, positions: bool) -> Result<Option<Found>, Error> {
    // A segment that a killed broker had just begun may have its name in the system's cache only.
    medium
        .sync_directory()
        .map_err(Error::io("sync", medium.place()))?;
    let sequences = survey::list(medium)?;
    let mut entries: Vec<Entry> = Vec::with_capacity(sequences.len());
    let mut newest = None;
    for sequence in sequences {
        let segment = survey::open(medium, sequence)?;
        if let Some(older) = newest.replace(segment.header) {
            survey::follows(medium, &older, &segment.header)?;
        }
        entries.push(Entry {
            sequence,
            first: segment.header.first,
            newest: segment.header.newest,
            bytes: segment.size,
            index: None,
        });
    }
    let Some(header) = newest else {
        return Ok(None);
    };
    let path = survey::path(medium, header.sequence);
    let file = medium
        .open(&header.sequence.file_name())
        .map_err(Error::io("open", &path))?;
    let mut replay = Replay::new(header, path, positions);
    let behind = replay.run(&file)?;
    let (repair, is_begun) = replay.settle(&*file, &behind)?;
    replay.recovered.oldest = entries[0].first;
    let last = entries.len() - 1;
    entries[last].index = Some(replay.index);
    Ok(Some(Found {
        recovered: replay.recovered,
        identity: header.identity,
        entries,
        header,
        file,
        tail: replay.tail,
        mark: replay.mark,
        is_begun,
        newest: replay.newest,
        repair,
    }))
}

/// Going through the newest segment.
struct Replay {
    header: Header,
    path: PathBuf,
    recovered: Recovered,
    index: Index,
    newest: u64,
    /// Where the last mark begins, or the first batch.
    vouched: u64,
    /// The same, if it is the last thing that counts.
    mark: Option<u64>,
    /// Where the last batch that counts ends.
    tail: u64,
    /// Whether what no position mark follows counts for nothing.
    positions: bool,
    /// What waits for such a mark.
    held: Vec<(u64, batch::Header, Vec<u8>)>,
}

impl Replay {
    fn new(header: Header, path: PathBuf, positions: bool) -> Self {
        let tail = HEADER_LEN as u64;
        let mut recovered = Recovered::nothing(header.identity.log_id, header.identity.secret);
        recovered.epoch = header.epoch;
        recovered.next = header.first;
        Self {
            recovered,
            index: Index::empty(Place {
                order: header.first,
                offset: tail,
            }),
            newest: header.newest,
            vouched: tail,
            mark: None,
            tail,
            header,
            path,
            positions,
            held: Vec::new(),
        }
    }

    /// Takes in every valid batch, and judges what follows them.
    fn run(&mut self, file: &Arc<dyn File>) -> Result<Remains, Error> {
        let reading = || Error::io("read", &self.path);
        let (identity, first) = (self.header.identity, self.header.first);
        let check = if Mutant::TrustWhatIsFound.lives() {
            Check::Headers
        } else {
            Check::Everything
        };
        let mut walk = Walk::new(Arc::clone(file), check, identity, first).map_err(reading())?;
        let reason = loop {
            match walk.step().map_err(Error::io("read", &self.path))? {
                Step::Batch {
                    offset,
                    header,
                    bytes,
                } => self.meet(offset, &header, bytes)?,
                Step::End { reason, .. } => break reason,
                Step::Foreign { what, .. } => return Err(self.damaged(what)),
            }
        };
        let snapshot = self.tail > HEADER_LEN as u64;
        let end = walk.offset();
        let mut behind = remains(&**file, end, identity).map_err(Error::io("read", &self.path))?;
        if let Some(mark) = behind.mark
            && !Mutant::CutTheMiddle.lives()
        {
            return Err(self.damaged(format!(
                "{reason}, and by the mark at byte {mark} this had been safe"
            )));
        }
        if !snapshot {
            return Err(self.damaged(format!("the snapshot of the sessions: {reason}")));
        }
        self.drop_held(end, &mut behind)?;
        self.recovered.finish();
        if Mutant::ReuseNumbers.lives() {
            self.recovered.next = first;
        }
        Ok(behind)
    }

    /// Takes a batch, once it counts.
    fn meet(&mut self, offset: u64, header: &batch::Header, bytes: &[u8]) -> Result<(), Error> {
        match header.kind {
            Kind::Sessions | Kind::Messages if self.positions => {
                self.held.push((offset, *header, bytes.to_vec()));
                return Ok(());
            }
            Kind::Position => self.positions = true,
            // A sync between the parts of a round: it vouches for what does not count.
            Kind::Synced | Kind::Closed if !self.held.is_empty() => return Ok(()),
            _ => {}
        }
        for (offset, header, bytes) in std::mem::take(&mut self.held) {
            self.take(offset, &header, &bytes)?;
        }
        self.take(offset, header, bytes)
    }

    /// What was applied in a round that is not there to its end is applied again: it comes from
    /// the stream, in other company perhaps, so it must not stay.
    fn drop_held(&mut self, end: u64, behind: &mut Remains) -> Result<(), Error> {
        if self.held.is_empty() {
            return Ok(());
        }
        if self.recovered.mark.is_none() {
            return Err(Error::NoPosition(self.path.clone()));
        }
        behind.written.insert(0, self.tail..end);
        self.held.clear();
        Ok(())
    }

    fn take(&mut self, offset: u64, header: &batch::Header, bytes: &[u8]) -> Result<(), Error> {
        let first = offset == HEADER_LEN as u64;
        if first != (header.kind == Kind::Snapshot) {
            return Err(self.damaged("snapshots lie at the head of segments, and only there"));
        }
        let end = offset + header.length as u64;
        self.recovered.enter(header.epoch);
        self.mark = None;
        match header.kind {
            Kind::Snapshot | Kind::Sessions => {
                let entries = session_entries(header, &bytes[batch::HEADER_LEN..])
                    .map_err(|reason| self.damaged(format!("session entries: {reason}")))?;
                if header.kind == Kind::Snapshot {
                    self.recovered.replace(&entries);
                } else {
                    for entry in &entries {
                        self.recovered.change(entry);
                    }
                }
            }
            Kind::Messages => {
                let place = |order, offset| Place { order, offset };
                self.index
                    .push(place(header.first, offset), place(header.end(), end));
                for record in batch::records(bytes) {
                    let record = record.map_err(|reason| self.damaged(reason.to_string()))?;
                    self.newest = record.time;
                    self.recovered.message(&record);
                }
            }
            Kind::Continued => {
                let next = self
                    .path
                    .with_file_name(self.header.sequence.next().file_name());
                let what = "this segment is missing, although the one before it leads to it";
                return Err(damaged(next, 0, Some(header.first), what));
            }
            Kind::Position => {
                let mark = PositionMark::decode(&bytes[batch::HEADER_LEN..])
                    .map_err(|reason| self.damaged(format!("a position mark: {reason}")))?;
                self.recovered.mark(mark);
            }
            Kind::Synced | Kind::Closed => {
                self.vouched = offset;
                self.mark = Some(offset);
            }
        }
        self.tail = end;
        Ok(())
    }

    /// Makes the file what it was found to be: zeros behind the tail, everything before it safe,
    /// and a mark that says so, unless there is no room for one.
    fn settle(
        &mut self,
        file: &dyn File,
        behind: &Remains,
    ) -> Result<(Option<Repair>, bool), Error> {
        let written = &behind.written;
        let repaired = || -> io::Result<()> {
            for range in written {
                zero(file, range.start, range.end)?;
            }
            // What no mark vouches for may be in the system's cache and not on the medium, even
            // after a sync: one that fails can leave the pages as if they had been written. So it
            // is written once more before anybody is told of it.
            rewrite(file, self.vouched, self.tail)?;
            file.sync_data()
        };
        match repaired().map_err(Shortage::of) {
            Ok(()) => {}
            // A mark vouches for all of it: it can be read, and written to later.
            Err(Ok(_)) if written.is_empty() && self.mark.is_some() => return Ok((None, false)),
            Err(Ok(shortage)) => return Err(Error::NoSpace(shortage)),
            Err(Err(error)) => return Err(Error::io("repair", &self.path)(error)),
        }
        let cut = self.tail;
        let is_begun = self.begin(file)?;
        let repair = (!written.is_empty()).then(|| Repair {
            file: self.path.clone(),
            offset: cut,
            bytes: written.iter().map(|range| range.end - range.start).sum(),
        });
        Ok((repair, is_begun))
    }

    /// Writes this start's mark. Only if all before it is in place may it be there. It also makes
    /// the next epoch known, so that no two starts ever write under the same.
    fn begin(&mut self, file: &dyn File) -> Result<bool, Error> {
        let at = mark::place(self.mark, self.tail, self.header.filled);
        let mark = Mark {
            kind: Kind::Synced,
            identity: self.header.identity,
            epoch: Epoch(self.recovered.epoch.0 + 1),
            next: self.recovered.next,
        };
        match file.write_at(&mark.encode(at), at).map_err(Shortage::of) {
            Ok(()) => {}
            Err(Ok(_)) => return Ok(false),
            Err(Err(error)) => return Err(Error::io("write", &self.path)(error)),
        }
        file.sync_data().map_err(Error::io("sync", &self.path))?;
        self.mark = Some(at);
        self.tail = at + mark::LEN as u64;
        Ok(true)
    }

    fn damaged(&self, what: impl Into<String>) -> Error {
        damaged(
            self.path.clone(),
            self.tail,
            Some(self.recovered.next),
            what,
        )
    }
}

/// All session entries of a batch.
pub(super) fn session_entries(
    header: &batch::Header,
    mut body: &[u8],
) -> Result<Vec<SessionEntry>, DecodeError> {
    let mut entries = Vec::new();
    for _ in 0..header.count {
        let (entry, length) = SessionEntry::decode(body)?;
        entries.push(entry);
        body = &body[length..];
    }
    if body.is_empty() {
        Ok(entries)
    } else {
        Err(DecodeError::Trailing)
    }
}

fn zero(file: &dyn File, start: u64, end: u64) -> io::Result<()> {
    let zeros = vec![0; piece(start, end)];
    pieces(start, end, |offset, length| {
        file.write_at(&zeros[..length], offset)
    })
}

fn rewrite(file: &dyn File, start: u64, end: u64) -> io::Result<()> {
    let mut bytes = vec![0; piece(start, end)];
    pieces(start, end, |offset, length| {
        let bytes = &mut bytes[..length];
        if file.read_at(bytes, offset)? < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        file.write_at(bytes, offset)
    })
}

/// Goes from `start` to `end` in pieces.
fn pieces(
    mut start: u64,
    end: u64,
    mut each: impl FnMut(u64, usize) -> io::Result<()>,
) -> io::Result<()> {
    while start < end {
        let length = piece(start, end);
        each(start, length)?;
        start += length as u64;
    }
    Ok(())
}

fn piece(start: u64, end: u64) -> usize {
    usize::try_from(end.saturating_sub(start)).map_or(PIECE, |left| left.min(PIECE))
}

/// How much is read and written at a time.
const PIECE: usize = 1 << 20;
