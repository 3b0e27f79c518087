//! Peers of the native dialect, as Rust programs are: orden's own client, driven by the thread
//! that has many of them.

use std::time::Duration;

use orden::client::{Clock, Connection, Context, TransportError, connection};
use orden::core::participant::{Event, Limits, PublishError, Settings};
use orden::wire::Name;
use orden::wire::native::Goodbye;

use super::{Link, Patience, Publish, Role, Who};
use crate::bench::error::Error;

/// A native peer.
pub(crate) struct Native {
    connection: Connection,
    clock: Clock,
}

impl Link for Native {
    type Home = Context;

    fn open(context: &Context, who: &Who) -> Result<Self, Error> {
        let name = Name::new(who.name().as_bytes());
        let mut settings = Settings::new(name.map_err(|error| Error::Usage(error.to_string()))?);
        settings.receive = who.role != Role::Publisher;
        let connection = Connection::open_with(
            context,
            std::slice::from_ref(&who.address),
            who.keys.clone(),
            settings,
            Limits::default(),
        )?;
        Ok(Self {
            connection,
            clock: Clock::start(),
        })
    }

    fn is_ready(&self) -> bool {
        self.connection.machine().last_sequence().is_some()
    }

    fn wait<'a>(
        links: impl Iterator<Item = (&'a Self, Patience)> + Clone,
        timeout: Duration,
        ready: &mut Vec<usize>,
    ) -> Result<(), Error>
    where
        Self: 'a,
    {
        let due = |(link, _): (&Self, Patience)| {
            let deadline = link.connection.deadline()?;
            Some(link.clock.until(deadline))
        };
        let timeout = links.clone().filter_map(due).fold(timeout, Duration::min);
        let connections = links.clone().map(|(link, _)| &link.connection);
        connection::wait(connections, &[], Some(timeout))?;
        // Which of them it was for is not said: a connection with nothing to do finds out fast.
        ready.extend(0..links.count());
        Ok(())
    }

    fn begin(&mut self) -> Result<(), Error> {
        self.connection.pump(self.clock.now())?;
        self.hear()
    }

    fn take(&mut self, deliver: &mut impl FnMut(u64, &[u8])) -> Result<bool, Error> {
        let Some(deliveries) = self.connection.next_deliveries(self.clock.now())? else {
            self.hear()?;
            return Ok(false);
        };
        for record in deliveries.records() {
            let record = record.map_err(|error| {
                Error::Peer(format!("the broker sent what cannot be read: {error}"))
            })?;
            deliver(record.order.0, record.payload);
        }
        Ok(true)
    }

    fn close(&mut self) -> Result<(), Error> {
        self.connection.leave(Goodbye::Leave);
        Ok(self.connection.pump(self.clock.now())?)
    }
}

impl Native {
    /// Anything but good news ends the run: what is measured is not how losses are mended.
    fn hear(&mut self) -> Result<(), Error> {
        while let Some(event) = self.connection.next_event() {
            match event {
                Event::Welcomed(_) | Event::Confirmed(_) => {}
                Event::Unreachable(obstacle) => return Err(Error::Peer(obstacle.to_string())),
                Event::Ended(ending) => return Err(Error::Peer(ending.to_string())),
                other => return Err(Error::Peer(format!("a peer heard {other:?}"))),
            }
        }
        Ok(())
    }
}

impl Publish for Native {
    fn publish(&mut self, payload: &[u8]) -> Result<bool, Error> {
        match self.connection.try_publish(payload) {
            Ok(_) => Ok(true),
            Err(PublishError::WindowFull) => Ok(false),
            Err(error) => Err(Error::Peer(error.to_string())),
        }
    }

    fn flush(&mut self) -> Result<(), Error> {
        Ok(self.connection.pump(self.clock.now())?)
    }

    fn unconfirmed(&self) -> u64 {
        self.connection
            .machine()
            .unconfirmed()
            .map_or(0, |(_, count)| count)
    }

    fn is_open(&self) -> bool {
        self.unconfirmed() == 0
    }
}

impl From<TransportError> for Error {
    fn from(error: TransportError) -> Self {
        Self::Peer(error.to_string())
    }
}
