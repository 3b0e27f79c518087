//! Making the log safe: syncs, on the path of the messages and beside it, and the marks that say
//! how far they went.

use std::sync::Arc;

use super::FileLog;
use crate::core::Mutant;
use crate::store::error::Error;
use crate::store::syncing::Reach;
use crate::wire::batch::Kind;

/// Of a segment's bytes, the part after which the next one is made ready: a log that is hardly
/// used, or often restarted, does not cost a second segment.
const PREPARE_AFTER: u64 = 4;

impl FileLog {
    pub(super) fn sync_and_mark(&mut self) -> Result<(), Error> {
        if let Err(error) = self.syncing.finish(self.current.tail) {
            return Err(self.io("sync", error));
        }
        if self.dirty {
            if !Mutant::TellBeforeSync.lives()
                && let Err(error) = self.figures.time_sync(|| self.current.file.sync_data())
                && !Mutant::SwallowSyncError.lives()
            {
                return Err(self.io("sync", error));
            }
            self.catalog.expose(self.unexposed.drain(..));
            // The mark itself need not be safe: it goes with the next sync.
            self.dirty = false;
            self.write_mark_if_it_fits(Kind::Synced)?;
            self.prepare();
        }
        self.committed = self.appended;
        Ok(())
    }

    /// Begins a sync beside the messages.
    pub(super) fn sync_beside(&mut self) -> Result<(), Error> {
        self.settle()?;
        if !self.dirty {
            self.committed = self.appended;
            return Ok(());
        }
        let reach = Reach {
            file: Arc::clone(&self.current.file),
            tail: self.current.tail,
            index: self.appended,
        };
        let begun = self.syncing.begin(reach);
        begun.map_err(|error| self.io("sync", error))
    }

    /// Marks what a sync beside has made safe, if nothing lies behind it yet: a mark says that all
    /// before it was synced.
    pub(super) fn settle(&mut self) -> Result<(), Error> {
        if self.dirty
            && self
                .syncing
                .done()
                .is_some_and(|(tail, _)| tail == self.current.tail)
        {
            self.dirty = false;
            self.write_mark_if_it_fits(Kind::Synced)?;
        }
        Ok(())
    }

    /// Sees to it that the next segment is made ready in time.
    pub(super) fn prepare(&self) {
        if self.current.tail > self.current.limit / PREPARE_AFTER {
            self.maintenance.prepare(self.current.following);
        }
    }
}
