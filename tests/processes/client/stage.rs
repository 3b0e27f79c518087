//! A broker of one's own, and connections to it.

use std::time::Duration;

use orden::broker::{Broker, Config, ConnectionLimits, Security, Storage, Sync};
use orden::client::connection::{self, Connection};
use orden::client::{Client, Clock, Context, Deliveries, Options};
use orden::core::participant::{self, Event, Settings};
use orden::core::{Limits, MemberStatus};
use orden::net::Address;
use orden::store::{self, MemoryOptions};
use orden::wire::Name;
use orden_kit::deadline;
use tempfile::TempDir;

/// Nothing here takes this long unless it hangs.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);

/// A broker, which can be stopped and started again at the same address.
pub(crate) struct Stage {
    config: Config,
    broker: Option<Broker>,
    /// Where its log is kept, if it is.
    _directory: Option<TempDir>,
    pub(crate) address: Address,
    pub(crate) context: Context,
    pub(crate) clock: Clock,
}

impl Stage {
    /// A broker that keeps its log in memory.
    pub(crate) fn new() -> Self {
        Self::with(Storage::Memory(MemoryOptions::default()), None, None)
    }

    /// The same, with so many bytes at most, also for members that are behind.
    pub(crate) fn keeping(retain_bytes: u64) -> Self {
        let behind_bytes = retain_bytes;
        let options = MemoryOptions {
            retain_bytes,
            behind_bytes,
        };
        Self::with(Storage::Memory(options), None, None)
    }

    /// One that serves certain keys only.
    pub(crate) fn guarded(security: Security) -> Self {
        let (storage, directory) = files();
        Self::with(storage, Some(directory), Some(security))
    }

    /// A broker that knows after a restart what it knew before.
    pub(crate) fn durable() -> Self {
        let (storage, directory) = files();
        Self::with(storage, Some(directory), None)
    }

    fn with(storage: Storage, directory: Option<TempDir>, security: Option<Security>) -> Self {
        deadline::set();
        let mut limits = Limits::default();
        if let Storage::Memory(options) = storage {
            // Otherwise the machine's own memory would have what the log has let go.
            let kept = usize::try_from(options.retain_bytes).unwrap();
            limits.tail_bytes = limits.tail_bytes.min(kept);
        }
        let mut config = Config {
            endpoint: "tcp://127.0.0.1:*".to_owned(),
            tcp_endpoint: None,
            storage,
            sync: Sync::Never,
            limits,
            connections: ConnectionLimits::default(),
            security,
        };
        let broker = Broker::start(&config).unwrap();
        config.endpoint.clone_from(&broker.endpoints()[0]);
        Self {
            broker: Some(broker),
            _directory: directory,
            address: config.endpoint.parse().unwrap(),
            config,
            context: Context::new(),
            clock: Clock::start(),
        }
    }

    /// How far the member of this name is.
    pub(crate) fn status(&self, name: &str) -> MemberStatus {
        let status = self.broker.as_ref().unwrap().ack_map().status();
        let is_it = |member: &MemberStatus| member.name.as_bytes() == name.as_bytes();
        status.members.into_iter().find(is_it).unwrap()
    }

    /// The number that the next message gets.
    pub(crate) fn next_order(&self) -> u64 {
        self.broker.as_ref().unwrap().ack_map().status().next.0
    }

    /// Whether there is a member of this name.
    pub(crate) fn has_member(&self, name: &str) -> bool {
        let status = self.broker.as_ref().unwrap().ack_map().status();
        let mut members = status.members.iter();
        members.any(|member| member.name.as_bytes() == name.as_bytes())
    }

    /// The broker ends in good order.
    pub(crate) fn stop(&mut self) {
        if let Some(broker) = self.broker.take() {
            broker.stopper().stop();
            broker.wait().unwrap();
        }
    }

    /// It starts again where it was.
    pub(crate) fn start(&mut self) {
        assert!(self.broker.is_none());
        // The port may be held for a moment by connections that have just ended.
        let started = retry(|| Broker::start(&self.config).ok());
        self.broker = Some(started);
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

fn files() -> (Storage, TempDir) {
    let directory = TempDir::new().unwrap();
    let options = store::Options::new(directory.path().join("log"));
    (Storage::Files(options), directory)
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Tries until it works.
pub(crate) fn retry<T>(mut attempt: impl FnMut() -> Option<T>) -> T {
    for _ in 0..DEADLINE.as_millis() / PAUSE.as_millis() {
        if let Some(done) = attempt() {
            return done;
        }
        pause(PAUSE);
    }
    panic!("it never works");
}

/// Lets time pass for others.
pub(crate) fn pause(duration: Duration) {
    crossbeam_channel::never::<()>().recv_timeout(duration).ok();
}

/// What a round brings.
pub(crate) enum Seen {
    Deliveries(Deliveries),
    Event(Event),
}

pub(crate) fn named(name: &str) -> Settings {
    Settings::new(Name::new(name.as_bytes()).unwrap())
}
