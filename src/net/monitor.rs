//! A socket's monitor: libzmq's reports of what happens to its connections.

use super::error::SocketError;
use super::polled_socket::PolledSocket;

/// The receiving end of a socket's monitor.
pub(crate) struct Monitor {
    socket: PolledSocket,
}

/// One event, as libzmq numbers it, and the value that belongs to it: often a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RawEvent {
    number: u16,
    pub(crate) value: i32,
}

impl RawEvent {
    /// Whether the event is `event`. By number: `SocketEvent::from_raw` would panic on one that
    /// the `zmq` crate does not know.
    pub(crate) fn is(self, event: zmq::SocketEvent) -> bool {
        self.number == event.to_raw()
    }
}

impl Monitor {
    /// Begins to monitor `socket`, which must not be bound or connected yet. The `endpoint` is
    /// one of `inproc`, used by no other monitor of this context.
    pub(crate) fn of(
        socket: &zmq::Socket,
        context: &zmq::Context,
        endpoint: &str,
        events: &[zmq::SocketEvent],
    ) -> zmq::Result<Self> {
        let mask = events.iter().fold(0, |mask, event| mask | event.to_raw());
        socket.monitor(endpoint, i32::from(mask))?;
        let receiver = context.socket(zmq::PAIR)?;
        receiver.set_linger(0)?;
        // Without a bound: libzmq's I/O thread waits when the queue is full, and with it all
        // connections.
        receiver.set_rcvhwm(0)?;
        receiver.connect(endpoint)?;
        Ok(Self {
            socket: PolledSocket::new(receiver)?,
        })
    }

    /// The next event, if there is one.
    ///
    /// # Errors
    /// Errors of its socket.
    pub(crate) fn next(&self) -> Result<Option<RawEvent>, SocketError> {
        let mut frame = zmq::Message::new();
        while self.socket.receive(&mut frame)? {
            if let Some(event) = parse(&frame) {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    /// To be waited for.
    pub(crate) fn socket(&self) -> &PolledSocket {
        &self.socket
    }
}

/// The first frame of an event is a number of 16 bits and a value of 32; the second is an
/// address, which is passed over.
fn parse(frame: &zmq::Message) -> Option<RawEvent> {
    if !frame.get_more() {
        return None;
    }
    let (number, value) = frame.split_at_checked(2)?;
    Some(RawEvent {
        number: u16::from_ne_bytes(number.try_into().ok()?),
        value: i32::from_ne_bytes(value.try_into().ok()?),
    })
}
