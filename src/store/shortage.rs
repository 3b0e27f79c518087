//! What passes, told apart from what does not.

use std::io;

use rustix::io::Errno;

/// Something that is not to be had now and will be: space, descriptors, memory.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Shortage(pub io::Error);

impl Shortage {
    /// Takes an error of the medium for a shortage if it is one.
    ///
    /// # Errors
    /// The error itself, if it does not pass.
    pub(super) fn of(error: io::Error) -> Result<Self, io::Error> {
        let passing = [
            Errno::NOSPC,
            Errno::DQUOT,
            Errno::MFILE,
            Errno::NFILE,
            Errno::NOMEM,
            Errno::AGAIN,
        ];
        let number = Errno::from_io_error(&error);
        let is_passing = number.is_some_and(|number| passing.contains(&number))
            || error.kind() == io::ErrorKind::StorageFull
            || error.kind() == io::ErrorKind::OutOfMemory;
        if is_passing {
            Ok(Self(error))
        } else {
            Err(error)
        }
    }
}
