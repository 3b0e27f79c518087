//! A broker of one's own, and connections to it.

use std::time::Duration;

use orden::broker::{Broker, Config, DoorLimits, Storage, Sync};
use orden::client::connection::{self, Connection};
use orden::client::{Client, Clock, Context, Deliveries, Options};
use orden::core::Limits;
use orden::core::participant::{self, Event, Settings};
use orden::wire::{Address, Name};

/// Nothing here takes this long unless it hangs.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// A broker that keeps its log in memory.
pub(crate) struct Stage {
    broker: Option<Broker>,
    pub(crate) address: Address,
    pub(crate) context: Context,
    pub(crate) clock: Clock,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::with_limits(Limits::default())
    }

    pub(crate) fn with_limits(limits: Limits) -> Self {
        let broker = Broker::start(&Config {
            endpoint: "tcp://127.0.0.1:*".to_owned(),
            tcp_endpoint: None,
            storage: Storage::Memory {
                retain_bytes: 1 << 30,
            },
            sync: Sync::Never,
            limits,
            door: DoorLimits::default(),
            security: None,
        })
        .unwrap();
        let address = broker.endpoints()[0].parse().unwrap();
        Self {
            broker: Some(broker),
            address,
            context: Context::new(),
            clock: Clock::start(),
        }
    }

    /// What a client of this name is told by default.
    pub(crate) fn options(&self, name: &str) -> Options {
        Options::new(self.address.clone(), Name::new(name.as_bytes()).unwrap())
    }

    pub(crate) fn client(&self, name: &str) -> Client {
        Client::connect(self.options(name)).unwrap()
    }

    /// A connection, not welcomed yet.
    pub(crate) fn connect(&self, settings: Settings) -> Connection {
        let limits = participant::Limits::default();
        Connection::open(&self.context, &self.address, settings, limits).unwrap()
    }

    /// One round for each of `connections`: sleeps until there is something to do.
    pub(crate) fn round(&self, connections: &mut [Connection], mut seen: impl FnMut(usize, Seen)) {
        let deadlines = connections.iter().filter_map(Connection::deadline);
        let timeout = deadlines
            .min()
            .map_or(DEADLINE, |at| self.clock.until(at))
            .min(DEADLINE);
        connection::wait(&*connections, &[], Some(timeout)).unwrap();
        let now = self.clock.now();
        for (index, connection) in connections.iter_mut().enumerate() {
            connection.pump(now).unwrap();
            while let Some(deliveries) = connection.next_deliveries(now).unwrap() {
                seen(index, Seen::Deliveries(deliveries));
            }
            while let Some(event) = connection.next_event() {
                seen(index, Seen::Event(event));
            }
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(broker) = self.broker.take() {
            broker.stopper().stop();
            broker.wait().unwrap();
        }
    }
}

/// What a round brings.
pub(crate) enum Seen {
    Deliveries(Deliveries),
    Event(Event),
}

pub(crate) fn named(name: &str) -> Settings {
    Settings::new(Name::new(name.as_bytes()).unwrap())
}
