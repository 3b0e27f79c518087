//! How far a segment is known to be on disk, told from its bytes alone: up to its last mark.
//!
//! The broker writes a mark after a sync has returned and before it tells any client of the
//! messages. So another process that reads up to the last mark shows everything that was
//! confirmed under `--sync always`, and nothing that a power cut could still take back.

use std::io;
use std::sync::Arc;

use super::mark;
use super::medium::File;
use super::segment::HEADER_LEN;
use super::survey::Segment;
use super::walk::{Check, Step, Walk, remains};
use crate::wire::OrderNumber;
use crate::wire::batch::Kind;

/// What is wrong in a segment, and where.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) offset: u64,
    pub(super) order: OrderNumber,
    pub(super) what: String,
}

/// A walk to the end of one segment that remembers the last mark.
pub(super) struct Vouched {
    walk: Walk,
    file: Arc<dyn File>,
    safe: (u64, OrderNumber),
    /// Whether everything behind the end was looked at once.
    searched: bool,
}

impl Vouched {
    /// Begins at the head of a segment.
    pub(super) fn new(segment: &Segment, check: Check) -> io::Result<Self> {
        let (file, header) = (Arc::clone(&segment.file), &segment.header);
        let walk = Walk::new(Arc::clone(&file), check, header.identity, header.first)?;
        Ok(Self {
            safe: (walk.offset(), header.first),
            walk,
            file,
            searched: false,
        })
    }

    /// Everything before this byte is on disk, and the number of the next message there.
    pub(super) fn safe(&self) -> (u64, OrderNumber) {
        self.safe
    }

    /// Where the last valid batch ends, and the number of the next message there.
    pub(super) fn written(&self) -> (u64, OrderNumber) {
        (self.walk.offset(), self.walk.next_order())
    }

    /// Goes on as far as batches are valid now.
    pub(super) fn advance(&mut self) -> io::Result<Result<(), Wrong>> {
        let identity = self.walk.identity();
        self.walk.refresh()?;
        let mut looked_again_at = None;
        loop {
            let order = self.walk.next_order();
            let (offset, reason) = match self.walk.step()? {
                Step::Batch { header, .. } => {
                    // Header and snapshot were synced before the file got its name. The mark of a
                    // segment that is continued adds nothing: another one lies before it.
                    if matches!(header.kind, Kind::Snapshot | Kind::Synced | Kind::Closed) {
                        self.safe = (self.walk.offset(), self.walk.next_order());
                    }
                    continue;
                }
                Step::Foreign { offset, what } => {
                    return Ok(Err(Wrong {
                        offset,
                        order,
                        what,
                    }));
                }
                Step::End { offset, reason } => (offset, reason.to_string()),
            };
            let wrong = |what| {
                Ok(Err(Wrong {
                    offset,
                    order,
                    what,
                }))
            };
            if self.safe.0 == HEADER_LEN as u64 {
                return wrong(format!("the snapshot of the sessions: {reason}"));
            }
            if self.searched && self.is_blank(offset)? {
                return Ok(Ok(()));
            }
            self.searched = true;
            let Some(mark) = remains(&*self.file, offset, identity)?.mark else {
                return Ok(Ok(()));
            };
            if looked_again_at == Some(offset) {
                return wrong(format!(
                    "{reason}, and by the mark at byte {mark} this had been safe"
                ));
            }
            // It may have been written since it was read: what lies before a mark that was there
            // by then must be valid by now.
            looked_again_at = Some(offset);
            self.walk.refresh()?;
        }
    }

    /// Whether nothing is written at a place, so that it need not be searched each time.
    fn is_blank(&self, offset: u64) -> io::Result<bool> {
        let mut head = [0; mark::LEN];
        self.file.read_at(&mut head, offset)?;
        Ok(head.iter().all(|&byte| byte == 0))
    }
}
