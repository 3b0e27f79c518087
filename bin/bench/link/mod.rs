//! Connections of publishers and subscribers: a file for each way of speaking.
//!
//! A link never waits and never decides when to speak; [`super::publishing`] and
//! [`super::subscribing`] do, with as many links as their thread has.

pub(super) mod bare;
mod dealer;
pub(super) mod fixed;
pub(super) mod native;

use std::time::Duration;

use orden::client::Keys;
use orden::net::Address;

use super::error::Error;

/// Whose connection it is.
#[derive(Clone, Debug)]
pub(super) struct Who {
    pub(super) address: Address,
    /// If the connection is to be encrypted.
    pub(super) keys: Option<Keys>,
    /// Tells this run from others on the same broker.
    pub(super) run: u32,
    pub(super) role: Role,
    /// Its number among those of its role.
    pub(super) number: usize,
    /// What each of its messages begins with.
    pub(super) mark: Vec<u8>,
}

/// What a peer is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Publisher,
    Subscriber,
    /// Joins, and then reads nothing more.
    Stalled,
}

impl Who {
    /// A name that no other peer of any run has.
    pub(super) fn name(&self) -> String {
        let Self { run, number, .. } = self;
        match self.role {
            Role::Publisher => format!("bench-{run:08x}-publisher-{number}"),
            Role::Subscriber => format!("bench-{run:08x}-subscriber-{number}"),
            Role::Stalled => format!("bench-{run:08x}-stalled-{number}"),
        }
    }

    fn endpoint(&self) -> Result<String, Error> {
        let endpoint = self.address.to_connect();
        endpoint.map_err(|error| Error::Usage(error.to_string()))
    }
}

/// A connection.
pub(super) trait Link: Sized {
    /// What the connections of a thread live in: libzmq's own threads.
    type Home: Default;

    /// Connects, and says what makes the broker take this peer in.
    fn open(home: &Self::Home, who: &Who) -> Result<Self, Error>;

    /// Whether the broker has taken it in: what is published from now on concerns it.
    fn is_ready(&self) -> bool;

    /// Waits until something has come for one of the links, or it has something to do, or one
    /// whose [`Patience`] asks for it takes messages again; adds the places of those to `ready`.
    fn wait<'a>(
        links: impl Iterator<Item = (&'a Self, Patience)> + Clone,
        timeout: Duration,
        ready: &mut Vec<usize>,
    ) -> Result<(), Error>
    where
        Self: 'a;

    /// Does what is due, before anything is taken.
    fn begin(&mut self) -> Result<(), Error>;

    /// Takes a frame if one is there, hands each message in it to `deliver`, with its order
    /// number where there is one; says whether a frame was there.
    fn take(&mut self, deliver: &mut impl FnMut(u64, &[u8])) -> Result<bool, Error>;

    /// Says goodbye, where there is a word for it.
    fn close(&mut self) -> Result<(), Error>;
}

/// What a link is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// For something to come.
    ToTake,
    /// For that, and for the socket to take messages again, if it did not.
    ToPublish,
}

/// A connection that publishes.
pub(super) trait Publish: Link {
    /// Takes a message to publish; `false`: not now.
    fn publish(&mut self, payload: &[u8]) -> Result<bool, Error>;

    /// Sends what was taken, as far as the socket takes it.
    fn flush(&mut self) -> Result<(), Error>;

    /// Messages that were published and not confirmed.
    fn unconfirmed(&self) -> u64;

    /// Whether it would surely take a message now, so that there is nothing to wait for.
    fn is_open(&self) -> bool;
}
