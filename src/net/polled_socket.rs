//! A ZeroMQ socket that is asked only when there may be something: it spares most system calls.
//!
//! To ask libzmq whether a message has arrived takes a system call where none has. libzmq signals
//! a descriptor, once, until the socket has been asked for everything it has. So before an owner
//! sleeps it asks once more, and then waits for the descriptor alone.

use std::cell::Cell;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

use super::error::SocketError;

/// A socket, its descriptor, and whether there may be something to receive.
pub(crate) struct PolledSocket {
    socket: zmq::Socket,
    descriptor: RawFd,
    /// Whether there may be something that the descriptor does not signal.
    may_have_news: Cell<bool>,
}

impl PolledSocket {
    pub(crate) fn new(socket: zmq::Socket) -> zmq::Result<Self> {
        Ok(Self {
            descriptor: socket.get_fd()?,
            socket,
            may_have_news: Cell::new(true),
        })
    }

    /// The socket, to send with it. What libzmq takes in meanwhile it does not signal again.
    pub(crate) fn socket(&self) -> &zmq::Socket {
        self.force_poll();
        &self.socket
    }

    /// The same, for calls that the `zmq` crate cannot make.
    pub(crate) fn socket_mut(&mut self) -> &mut zmq::Socket {
        self.force_poll();
        &mut self.socket
    }

    /// Has the socket asked the next time, even if the descriptor has not signalled.
    pub(crate) fn force_poll(&self) {
        self.may_have_news.set(true);
    }

    /// The endpoint as it was bound.
    ///
    /// # Errors
    /// If the socket is not bound.
    pub(crate) fn endpoint(&self) -> Result<String, SocketError> {
        Ok(match self.socket.get_last_endpoint()? {
            Ok(endpoint) => endpoint,
            Err(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        })
    }

    /// Receives one frame without waiting; returns whether there was one.
    ///
    /// # Errors
    /// Errors of the socket itself; no peer's message leads to one.
    pub(crate) fn receive(&self, frame: &mut zmq::Message) -> Result<bool, SocketError> {
        while self.may_have_news.get() {
            match self.socket.recv(frame, zmq::DONTWAIT) {
                Ok(()) => return Ok(true),
                Err(zmq::Error::EAGAIN) => self.may_have_news.set(false),
                Err(zmq::Error::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(false)
    }

    /// Whether a message can be sent at once.
    ///
    /// # Errors
    /// Errors of the socket itself.
    pub(crate) fn has_room(&self) -> Result<bool, SocketError> {
        Ok(self.events()?.contains(zmq::POLLOUT))
    }

    fn events(&self) -> Result<zmq::PollEvents, SocketError> {
        self.force_poll();
        Ok(self.socket.get_events()?)
    }

    /// Whether something is here already. If not, the descriptor signals what comes.
    fn has_news(&self) -> Result<bool, SocketError> {
        if self.may_have_news.get() {
            let is_here = self.events()?.contains(zmq::POLLIN);
            self.may_have_news.set(is_here);
        }
        Ok(self.may_have_news.get())
    }
}

/// Sleeps until a message has come to one of the sockets or one of the descriptors can be read;
/// at most for `timeout`, `None`: without end.
///
/// # Errors
/// Errors of the poll itself.
pub(crate) fn wait(
    sockets: &[&PolledSocket],
    descriptors: &[BorrowedFd<'_>],
    timeout: Option<Duration>,
) -> Result<(), SocketError> {
    let mut timeout = milliseconds(timeout);
    let mut items = Vec::with_capacity(descriptors.len() + sockets.len());
    for descriptor in descriptors {
        items.push(zmq::PollItem::from_fd(descriptor.as_raw_fd(), zmq::POLLIN));
    }
    for socket in sockets {
        // All of them: a socket that is not asked does not signal.
        if socket.has_news()? {
            timeout = 0;
        }
        items.push(zmq::PollItem::from_fd(socket.descriptor, zmq::POLLIN));
    }
    match zmq::poll(&mut items, timeout) {
        Ok(_) => {}
        Err(zmq::Error::EINTR) => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    for (item, socket) in items[descriptors.len()..].iter().zip(sockets) {
        if item.is_readable() {
            socket.force_poll();
        }
    }
    Ok(())
}

/// Rounded up: an owner that is woken early only finds that it is too early.
fn milliseconds(timeout: Option<Duration>) -> i64 {
    let Some(timeout) = timeout else { return -1 };
    i64::try_from(timeout.as_micros().div_ceil(1000)).unwrap_or(i64::MAX)
}
