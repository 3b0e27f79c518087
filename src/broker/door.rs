//! Keeps the ROUTER's door: answers who may come in, counts who comes, and knows which routing
//! ids still lead to whom.
//!
//! The order of what happens at the door is what its safety rests on: libzmq's one I/O thread
//! tells the monitor that a connection was accepted before it asks whether its key is known, and
//! that it has ended before the descriptor goes to another. So the monitor's news is taken in
//! before a connection gets its number, and before a number is first believed.

use std::os::fd::RawFd;

use super::Error;
use super::clock::Clock;
use super::connections::{Bounds, Connections, Cut};
use super::exchange::Arrival;
use super::inlet::Inlet;
use super::libzmq;
use super::monitor::{Monitor, News};
use super::zap::Gate;
use crate::core::{Proof, Route, Undelivered};

/// Counted where somebody's key is not on the list.
const UNKNOWN: &str = "unknown_key";
/// Counted where more connect than may.
const TOO_MANY: &str = "too_many_connections";
/// Counted where somebody connects and says nothing.
const SILENT: &str = "silent_connection";

/// What is known of the ROUTER's connections.
pub(super) struct Door {
    monitor: Monitor,
    /// Asked by libzmq who may connect, where keys decide that.
    gate: Option<Gate>,
    connections: Connections,
    /// The newest number that was given to a connection; they begin at 1.
    newest: u64,
    clock: Clock,
    /// What has happened since it was last asked for.
    news: Vec<Arrival>,
}

impl Door {
    pub(super) fn new(monitor: Monitor, gate: Option<Gate>, bounds: Bounds) -> Self {
        Self {
            monitor,
            gate,
            connections: Connections::new(bounds),
            newest: 0,
            clock: Clock::start(),
            news: Vec::new(),
        }
    }

    /// Does what there is to do, and says who was refused, and whose connection has ended, since
    /// the last time.
    ///
    /// # Errors
    /// Errors of its sockets.
    pub(super) fn tend(&mut self) -> Result<Vec<Arrival>, Error> {
        self.take_news()?;
        self.answer()?;
        let silent = self.connections.silent(self.clock.now().time);
        self.cut(silent, SILENT);
        Ok(std::mem::take(&mut self.news))
    }

    /// Lets it look at everything, whether or not there is any sign of news.
    pub(super) fn suspect(&mut self) {
        for inlet in self.inlets() {
            inlet.suspect();
        }
    }

    /// Takes in whatever libzmq has said by now.
    ///
    /// # Errors
    /// Errors of the monitor's socket.
    pub(super) fn follow(&mut self) -> Result<(), Error> {
        self.monitor.inlet().suspect();
        self.take_news()
    }

    /// Answers the handshakes that wait.
    fn answer(&mut self) -> Result<(), Error> {
        let Some(mut gate) = self.gate.take() else {
            return Ok(());
        };
        while let Some(request) = gate.next()? {
            // What has ended before has none of the numbers from here on.
            self.follow()?;
            if gate.answer(request, self.newest + 1)? {
                self.newest += 1;
            } else {
                self.news.push(Arrival::Refused(UNKNOWN));
            }
        }
        self.gate = Some(gate);
        Ok(())
    }

    fn take_news(&mut self) -> Result<(), Error> {
        while let Some(news) = self.monitor.next()? {
            match news {
                News::Ended(descriptor) => {
                    let ended = self.connections.ended(descriptor, self.newest);
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

    /// Takes note of a message. `descriptor` is asked for once a connection.
    ///
    /// # Errors
    /// Errors of the monitor's socket.
    pub(super) fn heard(
        &mut self,
        id: &[u8],
        proof: Proof,
        descriptor: impl FnOnce() -> Option<RawFd>,
    ) -> Result<(), Error> {
        if self.connections.knows(id, proof) {
            return Ok(());
        }
        self.follow()?;
        if let Some(descriptor) = descriptor() {
            self.connections.heard(id, proof, descriptor);
        }
        Ok(())
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

    /// To be waited for.
    pub(super) fn inlets(&mut self) -> Vec<&mut Inlet> {
        let mut inlets = vec![self.monitor.inlet()];
        inlets.extend(self.gate.as_mut().map(Gate::inlet));
        inlets
    }

    fn cut(&mut self, cuts: impl IntoIterator<Item = Cut>, reason: &'static str) {
        for (descriptor, peer) in cuts {
            libzmq::cut(descriptor, peer);
            self.news.push(Arrival::Refused(reason));
        }
    }
}
