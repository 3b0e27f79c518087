//! Walking a segment batch by batch, and looking at what lies behind the last valid one.
//!
//! It reads, in large pieces, and judges single batches. What an invalid one means is for
//! recovery to say.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::mark::{self, is_mark, is_mark_kind};
use super::medium::File;
use super::segment::{HEADER_LEN, Identity};
use crate::wire::batch::{self, Header};
use crate::wire::fields::read_u32;
use crate::wire::{DecodeError, OrderNumber};

/// How much is read at a time.
const PIECE: usize = 1 << 20;
/// The unit in which zeros are told from other bytes.
const BLOCK: usize = 4096;

/// How closely batches are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// Every byte, by its checksum.
    Everything,
    /// Headers only: enough to know where batches lie.
    Headers,
}

/// What lies at the walk's place.
pub(super) enum Step<'a> {
    /// A valid batch, the one that was due.
    Batch {
        offset: u64,
        header: Header,
        bytes: &'a [u8],
    },
    /// No valid batch.
    End { offset: u64, reason: DecodeError },
    /// A batch with valid checksums that was not due here: never the trace of a torn write.
    Foreign { offset: u64, what: String },
}

/// A walk through the batches of one segment.
pub(super) struct Walk {
    file: Arc<dyn File>,
    size: u64,
    offset: u64,
    check: Check,
    identity: Identity,
    next: OrderNumber,
    piece: Vec<u8>,
    piece_offset: u64,
}

impl Walk {
    /// Begins after the segment's header, with the number that its first message must have.
    pub(super) fn new(
        file: Arc<dyn File>,
        check: Check,
        identity: Identity,
        first: OrderNumber,
    ) -> io::Result<Self> {
        Ok(Self {
            size: file.size()?,
            file,
            offset: HEADER_LEN as u64,
            check,
            identity,
            next: first,
            piece: Vec::new(),
            piece_offset: 0,
        })
    }

    /// The number that the next message must have.
    pub(super) fn next_order(&self) -> OrderNumber {
        self.next
    }

    /// Where the next batch begins, or would.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The log that the segment is of.
    pub(super) fn identity(&self) -> Identity {
        self.identity
    }

    /// Looks at the same place again, and with the size that the file has now: for readers of
    /// a log that is being written to.
    pub(super) fn refresh(&mut self) -> io::Result<()> {
        self.size = self.file.size()?;
        self.piece.clear();
        Ok(())
    }

    /// Goes over one batch; stays in place on anything else.
    pub(super) fn step(&mut self) -> io::Result<Step<'_>> {
        let offset = self.offset;
        let left = usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let head = self.read(batch::HEADER_LEN.min(left))?;
        let length = read_u32(head, batch::field::LENGTH).unwrap_or(0) as usize;
        let (check, identity, next) = (self.check, self.identity, self.next);
        let bytes = self.read(length.clamp(batch::HEADER_LEN.min(left), left))?;
        let header = match check {
            Check::Everything => batch::verify(bytes),
            Check::Headers => Header::decode(bytes),
        };
        let header = match header {
            Ok(header) => header,
            Err(reason) => return Ok(Step::End { offset, reason }),
        };
        if let Some(what) = why_not_due(&header, bytes, offset, identity, next) {
            return Ok(Step::Foreign { offset, what });
        }
        self.offset += header.length as u64;
        self.next = header.end();
        let start = piece_index(offset - self.piece_offset);
        Ok(Step::Batch {
            offset,
            header,
            bytes: &self.piece[start..start + header.length],
        })
    }

    /// The batch at the walk's place, and what should be its body, by its header alone. `None` if
    /// the header is damaged.
    pub(super) fn by_its_header(&mut self) -> io::Result<Option<(Header, &[u8])>> {
        let left = usize::try_from(self.size.saturating_sub(self.offset)).unwrap_or(usize::MAX);
        let head = self.read(batch::HEADER_LEN.min(left))?;
        let length = read_u32(head, batch::field::LENGTH).unwrap_or(0) as usize;
        let bytes = self.read(length.clamp(batch::HEADER_LEN.min(left), left))?;
        let header = Header::decode(bytes).ok();
        Ok(header.map(|header| (header, &bytes[batch::HEADER_LEN..header.length])))
    }

    /// Goes on elsewhere, where the next message must have the number `next`.
    pub(super) fn resume(&mut self, offset: u64, next: OrderNumber) {
        self.offset = offset;
        self.next = next;
    }

    /// `length` bytes at the walk's place, or as many as there are.
    fn read(&mut self, length: usize) -> io::Result<&[u8]> {
        let inside = self
            .offset
            .checked_sub(self.piece_offset)
            .map(piece_index)
            .filter(|start| start + length <= self.piece.len());
        let start = if let Some(start) = inside {
            start
        } else {
            let left = self.size.saturating_sub(self.offset);
            let most = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
            self.piece.resize(length.max(most), 0);
            let read = self.file.read_at(&mut self.piece, self.offset)?;
            self.piece.truncate(read);
            self.piece_offset = self.offset;
            0
        };
        let end = self.piece.len().min(start + length);
        Ok(&self.piece[start..end])
    }
}

fn piece_index(distance: u64) -> usize {
    usize::try_from(distance).unwrap_or(usize::MAX)
}

/// Why a batch with valid checksums does not belong where it lies.
pub(super) fn why_not_due(
    header: &Header,
    bytes: &[u8],
    offset: u64,
    identity: Identity,
    next: OrderNumber,
) -> Option<String> {
    if header.log_id != identity.log_id {
        Some("a batch of another log lies here".into())
    } else if header.first != next {
        let found = header.first;
        Some(format!(
            "a batch from order number {found} lies here, not the one from {next}"
        ))
    } else if is_mark_kind(header.kind) && !is_mark(bytes, offset, identity) {
        Some("a mark of another place lies here".into())
    } else {
        None
    }
}

/// What lies between the last valid batch and the end of the file.
#[derive(Debug, Default)]
pub(super) struct Remains {
    /// Where it is not zero, in whole blocks.
    pub(super) written: Vec<Range<u64>>,
    /// The first mark among it.
    pub(super) mark: Option<u64>,
}

/// Looks for anything but zeros, and for marks, from `start` to the end of the file.
pub(super) fn remains(file: &dyn File, start: u64, identity: Identity) -> io::Result<Remains> {
    let size = file.size()?;
    let mut found = Remains::default();
    // A mark may lie across two pieces: each is read so far that its marks are whole.
    let left = usize::try_from(size.saturating_sub(start)).unwrap_or(PIECE);
    let mut piece = vec![0; left.min(PIECE + mark::LEN)];
    let mut offset = start;
    while offset < size {
        let read = file.read_at(&mut piece, offset)?;
        let bytes = &piece[..read];
        let own = read.min(PIECE);
        for block in (0..own).step_by(BLOCK) {
            let end = own.min(block + BLOCK);
            if bytes[block..end].iter().all(|&byte| byte == 0) {
                continue;
            }
            found.add(offset + block as u64..offset + end as u64);
            for place in block..end {
                let at = offset + place as u64;
                if found.mark.is_none()
                    && bytes[place] == crate::wire::native::MAGIC
                    && is_mark(&bytes[place..], at, identity)
                {
                    found.mark = Some(at);
                }
            }
        }
        if own == 0 {
            break;
        }
        offset += own as u64;
    }
    Ok(found)
}

impl Remains {
    fn add(&mut self, block: Range<u64>) {
        match self.written.last_mut() {
            Some(last) if last.end == block.start => last.end = block.end,
            _ => self.written.push(block),
        }
    }
}
