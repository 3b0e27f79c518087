//! Tracks the ROUTER's connections: answers which may be made, limits how many, and knows which
//! connection a routing id leads to.
//!
//! Safety rests on an order of events: libzmq's one I/O thread reports to the monitor that a
//! connection was accepted before it asks whether its key is known, and that it has ended before
//! the descriptor goes to another. So the monitor's events are taken in before a connection gets
//! its number, and before a number is first believed.

use std::os::fd::RawFd;

use super::connection_table::{Bounds, ConnectionTable, Cut};
use super::exchange::Arrival;
use super::monitor::{MonitorEvent, RouterMonitor};
use super::zap::ZapHandler;
use crate::core::{Proof, Route, Undelivered};
use crate::net::polled_socket::PolledSocket;
use crate::net::{Clock, SocketError, libzmq};

/// Counts peers whose key is not on the access list.
const UNKNOWN: &str = "unknown_key";
/// Counts connections over the rate limit of their address.
const TOO_MANY: &str = "too_many_connections";
/// Counts connections that have sent nothing for too long.
const SILENT: &str = "silent_connection";

/// What is known of the ROUTER's connections.
pub(super) struct ConnectionTracker {
    monitor: RouterMonitor,
    /// Answers which peers may connect, if keys decide that.
    zap: Option<ZapHandler>,
    connections: ConnectionTable,
    /// The newest number that was given to a connection; they begin at 1.
    newest: u64,
    clock: Clock,
    /// Events since the last call of [`Self::update`].
    news: Vec<Arrival>,
}

impl ConnectionTracker {
    pub(super) fn new(monitor: RouterMonitor, zap: Option<ZapHandler>, bounds: Bounds) -> Self {
        Self {
            monitor,
            zap,
            connections: ConnectionTable::new(bounds),
            newest: 0,
            clock: Clock::start(),
            news: Vec::new(),
        }
    }

    /// Takes in events, answers handshakes and ends silent connections; returns what was refused
    /// and which connections have ended since the last time.
    ///
    /// # Errors
    /// Errors of its sockets.
    pub(super) fn update(&mut self) -> Result<Vec<Arrival>, SocketError> {
        self.take_news()?;
        self.answer()?;
        let silent = self.connections.silent(self.clock.now());
        self.cut(silent, SILENT);
        Ok(std::mem::take(&mut self.news))
    }

    /// Has all its sockets asked, even if their descriptors have not signalled.
    pub(super) fn force_poll(&self) {
        for socket in self.sockets() {
            socket.force_poll();
        }
    }

    /// Takes in all events that libzmq has reported by now.
    ///
    /// # Errors
    /// Errors of the monitor's socket.
    pub(super) fn follow(&mut self) -> Result<(), SocketError> {
        self.monitor.socket().force_poll();
        self.take_news()
    }

    /// Answers the handshakes that wait.
    fn answer(&mut self) -> Result<(), SocketError> {
        let Some(zap) = self.zap.take() else {
            return Ok(());
        };
        while let Some(request) = zap.next()? {
            // What has ended before has none of the numbers from here on.
            self.follow()?;
            if zap.answer(request, self.newest + 1)? {
                self.newest += 1;
            } else {
                self.news.push(Arrival::Refused(UNKNOWN));
            }
        }
        self.zap = Some(zap);
        Ok(())
    }

    fn take_news(&mut self) -> Result<(), SocketError> {
        while let Some(event) = self.monitor.next()? {
            match event {
                MonitorEvent::Ended(descriptor) => {
                    let ended = self.connections.ended(descriptor, self.newest);
                    self.news.extend(ended.map(|to| Arrival::Undelivered {
                        to,
                        why: Undelivered::Gone,
                    }));
                }
                MonitorEvent::Accepted(descriptor) => {
                    let peer = libzmq::peer_of(descriptor);
                    let now = self.clock.now();
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
    ) -> Result<(), SocketError> {
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
    pub(super) fn sockets(&self) -> Vec<&PolledSocket> {
        let mut sockets = vec![self.monitor.socket()];
        sockets.extend(self.zap.as_ref().map(ZapHandler::socket));
        sockets
    }

    fn cut(&mut self, cuts: impl IntoIterator<Item = Cut>, reason: &'static str) {
        for (descriptor, peer) in cuts {
            libzmq::cut(descriptor, peer);
            self.news.push(Arrival::Refused(reason));
        }
    }
}
