//! What libzmq reports of the ROUTER's connections: which was accepted, which has ended.
//!
//! The end of a connection is in the monitor's queue before libzmq's I/O thread tells the ROUTER
//! to let go of it. So after the ROUTER was made to catch up and this queue was emptied, every end
//! is known after which another peer could have the same routing id.

use std::os::fd::RawFd;

use crate::net::SocketError;
use crate::net::monitor::Monitor;
use crate::net::polled_socket::PolledSocket;

const ENDPOINT: &str = "inproc://router-monitor";

/// What has become of a connection, by the number of its descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MonitorEvent {
    /// It is there; its handshake is to come.
    Accepted(RawFd),
    /// It is gone, or about to.
    Ended(RawFd),
    /// The handshake of the connection that ends next has failed: libzmq's one I/O thread says
    /// both in a row, and of the first not of whom.
    Failed {
        /// Whether the peer has said what it should not, and did not just go.
        wrong: bool,
    },
}

/// The receiving end.
pub(super) struct RouterMonitor(Monitor);

impl RouterMonitor {
    /// Begins to monitor `router`, which must not be bound yet.
    pub(super) fn of(router: &zmq::Socket, context: &zmq::Context) -> zmq::Result<Self> {
        let events = [
            zmq::SocketEvent::ACCEPTED,
            zmq::SocketEvent::DISCONNECTED,
            zmq::SocketEvent::HANDSHAKE_FAILED_PROTOCOL,
            zmq::SocketEvent::HANDSHAKE_FAILED_NO_DETAIL,
        ];
        Monitor::of(router, context, ENDPOINT, &events).map(Self)
    }

    /// The next event, if there is one.
    ///
    /// # Errors
    /// Errors of its socket.
    pub(super) fn next(&self) -> Result<Option<MonitorEvent>, SocketError> {
        while let Some(event) = self.0.next()? {
            if event.is(zmq::SocketEvent::ACCEPTED) {
                return Ok(Some(MonitorEvent::Accepted(event.value)));
            }
            if event.is(zmq::SocketEvent::DISCONNECTED) {
                return Ok(Some(MonitorEvent::Ended(event.value)));
            }
            if event.is(zmq::SocketEvent::HANDSHAKE_FAILED_PROTOCOL) {
                return Ok(Some(MonitorEvent::Failed { wrong: true }));
            }
            if event.is(zmq::SocketEvent::HANDSHAKE_FAILED_NO_DETAIL) {
                return Ok(Some(MonitorEvent::Failed { wrong: false }));
            }
        }
        Ok(None)
    }

    /// To be waited for.
    pub(super) fn socket(&self) -> &PolledSocket {
        self.0.socket()
    }
}
