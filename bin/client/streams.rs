//! The standard streams as they come: non-blocking, or with another side that goes away.

use std::io::{Read, stdin, stdout};
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

/// Standard input. Who has started us may have made it non-blocking, as event loops do: then an
/// empty pipe looks like an error, and the end of a pipe is still to come.
pub(crate) struct Input;

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        loop {
            match rustix::io::read(stdin(), &mut *buffer) {
                Ok(length) => return Ok(length),
                Err(Errno::AGAIN) => wait(stdin(), PollFlags::IN)?,
                Err(Errno::INTR) => {}
                // The terminal is gone, and with it the person: this is the end of input.
                Err(Errno::IO) => return Ok(0),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Writes all of `bytes`, and waits for room where the stream is non-blocking.
pub(crate) fn write_all(stream: impl AsFd, mut bytes: &[u8]) -> std::io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(&stream, bytes) {
            Ok(length) => bytes = &bytes[length..],
            Err(Errno::AGAIN) => wait(&stream, PollFlags::OUT)?,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Waits until the program that reads standard output has closed it: in a quiet order no write
/// would tell.
pub(crate) fn wait_until_unread() -> std::io::Result<()> {
    wait(stdout(), PollFlags::empty())
}

/// Waits for one of `events`, or for the other side to go.
fn wait(stream: impl AsFd, events: PollFlags) -> std::io::Result<()> {
    loop {
        match poll(&mut [PollFd::new(&stream, events)], None) {
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
