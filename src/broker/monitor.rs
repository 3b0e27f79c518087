//! What libzmq says of a socket's connections: who was accepted, whose connection has ended.
//!
//! The news of an end is in the monitor's queue before libzmq's I/O thread tells the ROUTER to
//! let go of the connection. So whoever lets the ROUTER catch up and then empties this queue
//! knows of every end after which somebody else could have the same routing id.

use std::os::fd::RawFd;

use super::Error;
use super::inlet::Inlet;

const ENDPOINT: &str = "inproc://router-monitor";

/// What has become of a connection, by the number of its descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// It is there; its handshake is to come.
    Accepted(RawFd),
    /// It is gone, or about to.
    Ended(RawFd),
}

/// The receiving end.
pub(super) struct Monitor {
    socket: Inlet,
}

impl Monitor {
    /// Begins to watch `router`, which must not be bound yet.
    pub(super) fn of(router: &zmq::Socket, context: &zmq::Context) -> zmq::Result<Self> {
        let events = zmq::SocketEvent::ACCEPTED as i32 | zmq::SocketEvent::DISCONNECTED as i32;
        router.monitor(ENDPOINT, events)?;
        let socket = context.socket(zmq::PAIR)?;
        socket.set_linger(0)?;
        // Without a bound: libzmq's I/O thread waits when the queue is full, and with it all
        // connections.
        socket.set_rcvhwm(0)?;
        socket.connect(ENDPOINT)?;
        Ok(Self {
            socket: Inlet::new(socket)?,
        })
    }

    /// The next piece of news, if there is one.
    ///
    /// # Errors
    /// Errors of its socket.
    pub(super) fn next(&mut self) -> Result<Option<News>, Error> {
        let mut frame = zmq::Message::new();
        while self.socket.receive(&mut frame)? {
            if let Some(news) = read(&frame) {
                return Ok(Some(news));
            }
        }
        Ok(None)
    }

    /// To be waited for.
    pub(super) fn inlet(&mut self) -> &mut Inlet {
        &mut self.socket
    }
}

/// The first frame of an event is a number of 16 bits and a value of 32; the second is an
/// address, which is passed over.
fn read(frame: &zmq::Message) -> Option<News> {
    if !frame.get_more() {
        return None;
    }
    let (event, value) = frame.split_at_checked(2)?;
    let event = u16::from_ne_bytes(event.try_into().ok()?);
    let descriptor = RawFd::from_ne_bytes(value.try_into().ok()?);
    if event == zmq::SocketEvent::ACCEPTED as u16 {
        Some(News::Accepted(descriptor))
    } else {
        (event == zmq::SocketEvent::DISCONNECTED as u16).then_some(News::Ended(descriptor))
    }
}
