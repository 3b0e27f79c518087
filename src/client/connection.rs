//! A participant with its socket, driven by its owner: no thread, no lock, no clock of its own.
//!
//! One round of an owner, for one connection or for hundreds in a thread:
//!
//! ```text
//!  wait(…) ─► now = clock.now() ─► each: pump(now) ─► next_deliveries(now) until none
//!     ▲                                               next_event() until none
//!     └──────────────── deadline() ◄───────────────── try_publish(…)
//! ```

use std::fmt;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use super::approach::{Approach, Step};
use super::deliveries::Deliveries;
use super::transport::{self, Context, LinkEvent, Sent, Transport, TransportError};
use crate::core::Time;
use crate::core::participant::{
    Event, Input, Limits, NotDelivered, Obstacle, Participant, PublishError, Settings,
};
use crate::net::{Address, Keys};
use crate::wire::native::Goodbye;
use crate::wire::{ClientSequence, OrderNumber};

/// A participant in the order, over a DEALER. However the connection ends, it is made
/// again, and the session goes on where it was.
pub struct Connection {
    context: Context,
    keys: Option<Keys>,
    approach: Approach,
    /// `None` while nothing is tried.
    transport: Option<Transport>,
    link: Link,
    machine: Participant,
    /// A frame that the socket did not take.
    unsent: Option<Vec<u8>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Up,
    Down,
}

impl Connection {
    /// Begins to connect. That no broker is there yet is no error: it is tried until one is.
    ///
    /// # Errors
    /// If the address is none to connect to, or the process has no descriptor left.
    pub fn open(
        context: &Context,
        address: &Address,
        settings: Settings,
        limits: Limits,
    ) -> Result<Self, TransportError> {
        let address = std::slice::from_ref(address);
        Self::open_with(context, address, None, settings, limits)
    }

    /// The same with any of several brokers of one order, whichever answers, and encrypted, if
    /// there are keys for that.
    ///
    /// # Errors
    /// As [`open`](Self::open), and if there is no address at all.
    pub fn open_with(
        context: &Context,
        addresses: &[Address],
        keys: Option<Keys>,
        mut settings: Settings,
        limits: Limits,
    ) -> Result<Self, TransportError> {
        if addresses.is_empty() {
            return Err(TransportError::NoAddress);
        }
        for address in addresses {
            address.to_connect()?;
        }
        if addresses.len() > 1 && settings.life.is_none() {
            settings.life = Some(getrandom::u64().map_err(TransportError::NoRandomness)?);
        }
        Ok(Self {
            context: context.clone(),
            approach: Approach::new(addresses),
            transport: None,
            keys,
            link: Link::Down,
            machine: Participant::new(settings, limits),
            unsent: None,
        })
    }

    /// Hears what has become of the connection, looks at what is due, and sends what there is to
    /// send.
    ///
    /// # Errors
    /// Errors of the socket itself.
    pub fn pump(&mut self, now: Time) -> Result<(), TransportError> {
        while let Some(transport) = &self.transport {
            transport.pumped();
            match transport.next_link_event()? {
                None => break,
                Some(LinkEvent::Up) => {
                    self.approach.up(now);
                    self.link(now, Link::Up);
                }
                Some(LinkEvent::Down) if self.link == Link::Up => {
                    let was_served = self.machine.is_member();
                    self.link(now, Link::Down);
                    self.close();
                    if was_served {
                        self.approach.lost(now);
                    } else {
                        self.approach.failed(now);
                    }
                }
                Some(LinkEvent::Down) => self.fail(now, Obstacle::HungUp),
                Some(LinkEvent::Failed(obstacle)) => self.fail(now, obstacle),
            }
        }
        self.machine.step(now, Input::Tick);
        if self.link == Link::Up && self.machine.wants_connection() {
            // This one does not answer, or not as a broker does.
            self.hang_up(now);
        }
        self.connect(now)?;
        self.send(now)
    }

    /// Tries the next address, if it is time to.
    fn connect(&mut self, now: Time) -> Result<(), TransportError> {
        if self.transport.is_some() {
            return Ok(());
        }
        match self.approach.next(now) {
            Step::Connect(address, patience) => {
                let keys = self.keys.as_ref();
                let transport = Transport::open(&self.context, &address, keys, patience)?;
                self.transport = Some(transport);
            }
            Step::Blocked(obstacle) => {
                self.machine.step(now, Input::Unreachable(obstacle));
            }
            Step::Wait => {}
        }
        Ok(())
    }

    fn fail(&mut self, now: Time, obstacle: Obstacle) {
        self.machine.step(now, Input::Unreachable(obstacle));
        self.hang_up(now);
    }

    fn hang_up(&mut self, now: Time) {
        self.close();
        self.approach.failed(now);
    }

    fn close(&mut self) {
        self.transport = None;
        self.link = Link::Down;
        self.unsent = None;
    }

    /// The next frame of messages that are new, if one is here. Ask until there is none, or
    /// [`pump`](Self::pump) in between; what is not asked for waits at the broker.
    ///
    /// # Errors
    /// Errors of the socket itself.
    pub fn next_deliveries(&mut self, now: Time) -> Result<Option<Deliveries>, TransportError> {
        while let Some(transport) = &self.transport
            && let Some(frame) = transport.receive()?
        {
            let numbers = self.machine.step(now, Input::Frame(&frame));
            if self.machine.is_ack_due() {
                // The broker's window must not close while more is read.
                self.send(now)?;
            }
            if let Some(numbers) = numbers {
                return Ok(Some(Deliveries::new(frame, numbers)));
            }
        }
        // What was heard may want an answer.
        self.send(now)?;
        Ok(None)
    }

    /// What has happened to the session, if anything. Ask until there is nothing.
    pub fn next_event(&mut self) -> Option<Event> {
        self.machine.next_event()
    }

    /// Takes a message to be ordered, which goes along with others on the next
    /// [`pump`](Self::pump); returns its client sequence.
    ///
    /// # Errors
    /// See [`PublishError`].
    pub fn try_publish(&mut self, payload: &[u8]) -> Result<ClientSequence, PublishError> {
        self.machine.publish(payload)
    }

    /// The application has processed everything up to and including `order`. Only where the
    /// settings say that this is up to it.
    ///
    /// # Errors
    /// [`NotDelivered`] if it was never given that one.
    pub fn acknowledge(&mut self, now: Time, order: OrderNumber) -> Result<(), NotDelivered> {
        self.machine.acknowledge(now, order)
    }

    /// Goes, on the next [`pump`](Self::pump); see [`Participant::leave`].
    pub fn leave(&mut self, goodbye: Goodbye) {
        self.machine.leave(goodbye);
    }

    /// The machine, to ask how far it is.
    #[must_use]
    pub fn machine(&self) -> &Participant {
        &self.machine
    }

    /// When to [`pump`](Self::pump) at the latest, if nothing happens before.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        if self.link == Link::Up && self.machine.wants_connection() {
            return Some(Time::default()); // another has to be made
        }
        let machine = match self.unsent {
            // Everything else waits for the socket, which says when it is ready.
            Some(_) => self.machine.stale_at(),
            None => self.machine.deadline(),
        };
        let attempt = self.transport.is_none().then(|| self.approach.deadline());
        machine.into_iter().chain(attempt).min()
    }

    fn link(&mut self, now: Time, link: Link) {
        self.link = link;
        self.unsent = None;
        let input = match link {
            Link::Up => Input::Connected,
            Link::Down => Input::Disconnected,
        };
        self.machine.step(now, input);
    }

    fn send(&mut self, now: Time) -> Result<(), TransportError> {
        let Some(transport) = &self.transport else {
            return Ok(());
        };
        if let Some(frame) = self.unsent.take()
            && transport.send(&frame)? == Sent::Full
        {
            self.unsent = Some(frame);
            return Ok(());
        }
        while let Some(frame) = self.machine.next_frame(now) {
            if transport.send(&frame)? == Sent::Full {
                self.unsent = Some(frame.into_owned());
                return Ok(());
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("address", &self.approach.shown())
            .field("link", &self.link)
            .field("machine", &self.machine)
            .finish_non_exhaustive()
    }
}

/// Sleeps until there is something to do for one of the connections or one of the descriptors
/// can be read, at most for `timeout`. Deadlines are up to the caller.
///
/// # Errors
/// Errors of the poll itself.
pub fn wait<'a>(
    connections: impl IntoIterator<Item = &'a Connection>,
    descriptors: &[BorrowedFd<'_>],
    timeout: Option<Duration>,
) -> Result<(), TransportError> {
    let mut descriptors = descriptors.to_vec();
    let mut transports = Vec::new();
    for connection in connections {
        match &connection.transport {
            Some(transport) => transports.push((transport, connection.unsent.is_some())),
            None => descriptors.extend(connection.approach.descriptor()),
        }
    }
    transport::wait(transports.into_iter(), &descriptors, timeout)
}
