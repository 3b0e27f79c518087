//! Tracks the ROUTER's connections: answers which may be made, limits how many, and knows which
//! connection a routing id leads to.
//!
//! Safety rests on an order of events: libzmq's one I/O thread reports to the monitor that a
//! connection was accepted before it asks whether its key is known, and that it has ended before
//! the descriptor goes to another. So the monitor's events are taken in before a connection gets
//! its number, and before a number is first believed.

use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::RawFd;
use std::time::Duration;

use super::connection_table::{ConnectionTable, Cut};
use super::exchange::Arrival;
use super::monitor::{MonitorEvent, RouterMonitor};
use super::rate::Rate;
use super::turned_away::TurnedAway;
use super::zap::ZapHandler;
use crate::core::{Proof, Route, Time, Undelivered};
use crate::net::peer::{self, Peer, Place};
use crate::net::polled_socket::PolledSocket;
use crate::net::{Clock, SocketError, descriptors};

/// Counts peers whose key is not on the access list.
const UNKNOWN: Reason = Reason {
    counted: "unknown_key",
    said: "its key is not authorized",
};
/// Counts connections over the rate limit of their address.
const TOO_MANY: Reason = Reason {
    counted: "too_many_connections",
    said: "too many connections from there within a second",
};
/// Counts connections for which there is no descriptor.
const NO_DESCRIPTOR: Reason = Reason {
    counted: "no_descriptor",
    said: "too many files are open: ulimit -n, or LimitNOFILE= in systemd, allows more",
};
/// Counts connections that have sent nothing for too long.
const SILENT: Reason = Reason {
    counted: "silent_connection",
    said: "it has connected and says nothing, or its routing id is in use",
};
/// How often it is said that descriptors are used up soon.
const SAY_AGAIN: Duration = Duration::from_mins(10);
/// What is said of a handshake that breaks the protocol.
const WRONG: &str = "its handshake is wrong: its keys or the broker's key that it was given do \
                     not fit, or it does not speak ZeroMQ";
/// What is said of a handshake that comes to no end.
const UNFINISHED: &str = "it went, or waited too long, before its handshake was done";

/// Why a peer is turned away.
#[derive(Clone, Copy)]
struct Reason {
    /// The counter's name.
    counted: &'static str,
    /// In words, for the log.
    said: &'static str,
}

/// Limits for connections.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// The most connections that are accepted from one address in a second, over all sockets.
    pub(super) a_second: u32,
    /// How long a connection may be open without a message; `None`: without limit.
    pub(super) silence: Option<Duration>,
}

/// What is known of the ROUTER's connections.
pub(super) struct ConnectionTracker {
    monitor: RouterMonitor,
    /// Answers which peers may connect, if keys decide that.
    zap: Option<ZapHandler>,
    connections: ConnectionTable,
    rate: Rate,
    turned_away: TurnedAway,
    /// Why the handshake of the connection that ends next has failed.
    failed: Option<&'static str>,
    /// When it was last said that descriptors are used up soon.
    scarcity: Option<Time>,
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
            connections: ConnectionTable::new(bounds.silence),
            rate: Rate::new(bounds.a_second),
            turned_away: TurnedAway::default(),
            failed: None,
            scarcity: None,
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
            if zap.answer(&request, self.newest + 1)? {
                self.newest += 1;
            } else {
                let who = match (request.host, &request.key) {
                    (Some(host), Some(key)) => format!("{host} with key {key}"),
                    (Some(host), None) => host.to_string(),
                    (None, Some(key)) => format!("a local process with key {key}"),
                    (None, None) => "a local process".to_owned(),
                };
                self.turn_away(request.host, &who, UNKNOWN);
            }
        }
        self.zap = Some(zap);
        Ok(())
    }

    fn take_news(&mut self) -> Result<(), SocketError> {
        while let Some(event) = self.monitor.next()? {
            match event {
                MonitorEvent::Ended(descriptor) => self.ended(descriptor),
                MonitorEvent::Failed { wrong } => {
                    self.failed = Some(if wrong { WRONG } else { UNFINISHED });
                }
                MonitorEvent::Accepted(descriptor) => {
                    let peer = peer::peer_of(descriptor);
                    let now = self.clock.now();
                    self.connections.accepted(now, descriptor, peer);
                    let host = peer.and_then(|peer| peer.place.host());
                    let refused = self.refuses(now, host, descriptor);
                    if let (Some(reason), Some(peer)) = (refused, peer) {
                        self.cut([(descriptor, peer)], reason);
                    }
                }
            }
        }
        Ok(())
    }

    /// Why a connection is not to stay.
    fn refuses(&mut self, now: Time, host: Option<IpAddr>, descriptor: RawFd) -> Option<Reason> {
        if let Some((used, limit)) = descriptors::nearly_used_up(descriptor)
            && self
                .scarcity
                .is_none_or(|said| now.since(said) >= SAY_AGAIN)
        {
            self.scarcity = Some(now);
            log::warn!(
                "{used} of {limit} files are open: soon peers are turned away; raise ulimit -n, \
                 or LimitNOFILE= in systemd"
            );
        }
        if descriptors::is_reserved(descriptor) {
            return Some(NO_DESCRIPTOR);
        }
        (!self.rate.admits(now, host)).then_some(TOO_MANY)
    }

    fn ended(&mut self, descriptor: RawFd) {
        if let Some(why) = self.failed.take() {
            // One that fails at once may have been gone when it was looked at.
            let peer = self.connections.peer(descriptor);
            let place = peer.map_or(Place::Unknown, |Peer { place, .. }| place);
            let now = self.clock.now();
            self.turned_away.say(now, place.host(), &place, why);
        }
        let ended = self.connections.ended(descriptor, self.newest);
        self.news.extend(ended.map(|to| Arrival::Undelivered {
            to,
            why: Undelivered::Gone,
        }));
    }

    /// Counts a connection over plain TCP, and says whether it may stay.
    pub(super) fn admits(&mut self, peer: Option<SocketAddr>, descriptor: Option<RawFd>) -> bool {
        let host = peer.map(|peer| peer.ip());
        let now = self.clock.now();
        let Some(reason) = self.refuses(now, host, descriptor.unwrap_or_default()) else {
            return true;
        };
        let who = peer.map_or_else(|| Place::Unknown, Place::Tcp);
        self.turn_away(host, &who, reason);
        false
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
            peer::cut(descriptor, &peer);
        }
    }

    /// Ends the connection from which a message has come. What it has said still counts.
    ///
    /// # Errors
    /// Errors of the monitor's socket.
    pub(super) fn cut_from(&mut self, descriptor: Option<RawFd>) -> Result<(), SocketError> {
        self.follow()?;
        if let Some(descriptor) = descriptor
            && let Some(peer) = self.connections.peer(descriptor)
        {
            peer::cut(descriptor, &peer);
        }
        Ok(())
    }

    /// How many connections are open.
    pub(super) fn connections(&self) -> usize {
        self.connections.open()
    }

    /// To be waited for.
    pub(super) fn sockets(&self) -> Vec<&PolledSocket> {
        let mut sockets = vec![self.monitor.socket()];
        sockets.extend(self.zap.as_ref().map(ZapHandler::socket));
        sockets
    }

    fn cut(&mut self, cuts: impl IntoIterator<Item = Cut>, reason: Reason) {
        for (descriptor, peer) in cuts {
            peer::cut(descriptor, &peer);
            self.turn_away(peer.place.host(), &peer.place, reason);
        }
    }

    fn turn_away(&mut self, host: Option<IpAddr>, who: &dyn Display, reason: Reason) {
        let now = self.clock.now();
        self.turned_away.say(now, host, who, reason.said);
        self.news.push(Arrival::Refused(reason.counted));
    }
}
