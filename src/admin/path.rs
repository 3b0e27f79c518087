//! Paths of Unix sockets, also of those that are longer than an address can hold (108 bytes).

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, open};
use rustix::net::SocketAddrUnix;

/// Bytes that an address has for a path.
const MOST: usize = 107;

/// A socket's path, as an address can hold it while this lives.
#[derive(Debug)]
pub(super) struct Named {
    path: PathBuf,
    /// The directory that a long path leads through.
    _directory: Option<OwnedFd>,
}

impl Named {
    /// A name for what lies, or will lie, at a path.
    ///
    /// # Errors
    /// When the directory of a long path cannot be opened.
    pub(super) fn new(path: &Path) -> io::Result<Self> {
        if path.as_os_str().len() <= MOST {
            return Ok(Self {
                path: path.to_owned(),
                _directory: None,
            });
        }
        let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = open(directory, flags, Mode::empty())?;
        let path = Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string());
        Ok(Self {
            path: path.join(name),
            _directory: Some(directory),
        })
    }

    /// The path to use.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The same as an address.
    ///
    /// # Errors
    /// When it is too long nevertheless, or holds a zero byte.
    pub(super) fn address(&self) -> io::Result<SocketAddrUnix> {
        Ok(SocketAddrUnix::new(&self.path)?)
    }
}
