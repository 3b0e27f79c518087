//! The files of a log that is made beside: they get segments' names only once all of them are
//! safe, so that half a copy is never taken for a log.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::Error;
use super::medium::{File, Medium};
use super::segment::Sequence;

/// What a file's name ends in until then.
const SUFFIX: &str = ".unfinished";

/// Segments in the making, in an empty directory.
pub(super) struct Unfinished<'a> {
    medium: &'a dyn Medium,
    sequences: Vec<Sequence>,
}

impl<'a> Unfinished<'a> {
    /// # Errors
    /// [`Error::NotEmpty`] if something lies there that could be mixed up with it.
    pub(super) fn new(medium: &'a dyn Medium) -> Result<Self, Error> {
        let names = medium.list().map_err(Error::io("list", medium.place()))?;
        if names.is_empty() {
            let sequences = Vec::new();
            Ok(Self { medium, sequences })
        } else {
            Err(Error::NotEmpty(medium.place().to_owned()))
        }
    }

    /// A file for this segment.
    pub(super) fn create(&mut self, sequence: Sequence) -> Result<Arc<dyn File>, Error> {
        let file = self.medium.create(&unfinished(sequence));
        let file = file.map_err(self.failed("create", sequence))?;
        self.sequences.push(sequence);
        Ok(file)
    }

    /// Makes the file as long as it was filled, without writing all the zeros, and syncs it.
    pub(super) fn complete(
        &self,
        sequence: Sequence,
        file: &dyn File,
        filled: u64,
    ) -> Result<(), Error> {
        let completed = || -> io::Result<()> {
            if file.size()? < filled {
                file.write_at(&[0], filled - 1)?;
            }
            file.sync_data()
        };
        completed().map_err(self.failed("write", sequence))
    }

    /// For `map_err`: what was being done with the file of a segment.
    pub(super) fn failed(
        &self,
        doing: &'static str,
        sequence: Sequence,
    ) -> impl FnOnce(io::Error) -> Error + use<> {
        Error::io(doing, self.path(sequence))
    }

    /// Gives all files their names.
    pub(super) fn name(&self) -> Result<(), Error> {
        for &sequence in &self.sequences {
            let (from, to) = (unfinished(sequence), sequence.file_name());
            let named = self.medium.rename(&from, &to);
            named.map_err(self.failed("name", sequence))?;
        }
        let synced = self.medium.sync_directory();
        synced.map_err(Error::io("sync", self.medium.place()))
    }

    /// Removes what there is after an error, which is told instead of what else may fail here.
    pub(super) fn discard(&mut self) {
        for sequence in self.sequences.drain(..) {
            for name in [unfinished(sequence), sequence.file_name()] {
                if self.medium.remove(&name).is_err() {
                    // It has the other name, or stays: the directory is then not empty.
                }
            }
        }
    }

    fn path(&self, sequence: Sequence) -> PathBuf {
        self.medium.place().join(sequence.file_name())
    }
}

fn unfinished(sequence: Sequence) -> String {
    sequence.file_name() + SUFFIX
}
