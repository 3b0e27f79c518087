//! A frame that follows others through libzmq's I/O thread and comes back: then all of them have
//! been passed on to the system, or wait for a peer that is slow.
//!
//! The I/O thread takes what it is told in turn, so a frame to another socket of the context is
//! written after those that were sent before it.

use super::error::Error;
use super::exchange::Frame;
use super::sockets::random_u32;
use crate::net::polled_socket::PolledSocket;

/// Both ends of a connection of the process to itself. A PAIR has one peer only, so no other
/// process can take part in it.
pub(super) struct Tracer {
    inlet: zmq::Socket,
    outlet: PolledSocket,
}

impl Tracer {
    /// Connects the ends.
    ///
    /// # Errors
    /// When that cannot be done.
    pub(super) fn new(context: &zmq::Context) -> Result<Self, Error> {
        let id = std::process::id();
        // In the abstract namespace, without a file.
        let endpoint = format!(
            "ipc://@orden-{id}-{:08x}{:08x}",
            random_u32()?,
            random_u32()?
        );
        let outlet = context.socket(zmq::PAIR)?;
        outlet.bind(&endpoint)?;
        let inlet = context.socket(zmq::PAIR)?;
        inlet.set_linger(0)?;
        inlet.connect(&endpoint)?;
        Ok(Self {
            inlet,
            outlet: PolledSocket::new(outlet)?,
        })
    }

    /// Sends a frame after all that was sent so far.
    ///
    /// # Errors
    /// Errors of the socket itself.
    pub(super) fn send(&self) -> Result<(), Error> {
        Ok(self.inlet.send(&[][..], zmq::DONTWAIT)?)
    }

    /// Whether one has come back.
    ///
    /// # Errors
    /// Errors of the socket itself.
    pub(super) fn has_returned(&self) -> Result<bool, Error> {
        Ok(self.outlet.receive(&mut Frame::new())?)
    }

    /// What to wait for.
    pub(super) fn outlet(&self) -> &PolledSocket {
        &self.outlet
    }
}
