//! What a client is told when it starts.

use std::fmt;
use std::time::Duration;

use super::transport::Context;
use crate::core::participant::{Event, Limits, Settings};
use crate::net::{Address, Keys};
use crate::wire::Name;

/// Everything that a client can be told.
pub struct Options {
    /// Where the broker is, or several of one order: when one is unreachable, silent or goes
    /// down, the session goes on at the next one.
    pub addresses: Vec<Address>,
    /// What its socket lives in; `None`: a context of its own.
    pub context: Option<Context>,
    /// For an encrypted connection.
    pub keys: Option<Keys>,
    /// Who the client is and how it takes part.
    ///
    /// With [`Acknowledging::OnDelivery`](crate::core::participant::Acknowledging::OnDelivery) a
    /// delivery is acknowledged when the application asks for the one after it.
    pub settings: Settings,
    /// Bounds.
    pub limits: Limits,
    /// How long [`Client::connect`](super::Client::connect) waits for the broker; `None`: for
    /// ever.
    pub patience: Option<Duration>,
    /// Told what happens to the session, by the client's own thread: it must not block. It hears
    /// of a confirmation before a call returns that waits for it.
    pub observer: Option<Observer>,
}

/// See [`Options::observer`].
pub type Observer = Box<dyn FnMut(&Event) + Send>;

impl Options {
    /// A client that gets what is ordered from now on, and waits ten seconds for the broker.
    #[must_use]
    pub fn new(address: Address, name: Name) -> Self {
        Self {
            addresses: vec![address],
            context: None,
            keys: None,
            settings: Settings::new(name),
            limits: Limits::default(),
            patience: Some(Duration::from_secs(10)),
            observer: None,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("addresses", &self.addresses)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
