//! Keeps the ROUTER's door: counts who comes, and knows which routing ids still lead to whom.

use std::os::fd::RawFd;

use super::Error;
use super::clock::Clock;
use super::connections::{Bounds, Connections, Cut};
use super::exchange::Arrival;
use super::inlet::Inlet;
use super::libzmq;
use super::monitor::{Monitor, News};
use super::zap::Numbers;
use crate::core::{Proof, Route, Undelivered};

/// Counted where more connect than may.
const TOO_MANY: &str = "too_many_connections";
/// Counted where somebody connects and says nothing.
const SILENT: &str = "silent_connection";

/// What is known of the ROUTER's connections.
pub(super) struct Door {
    monitor: Monitor,
    connections: Connections,
    numbers: Numbers,
    clock: Clock,
    /// What has happened since it was last asked for.
    news: Vec<Arrival>,
}

impl Door {
    pub(super) fn new(monitor: Monitor, numbers: Numbers, bounds: Bounds) -> Self {
        Self {
            monitor,
            connections: Connections::new(bounds),
            numbers,
            clock: Clock::start(),
            news: Vec::new(),
        }
    }

    /// Takes the news that there is.
    ///
    /// # Errors
    /// Errors of the monitor's socket.
    pub(super) fn follow(&mut self) -> Result<(), Error> {
        while let Some(news) = self.monitor.next()? {
            match news {
                News::Ended(descriptor) => {
                    let newest = self.numbers.newest();
                    let ended = self.connections.ended(descriptor, newest);
                    self.news.extend(ended.map(|to| Arrival::Undelivered {
                        to,
                        why: Undelivered::Gone,
                    }));
                }
                News::Accepted(descriptor) => {
                    let peer = libzmq::peer_of(descriptor);
                    let now = self.clock.now().time;
                    let too_many = self.connections.accepted(now, descriptor, peer);
                    self.cut(too_many, TOO_MANY);
                }
            }
        }
        Ok(())
    }

    /// Ends the connections that have been silent from their beginning for too long.
    pub(super) fn end_silent(&mut self) {
        let silent = self.connections.silent(self.clock.now().time);
        self.cut(silent, SILENT);
    }

    /// Takes note of a message.
    pub(super) fn heard(
        &mut self,
        id: &[u8],
        proof: Proof,
        descriptor: impl FnOnce() -> Option<RawFd>,
    ) {
        self.connections.heard(id, proof, descriptor);
    }

    /// Whether a route leads to the connection that it was made for; as of [`Self::follow`].
    pub(super) fn leads(&self, route: &Route) -> bool {
        self.connections.leads(route)
    }

    /// Ends the connection of a route.
    pub(super) fn close(&mut self, route: &Route) {
        if let Some((descriptor, peer)) = self.connections.end_of(route) {
            libzmq::cut(descriptor, peer);
        }
    }

    /// Who was refused, and whose connection has ended, since the last time.
    pub(super) fn news(&mut self) -> Vec<Arrival> {
        std::mem::take(&mut self.news)
    }

    /// To be waited for.
    pub(super) fn inlet(&mut self) -> &mut Inlet {
        self.monitor.inlet()
    }

    fn cut(&mut self, cuts: impl IntoIterator<Item = Cut>, reason: &'static str) {
        for (descriptor, peer) in cuts {
            libzmq::cut(descriptor, peer);
            self.news.push(Arrival::Refused(reason));
        }
    }
}
