//! The tail of the segment that is written to: what is appended, and the marks between. What is
//! short of space leaves the tail where it was.

use super::FileLog;
use crate::store::Error;
use crate::store::begin::Current;
use crate::store::log::Failure;
use crate::store::mark::{self, Mark};
use crate::store::shortage::Shortage;
use crate::wire::batch::Kind;

impl FileLog {
    /// Writes behind the tail, which moves only if all is there.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.begin()?;
        self.write_at(self.current.tail, bytes)?;
        self.mark = None;
        self.dirty = true;
        Ok(())
    }

    fn write_at(&mut self, at: u64, bytes: &[u8]) -> Result<(), Failure> {
        let end = at + bytes.len() as u64;
        let written = self.current.file.write_at(bytes, at);
        match written.map_err(Shortage::of) {
            Ok(()) => {
                self.current.tail = end;
                if self.torn <= end {
                    self.torn = 0;
                }
                Ok(())
            }
            Err(Ok(shortage)) => {
                self.torn = self.torn.max(end);
                Err(shortage.into())
            }
            Err(Err(error)) => Err(self.io("write", error).into()),
        }
    }

    /// Makes the mark of this start safe, if there was no room for it when the log was opened.
    pub(super) fn begin(&mut self) -> Result<(), Failure> {
        if !self.is_begun {
            self.write_mark(Kind::Synced)?;
            let synced = self.current.file.sync_data();
            synced.map_err(|error| self.io("sync", error))?;
            self.is_begun = true;
        }
        Ok(())
    }

    fn write_mark(&mut self, kind: Kind) -> Result<(), Failure> {
        let Current { tail, limit, .. } = self.current;
        if self.torn > tail {
            // What comes next is not what was to lie here: none of that may follow the mark.
            let zeros = vec![0; usize::try_from(self.torn - tail).unwrap_or(usize::MAX)];
            self.write_at(tail, &zeros)?;
            self.current.tail = tail;
        }
        let at = mark::place(self.mark, tail, limit);
        self.write_at(at, &self.mark(kind).encode(at))?;
        self.mark = Some(at);
        Ok(())
    }

    /// The same, done without where there is no room: a mark lets others know sooner, and the
    /// next start tell rot from a torn write.
    pub(super) fn write_mark_if_it_fits(&mut self, kind: Kind) -> Result<(), Error> {
        match self.write_mark(kind) {
            Ok(()) | Err(Failure::Passing(_)) => Ok(()),
            Err(Failure::Final(error)) => Err(error),
        }
    }

    pub(super) fn mark(&self, kind: Kind) -> Mark {
        Mark {
            kind,
            identity: self.identity,
            epoch: self.epoch,
            next: self.next,
        }
    }
}
