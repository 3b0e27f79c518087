//! Those who take part: native clients with the real machine, models of the peers that exist
//! already, and some who keep to no rule.

mod fixed;
mod hostile;
mod native;
mod payload;
mod process;
mod raw;

use orden::core::Transport;

pub(crate) use self::fixed::Fixed;
pub(crate) use self::hostile::Hostile;
pub(crate) use self::native::Native;
pub(crate) use self::raw::Raw;
use crate::simulation::network::SocketId;
use crate::simulation::stage::Stage;

/// Anybody who takes part.
pub(crate) enum Peer {
    Native(Box<Native>),
    Fixed(Fixed),
    Raw(Raw),
    Hostile(Hostile),
}

/// What happens to a peer.
pub(crate) enum Incident {
    /// Its process begins, or goes on after it was stopped.
    Starts,
    /// It looks at the time.
    Wakes,
    /// Its socket has a connection.
    Up(SocketId),
    /// Its socket has lost its connection.
    Down(SocketId),
    /// A frame has come.
    Frame(SocketId, Vec<u8>),
    /// Its process is killed.
    Crashes,
    /// Its process is stopped for a while.
    Pauses,
    /// It is to say goodbye, for good or not.
    SaysGoodbye,
    /// The broker no longer keeps what it needs, or no longer knows it. Whoever sits before a
    /// program that cannot be told so starts it anew.
    IsLeftBehind,
    /// Somebody sits before it and looks whether it shows anything new.
    IsLookedAt,
    /// Nothing goes wrong any more; it may finish.
    Heals,
    /// It is to say one thing more, so that everybody gets something.
    SaysLastWord,
}

impl Peer {
    /// Something happens to it.
    pub(crate) fn meets(&mut self, incident: Incident, stage: &mut Stage) {
        match self {
            Self::Native(peer) => peer.meets(incident, stage),
            Self::Fixed(peer) => peer.meets(incident, stage),
            Self::Raw(peer) => peer.meets(incident, stage),
            Self::Hostile(peer) => peer.meets(incident, stage),
        }
    }

    /// Whether it has everything before `end`, and has heard of everything it sent.
    pub(crate) fn is_settled(&self, end: u64) -> bool {
        match self {
            Self::Native(peer) => peer.is_settled(end),
            Self::Fixed(peer) => peer.is_settled(end),
            Self::Raw(peer) => peer.is_settled(end),
            Self::Hostile(_) => true,
        }
    }

    /// Its name, and whether it wants deliveries, if it keeps to the rules.
    pub(crate) fn honest(&self) -> Option<(String, bool)> {
        match self {
            Self::Native(peer) => Some((peer.name().to_owned(), peer.receives())),
            Self::Fixed(peer) => Some((peer.who().to_owned(), true)),
            Self::Raw(peer) => Some((peer.who().to_owned(), true)),
            Self::Hostile(_) => None,
        }
    }
}

/// How the routing ids of those begin that libzmq has made up for them.
pub(crate) const HOSTILE_GUEST: [u8; 2] = [0, 99];

/// What they call themselves.
pub(crate) const HOSTILE_NAMES: [&str; 3] = ["evil0", "evil1", "evil2"];

/// Whether a name belongs to somebody who keeps to no rule.
pub(crate) fn is_hostile(name: &str) -> bool {
    name.contains("evil")
}

/// Opens a socket of a ZeroMQ peer.
fn dealer(peer: usize, key: Vec<u8>, patient: bool, stage: &mut Stage) -> SocketId {
    let Stage { network, queue, .. } = stage;
    network.open(peer, Transport::Zmq, key, patient, queue)
}

/// A message as it goes over the wire in a simulation: see `arrival_of`.
fn wrapped(delimited: bool, body: &[u8]) -> Vec<u8> {
    [&[u8::from(delimited)], body].concat()
}
