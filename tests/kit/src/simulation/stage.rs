//! What broker and peers have in common: the queue, the network, the history, the counters.

use std::collections::BTreeSet;

use orden::core::Time;

use crate::checker::history::{Event, Moment};
use crate::simulation::counters::{Counters, Sometimes};
use crate::simulation::network::Network;
use crate::simulation::queue::Queue;

/// See the module.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) queue: Queue,
    pub(crate) network: Network,
    pub(crate) history: Vec<Moment>,
    pub(crate) counters: Counters,
    /// Names whose sessions the broker has ended.
    pub(crate) ended_sessions: BTreeSet<String>,
    /// Names that the broker no longer knows, or no longer keeps what they need, just now.
    pub(crate) left_behind: Vec<String>,
    /// When the broker handed out messages, and up to which number (without it).
    pub(crate) told: Vec<(Time, u64)>,
}

impl Stage {
    /// A stage on which nothing has happened.
    pub(crate) fn new(network: Network) -> Self {
        Self {
            queue: Queue::default(),
            network,
            history: Vec::new(),
            counters: Counters::default(),
            ended_sessions: BTreeSet::new(),
            left_behind: Vec::new(),
            told: Vec::new(),
        }
    }

    /// What time it is.
    pub(crate) fn now(&self) -> Time {
        self.queue.now()
    }

    /// Writes down what has happened.
    pub(crate) fn note(&mut self, event: Event) {
        let at = self.now().0;
        self.history.push(Moment { at, event });
    }

    /// The broker knows somebody no longer.
    pub(crate) fn end_session(&mut self, who: String) {
        self.left_behind.push(who.clone());
        self.ended_sessions.insert(who.clone());
        self.note(Event::Gone { who });
    }

    /// Counts what has happened.
    pub(crate) fn count(&mut self, what: Sometimes) {
        self.counters.count(what);
    }

    /// A peer sends a frame.
    pub(crate) fn send(&mut self, socket: usize, frame: Vec<u8>) {
        self.network.send_up(socket, frame, &mut self.queue);
    }
}
