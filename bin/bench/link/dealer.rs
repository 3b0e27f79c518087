//! The socket of the peers without a client of their own: a DEALER that speaks without waiting.

use std::time::Duration;

use super::{Patience, Who};
use crate::bench::error::Error;

/// A connection of libzmq's, and what has come over it.
pub(super) struct Dealer {
    socket: zmq::Socket,
    received: zmq::Message,
    /// It did not take what was last published.
    blocked: bool,
}

impl Dealer {
    /// Connects, and says what introduces the peer.
    pub(super) fn open(
        context: &zmq::Context,
        who: &Who,
        introduction: &[u8],
    ) -> Result<Self, Error> {
        let socket = context.socket(zmq::DEALER)?;
        if let Some(keys) = &who.keys {
            socket.set_curve_serverkey(keys.server.as_bytes())?;
            socket.set_curve_publickey(keys.public.as_bytes())?;
            socket.set_curve_secretkey(keys.secret.as_bytes())?;
        }
        // No one waits for what a run has not sent at its end.
        socket.set_linger(0)?;
        socket.connect(&who.endpoint()?)?;
        socket.send(introduction, 0)?;
        Ok(Self {
            socket,
            received: zmq::Message::new(),
            blocked: false,
        })
    }

    /// Sends a frame if the socket takes it now.
    pub(super) fn send(&self, frame: &[u8]) -> Result<bool, Error> {
        match self.socket.send(frame, zmq::DONTWAIT) {
            Ok(()) => Ok(true),
            Err(zmq::Error::EAGAIN) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The same for what is published: if it is not taken, [`Self::wait`] waits until it would be.
    pub(super) fn publish(&mut self, frame: &[u8]) -> Result<bool, Error> {
        let taken = self.send(frame)?;
        self.blocked = !taken;
        Ok(taken)
    }

    /// Whether the socket did not take what was last published.
    pub(super) fn is_blocked(&self) -> bool {
        self.blocked
    }

    /// The next frame if one is there.
    pub(super) fn receive(&mut self) -> Result<Option<&[u8]>, Error> {
        match self.socket.recv(&mut self.received, zmq::DONTWAIT) {
            Ok(()) => Ok(Some(&self.received)),
            Err(zmq::Error::EAGAIN) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// [`super::Link::wait`] for peers that have one of these each.
    pub(super) fn wait<'a>(
        dealers: impl Iterator<Item = (&'a Self, Patience)>,
        timeout: Duration,
        ready: &mut Vec<usize>,
    ) -> Result<(), Error> {
        let mut items: Vec<_> = dealers
            .map(|(dealer, patience)| {
                let room = if dealer.blocked && patience == Patience::ToPublish {
                    zmq::POLLOUT
                } else {
                    zmq::PollEvents::empty()
                };
                dealer.socket.as_poll_item(zmq::POLLIN | room)
            })
            .collect();
        let timeout = i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX);
        match zmq::poll(&mut items, timeout) {
            Ok(_) | Err(zmq::Error::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let events = items.iter().map(zmq::PollItem::get_revents).enumerate();
        ready.extend(
            events
                .filter(|(_, events)| !events.is_empty())
                .map(|(place, _)| place),
        );
        Ok(())
    }
}
