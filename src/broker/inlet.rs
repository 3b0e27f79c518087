//! A socket of libzmq's, with what spares it most system calls.
//!
//! To ask libzmq whether something has come takes a system call where nothing has, so it is
//! asked only where there may be something. News is announced by a descriptor that can be read
//! then, once, until the socket has been asked for all that it has: so whoever wants to sleep
//! asks first, and waits for the descriptor alone.

use std::os::fd::RawFd;

use super::Error;
use super::sockets::socket_error;

/// A socket, and whether there may be something in it.
pub(super) struct Inlet {
    socket: zmq::Socket,
    descriptor: RawFd,
    /// Whether there may be something that the descriptor will not tell of.
    has_news: bool,
}

impl Inlet {
    pub(super) fn new(socket: zmq::Socket) -> zmq::Result<Self> {
        Ok(Self {
            descriptor: socket.get_fd()?,
            socket,
            has_news: true,
        })
    }

    /// The socket, to send with it, or to ask for its state. What libzmq hears meanwhile it does
    /// not announce again.
    pub(super) fn socket(&mut self) -> &mut zmq::Socket {
        self.has_news = true;
        &mut self.socket
    }

    /// Lets it be asked, whether or not there is any sign of news.
    pub(super) fn suspect(&mut self) {
        self.has_news = true;
    }

    /// The endpoint as it was bound.
    pub(super) fn endpoint(&self) -> Result<String, Error> {
        match self.socket.get_last_endpoint().map_err(socket_error)? {
            Ok(endpoint) => Ok(endpoint),
            Err(_) => Err(Error::Socket("an endpoint that is no text".to_owned())),
        }
    }

    /// Receives one frame without waiting; says whether there was one.
    ///
    /// # Errors
    /// Errors of the socket itself; nothing a peer does is one.
    pub(super) fn receive(&mut self, frame: &mut zmq::Message) -> Result<bool, Error> {
        while self.has_news {
            match self.socket.recv(frame, zmq::DONTWAIT) {
                Ok(()) => return Ok(true),
                Err(zmq::Error::EAGAIN) => self.has_news = false,
                Err(zmq::Error::EINTR) => {}
                Err(error) => return Err(socket_error(error)),
            }
        }
        Ok(false)
    }

    /// Whether something is here already. If not, the descriptor tells of whatever comes.
    fn look(&mut self) -> Result<bool, Error> {
        if self.has_news {
            let events = self.socket.get_events().map_err(socket_error)?;
            self.has_news = events.contains(zmq::POLLIN);
        }
        Ok(self.has_news)
    }
}

/// Sleeps until something has come to one of the inlets, or `descriptor` can be read; at most
/// for so many milliseconds, for ever if that is -1.
///
/// # Errors
/// Errors of the poll itself.
pub(super) fn wait(
    inlets: &mut [&mut Inlet],
    descriptor: RawFd,
    mut patience: i64,
) -> Result<(), Error> {
    let mut items = Vec::with_capacity(1 + inlets.len());
    items.push(zmq::PollItem::from_fd(descriptor, zmq::POLLIN));
    for inlet in &mut *inlets {
        if inlet.look()? {
            patience = 0;
        }
        items.push(zmq::PollItem::from_fd(inlet.descriptor, zmq::POLLIN));
    }
    match zmq::poll(&mut items, patience) {
        Ok(_) => {}
        Err(zmq::Error::EINTR) => return Ok(()),
        Err(error) => return Err(socket_error(error)),
    }
    for (item, inlet) in items[1..].iter().zip(inlets) {
        inlet.has_news |= item.is_readable();
    }
    Ok(())
}
