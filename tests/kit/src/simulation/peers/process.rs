//! A native client's process: the real machine and its socket, pumped as the client's shell pumps
//! them. What it is told of deliveries, confirmations and ends it hands to its owner.

use std::collections::VecDeque;

use orden::core::Time;
use orden::core::participant::{Event, Input, Limits, Participant, Settings};
use orden::wire::batch;

use super::{dealer, wrapped};
use crate::checker::history::Message;
use crate::simulation::network::SocketId;
use crate::simulation::queue::Happening;
use crate::simulation::stage::Stage;

/// See the module.
pub(super) struct Process {
    pub(super) machine: Participant,
    index: usize,
    pub(super) socket: SocketId,
    is_up: bool,
    /// What came while the process was stopped.
    waiting: VecDeque<Waiting>,
    pub(super) is_paused: bool,
    /// When it looks at the time next.
    wakes_at: Option<Time>,
}

enum Waiting {
    Up,
    Down,
    Frame(Vec<u8>),
}

/// What a process has for its owner, in the order in which it has happened.
pub(super) type Outcome = Vec<Happened>;

pub(super) enum Happened {
    Delivery(Message),
    Event(Event),
}

impl Process {
    pub(super) fn new(index: usize, settings: Settings, limits: Limits, stage: &mut Stage) -> Self {
        Self {
            machine: Participant::new(settings, limits),
            index,
            socket: dealer(index, Vec::new(), false, stage),
            is_up: false,
            waiting: VecDeque::new(),
            is_paused: false,
            wakes_at: None,
        }
    }

    /// The socket has a connection, or has lost it.
    pub(super) fn link(&mut self, is_up: bool, stage: &mut Stage) -> Outcome {
        self.waiting
            .push_back(if is_up { Waiting::Up } else { Waiting::Down });
        self.go_on(stage)
    }

    /// A frame has come.
    pub(super) fn frame(&mut self, frame: Vec<u8>, stage: &mut Stage) -> Outcome {
        self.waiting.push_back(Waiting::Frame(frame));
        self.go_on(stage)
    }

    /// Looks at what waits and at the time, and sends what there is to send.
    pub(super) fn go_on(&mut self, stage: &mut Stage) -> Outcome {
        let mut outcome = Outcome::new();
        if self.is_paused {
            return outcome;
        }
        while let Some(waiting) = self.waiting.pop_front() {
            self.take(waiting, &mut outcome, stage);
        }
        let now = stage.now();
        self.machine.step(now, Input::Tick);
        if self.is_up && self.machine.wants_connection() {
            // This one does not answer.
            self.close(true, stage);
            self.socket = dealer(self.index, Vec::new(), false, stage);
            self.is_up = false;
        }
        self.send(stage);
        self.tell(&mut outcome);
        let at = self.machine.deadline();
        let at = at.filter(|at| {
            self.wakes_at
                .is_none_or(|before| before <= now || *at < before)
        });
        if let Some(at) = at {
            self.wakes_at = Some(at);
            stage.queue.add(at, Happening::PeerWakes(self.index));
        }
        outcome
    }

    /// The process ends; perhaps its host, too, so that nobody says so to the broker.
    pub(super) fn close(&mut self, silent: bool, stage: &mut Stage) {
        let Stage { network, queue, .. } = stage;
        network.close(self.socket, silent, queue);
    }

    fn take(&mut self, waiting: Waiting, outcome: &mut Outcome, stage: &mut Stage) {
        let now = stage.now();
        match waiting {
            Waiting::Up => {
                self.is_up = true;
                self.machine.step(now, Input::Connected);
            }
            Waiting::Down => {
                self.is_up = false;
                self.machine.step(now, Input::Disconnected);
            }
            Waiting::Frame(frame) => {
                assert_eq!(frame[0], 0, "nobody asked for a delimiter");
                let frame = &frame[1..];
                if let Some(numbers) = self.machine.step(now, Input::Frame(frame)) {
                    let records = batch::records(frame).map(Result::unwrap);
                    let new = records.filter(|record| numbers.contains(&record.order));
                    outcome
                        .extend(new.map(|record| Happened::Delivery(Message::of_record(&record))));
                }
            }
        }
        self.tell(outcome);
        self.send(stage);
    }

    fn tell(&mut self, outcome: &mut Outcome) {
        let events = std::iter::from_fn(|| self.machine.next_event());
        outcome.extend(events.map(Happened::Event));
    }

    fn send(&mut self, stage: &mut Stage) {
        let now = stage.now();
        while let Some(frame) = self.machine.next_frame(now) {
            stage.send(self.socket, wrapped(false, &frame));
        }
    }
}
