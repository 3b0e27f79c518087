//! Which connection a routing id leads to, if keys decide which peers are served.
//!
//! In the fixed dialects a routing id is a name, so once its owner's connection has ended any peer
//! with a key can connect under it. What was meant for the owner must not get there. So a route
//! holds the number of its connection, and leads somewhere only while this table knows that very
//! connection to be open.

use std::collections::HashMap;
use std::os::fd::RawFd;
use std::time::Duration;

use crate::core::{Proof, Route, Time, Transport};
use crate::net::peer::Peer;

/// A connection to cut: its descriptor's number, and who has to be at its other end for the
/// number not to have gone to another.
pub(super) type Cut = (RawFd, Peer);

/// The connections of the ROUTER.
#[derive(Debug)]
pub(super) struct ConnectionTable {
    by_id: HashMap<Box<[u8]>, Heard>,
    open: HashMap<RawFd, Open>,
    /// The newest number there was when the last connection of a descriptor ended.
    ended: HashMap<RawFd, u64>,
    /// How long a connection may be open without a message; `None`: without limit.
    silence: Option<Duration>,
}

/// A connection that has spoken.
#[derive(Clone, Copy, Debug)]
struct Heard {
    number: u64,
    descriptor: RawFd,
}

#[derive(Debug)]
struct Open {
    peer: Option<Peer>,
    since: Time,
    /// Numbers up to this are those of connections that had the descriptor before.
    after: u64,
    /// Under which routing id it has spoken.
    id: Option<Box<[u8]>>,
}

impl ConnectionTable {
    pub(super) fn new(silence: Option<Duration>) -> Self {
        Self {
            by_id: HashMap::new(),
            open: HashMap::new(),
            ended: HashMap::new(),
            silence,
        }
    }

    /// A peer has connected.
    pub(super) fn accepted(&mut self, now: Time, descriptor: RawFd, peer: Option<Peer>) {
        let after = self.ended.get(&descriptor).copied().unwrap_or(0);
        let open = Open {
            peer,
            since: now,
            after,
            id: None,
        };
        self.open.insert(descriptor, open);
    }

    /// How many connections are open.
    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    /// Who is at the other end of a connection that is open, as far as was seen.
    pub(super) fn peer(&self, descriptor: RawFd) -> Option<Peer> {
        self.open.get(&descriptor)?.peer
    }

    /// A connection has ended; `newest` is the newest number that any has. Gives the route that
    /// led to it.
    pub(super) fn ended(&mut self, descriptor: RawFd, newest: u64) -> Option<Route> {
        self.ended.insert(descriptor, newest);
        let id = self.open.remove(&descriptor)?.id?;
        let heard = self.by_id.get(&id);
        let number = heard.filter(|heard| heard.descriptor == descriptor)?.number;
        self.by_id.remove(&id);
        Some(Route {
            transport: Transport::Zmq,
            id: id.into(),
            delimited: false,
            connection: number,
        })
    }

    /// Whether this connection is known to have this routing id.
    pub(super) fn knows(&self, id: &[u8], proof: Proof) -> bool {
        self.get(id, proof.connection).is_some()
    }

    /// A message has come from a connection that was not known to have this routing id. To be
    /// called when all is known that was accepted and has ended so far.
    pub(super) fn heard(&mut self, id: &[u8], proof: Proof, descriptor: RawFd) {
        let number = proof.connection;
        // What is read late, from a connection that has ended: there is no peer to answer.
        let Some(open) = self
            .open
            .get_mut(&descriptor)
            .filter(|open| number > open.after)
        else {
            return;
        };
        open.id = Some(id.into());
        self.by_id.insert(id.into(), Heard { number, descriptor });
    }

    /// Whether a route leads to the connection that it was made for.
    pub(super) fn leads(&self, route: &Route) -> bool {
        self.get(&route.id, route.connection).is_some()
    }

    /// What to cut for a route to end.
    pub(super) fn end_of(&self, route: &Route) -> Option<Cut> {
        let heard = self.get(&route.id, route.connection)?;
        let open = self.open.get(&heard.descriptor)?;
        Some((heard.descriptor, open.peer?))
    }

    /// What to cut because it has been silent from its beginning: it may be one that libzmq does
    /// not read, as its routing id is taken, or one that keeps a routing id from its owner.
    pub(super) fn silent(&mut self, now: Time) -> Vec<Cut> {
        let Some(silence) = self.silence else {
            return Vec::new();
        };
        let mut cuts = Vec::new();
        for (&descriptor, open) in &mut self.open {
            if open.id.is_none() && now.since(open.since) >= silence {
                // If cutting it does not end it, it is tried again.
                open.since = now;
                cuts.extend(open.peer.map(|peer| (descriptor, peer)));
            }
        }
        cuts
    }

    fn get(&self, id: &[u8], number: u64) -> Option<&Heard> {
        self.by_id.get(id).filter(|heard| heard.number == number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::PublicKey;

    const SECOND: Duration = Duration::from_secs(1);

    fn table() -> ConnectionTable {
        ConnectionTable::new(Some(5 * SECOND))
    }

    fn peer(cookie: u64) -> Peer {
        Peer::test(cookie)
    }

    fn proof(connection: u64) -> Proof {
        Proof {
            key: PublicKey::new([1; 32]),
            connection,
        }
    }

    fn route(id: &[u8], connection: u64) -> Route {
        Route {
            transport: Transport::Zmq,
            id: id.into(),
            delimited: false,
            connection,
        }
    }

    #[test]
    fn a_route_ends_with_its_connection() {
        let mut table = table();
        table.accepted(Time::default(), 7, Some(peer(1)));
        assert!(!table.leads(&route(b"ana", 1)), "it has not spoken");
        table.heard(b"ana", proof(1), 7);
        assert!(table.leads(&route(b"ana", 1)) && !table.leads(&route(b"ana", 2)));
        assert_eq!(table.end_of(&route(b"ana", 1)), Some((7, peer(1))));
        assert_eq!(table.ended(7, 1), Some(route(b"ana", 1)));
        assert!(!table.leads(&route(b"ana", 1)));
    }

    #[test]
    fn what_is_read_late_revives_nothing() {
        let mut table = table();
        table.accepted(Time::default(), 7, Some(peer(1)));
        table.ended(7, 1);
        table.heard(b"ana", proof(1), 7);
        assert!(!table.leads(&route(b"ana", 1)), "the descriptor is closed");
        // The descriptor's number goes to another connection.
        table.accepted(Time::default(), 7, Some(peer(2)));
        table.heard(b"ana", proof(1), 7);
        assert!(
            !table.leads(&route(b"ana", 1)),
            "the number is the old connection's"
        );
        table.heard(b"eva", proof(2), 7);
        assert!(table.leads(&route(b"eva", 2)));
    }

    #[test]
    fn a_silent_connection_is_cut_and_cut_again() {
        let mut table = table();
        let start = Time::default();
        table.accepted(start, 7, Some(peer(1)));
        table.accepted(start, 8, Some(peer(2)));
        table.heard(b"ana", proof(1), 8);
        assert!(table.silent(start + 4 * SECOND).is_empty());
        for seconds in [5, 10] {
            let cut = (7, peer(1));
            assert_eq!(table.silent(start + seconds * SECOND), [cut]);
        }
    }
}
