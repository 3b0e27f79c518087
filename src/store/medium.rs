//! What the log needs of whatever it lies on: a directory of files that can be synced.
//!
//! Everything else in this floor reaches files through these two traits only, so that tests can
//! put a simulated disk under the very code that a broker runs, and take its power away.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A directory of files.
///
/// What [`create`](Self::create), [`rename`](Self::rename) and [`remove`](Self::remove) did may be
/// undone by a power cut, each on its own, until [`sync_directory`](Self::sync_directory).
pub trait Medium: Send + Sync {
    /// Where this is, for messages to people.
    fn place(&self) -> &Path;

    /// Takes the directory for this broker alone, for as long as the guard lives. `None` if
    /// another broker has it.
    fn lock(&self) -> io::Result<Option<Box<dyn Send>>>;

    /// The names of all files.
    fn list(&self) -> io::Result<Vec<String>>;

    /// An empty file of this name, which its owner alone may read; one that exists is emptied.
    fn create(&self, name: &str) -> io::Result<Arc<dyn File>>;

    /// An existing file, to read and to write.
    fn open(&self, name: &str) -> io::Result<Arc<dyn File>>;

    /// An existing file, only to read.
    fn open_to_read(&self, name: &str) -> io::Result<Arc<dyn File>>;

    /// Gives a file another name.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file. Whoever has it open can go on reading.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Time that has passed since some moment, on a clock that does not jump.
    fn uptime(&self) -> Duration;

    /// Bytes that can still be written to it; `None` if it does not say.
    fn free_bytes(&self) -> Option<u64> {
        None
    }

    /// Makes the files' names safe.
    fn sync_directory(&self) -> io::Result<()>;
}

impl fmt::Debug for dyn Medium {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Medium").field(&self.place()).finish()
    }
}

/// A file of a [`Medium`].
///
/// What [`write_at`](Self::write_at) wrote may be lost in a power cut until
/// [`sync_data`](Self::sync_data), each sector of 512 bytes on its own, in any order; a sector is
/// written wholly or not at all.
pub trait File: Send + Sync {
    /// Bytes in the file.
    fn size(&self) -> io::Result<u64>;

    /// Reads up to `buffer.len()` bytes; fewer only where the file ends.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all of `bytes`; the file grows if they go beyond its end.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes what was written safe, and the size with it.
    fn sync_data(&self) -> io::Result<()>;
}
