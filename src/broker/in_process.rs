//! A way into the order for this process itself: frames of the native dialect, without a socket.
//!
//! What is said here takes the same path as what arrives on the ROUTER, and what the machine
//! answers comes back through the dispatcher, so it is durable first like any other answer.

use std::fmt;
use std::sync::{Arc, OnceLock};

use crossbeam_channel::{Sender, TrySendError};

use super::exchange::{Arrival, Frame, Inbound};

use crate::core::{Frames, PacketOf, Route, Undelivered};

/// Bytes of an in-process routing id: a zero and a number. libzmq makes up ids of five bytes, and
/// a peer that claims one of this form is turned away, so no connection can have it.
const ID_LEN: usize = 9;

/// Takes a frame of the broker's for a connection; `false`: there is no room for it.
pub type Ear = Box<dyn Fn(u64, &[u8]) -> bool + Send + Sync>;

/// Speaks to the broker from within its process. Cheap to clone.
#[derive(Clone)]
pub struct InProcess {
    inbound: Sender<Inbound>,
    ear: Arc<OnceLock<Ear>>,
}

/// Why a frame was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// The broker has as much to do as it lets wait: try again in a moment.
    #[error("the broker is busy")]
    Busy,
    /// The broker takes nothing more in.
    #[error("the broker has stopped")]
    Stopped,
}

impl InProcess {
    pub(super) fn new(inbound: Sender<Inbound>) -> Self {
        Self {
            inbound,
            ear: Arc::default(),
        }
    }

    /// Names who hears the answers, once; `false` if that was done before.
    pub fn listen(&self, ear: Ear) -> bool {
        self.ear.set(ear).is_ok()
    }

    /// Says one frame of the native dialect over a connection of the caller's numbering.
    ///
    /// # Errors
    /// [`NotTaken`]; it never waits.
    pub fn say(&self, connection: u64, frame: &[u8]) -> Result<(), NotTaken> {
        let packet = PacketOf {
            id: Frame::from(&id_of(connection)[..]),
            delimited: false,
            body: Frame::from(frame),
            excess: false,
            proof: None,
        };
        let burst = Inbound::Arrivals(vec![Arrival::Packet(packet)]);
        self.inbound.try_send(burst).map_err(|error| match error {
            TrySendError::Full(_) => NotTaken::Busy,
            TrySendError::Disconnected(_) => NotTaken::Stopped,
        })
    }

    /// Takes the frames of a send for the routes that lead into this process; returns those that
    /// lead elsewhere, or `None` if all do.
    pub(super) fn divert(
        &self,
        to: &[Route],
        frames: &Frames,
        range: std::ops::Range<usize>,
        mut failed: impl FnMut(&Route, Undelivered),
    ) -> Option<Vec<Route>> {
        if !to.iter().any(|route| is_in_process(&route.id)) {
            return None;
        }
        let (inside, outside): (Vec<_>, Vec<_>) =
            (to.iter().cloned()).partition(|route| is_in_process(&route.id));
        for route in &inside {
            for place in range.clone().map(|at| frames.place(at)) {
                match (self.ear.get(), connection_of(&route.id)) {
                    (Some(ear), Some(connection)) if ear(connection, &frames.bytes()[place]) => {}
                    (Some(_), Some(_)) => {
                        failed(route, Undelivered::Full);
                        break;
                    }
                    _ => {
                        failed(route, Undelivered::Gone);
                        break;
                    }
                }
            }
        }
        Some(outside)
    }
}

impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InProcess").finish_non_exhaustive()
    }
}

/// Whether a routing id has the form that only connections within this process have.
pub(super) fn is_in_process(id: &[u8]) -> bool {
    id.len() == ID_LEN && id[0] == 0
}

fn id_of(connection: u64) -> [u8; ID_LEN] {
    let mut id = [0; ID_LEN];
    id[1..].copy_from_slice(&connection.to_be_bytes());
    id
}

fn connection_of(id: &[u8]) -> Option<u64> {
    let number = id.get(1..ID_LEN)?.try_into().ok()?;
    Some(u64::from_be_bytes(number))
}
