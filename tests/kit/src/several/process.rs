//! A broker's process in such a world: the machine, commit loop and log of a real one.

use std::time::Duration;

use orden::commit::{CommitLoop, Sync};
use orden::core::replica::Assembly;
use orden::core::{Halt, Input, InputOf, LoadError, Now, Outgoing, PacketOf, Sequencer};
use orden::store::{self, Beginning, LogReader, Run};
use orden::wire::{Name, OrderNumber};

use super::engine::{FarEnd, link};
use super::{Happening, IDENTITY, World, client_of};
use crate::simulated_disk::{Leaves, SimulatedDisk};

pub(super) struct Broker {
    pub(super) disk: SimulatedDisk,
    pub(super) process: Option<Process>,
    pub(super) processes: u64,
    pub(super) is_stopped: bool,
    pub(super) is_cut_off: bool,
    /// It has found two histories, and ended.
    pub(super) is_halted: bool,
    /// How often its log was opened: 0 if there is none.
    opened: u64,
}

pub(super) struct Process {
    pub(super) number: u64,
    pub(super) commits: CommitLoop,
    pub(super) stream: FarEnd,
    pub(super) reader: Box<dyn LogReader>,
    pub(super) inbox: Vec<PacketOf<Vec<u8>>>,
    loads: Vec<OrderNumber>,
    /// No member is fed before what was given out is passed on.
    is_crowded: bool,
}

impl Broker {
    pub(super) fn new() -> Self {
        Self {
            disk: SimulatedDisk::new(),
            process: None,
            processes: 0,
            is_stopped: false,
            is_cut_off: false,
            is_halted: false,
            opened: 0,
        }
    }
}

impl Process {
    /// What was given out is passed on, and what was to be read is read.
    fn hears_of_its_own(&mut self, now: Now) {
        if std::mem::take(&mut self.is_crowded) {
            self.commits.step(now, Input::Left).unwrap();
        }
        for from in std::mem::take(&mut self.loads) {
            let result = self.reader.read(from);
            let result = result.map_err(|error| match error {
                store::Error::Trimmed(oldest) => LoadError::Trimmed(oldest),
                other => panic!("{from} cannot be read: {other}"),
            });
            let loaded = Input::Loaded { from, result };
            self.commits.step(now, loaded).unwrap();
        }
    }
}

impl World {
    /// What a journal begins with, if there is none: the oldest state in the stream, if its first
    /// record is gone.
    fn beginning(&mut self, at: usize) -> Beginning {
        let (first, mut assembly) = (self.engine.first, Assembly::default());
        if first == 1 || self.brokers[at].opened > 0 {
            return IDENTITY.into();
        }
        self.count("begun with a snapshot");
        let kept = first..=self.engine.records.len() as u64;
        let mut records = kept.filter_map(|position| self.engine.record(position));
        let state = records.find_map(|record| assembly.take(record).unwrap());
        assert!(state.is_some(), "no snapshot behind position {first}");
        Beginning {
            identity: IDENTITY,
            state,
        }
    }

    /// A broker's machine is gone, with its disk.
    pub(super) fn lose(&mut self, at: usize) {
        let broker = &mut self.brokers[at];
        broker.process = None;
        broker.disk = SimulatedDisk::new();
        broker.opened = 0;
        self.later(1_000, 5_000_000, Happening::Starts(at));
    }

    pub(super) fn start(&mut self, at: usize) {
        if self.brokers[at].process.is_some() || self.brokers[at].is_halted {
            return;
        }
        let medium = self.brokers[at].disk.medium();
        let beginning = self.beginning(at);
        let opened = store::open_on(medium, &self.options, Run::Inline, beginning).unwrap();
        self.brokers[at].opened += 1;
        if opened.repair.is_some() {
            self.count("torn round cut off");
        }
        let mark = opened.recovered.mark.clone();
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.dice.next().to_be_bytes());
        let now = self.moment();
        let name = Name::new(format!("broker-{at}").as_bytes()).unwrap();
        let machine = Sequencer::new(now, self.limits.clone(), opened.recovered, seed);
        let machine = machine.among(now, name, mark);
        let (end, stream) = link();
        let reader = opened.log.reader();
        let sync = Sync::Every(Duration::from_millis(300));
        let commits = CommitLoop::new(machine, opened.log, sync).with_stream(Box::new(end));
        let commits = commits.keeping(self.keep_bytes);
        let broker = &mut self.brokers[at];
        broker.processes += 1;
        broker.is_stopped = false;
        let number = broker.processes;
        broker.process = Some(Process {
            number,
            commits,
            stream,
            reader,
            inbox: Vec::new(),
            loads: Vec::new(),
            is_crowded: false,
        });
        self.at(self.now, Happening::Wakes(at, number));
        self.tell_up(at);
    }

    pub(super) fn wake(&mut self, at: usize, number: u64) {
        if self.brokers[at].is_stopped {
            return;
        }
        let now = self.moment();
        let Some(process) = self.running(at, number) else {
            return;
        };
        while let Ok(event) = process.stream.arrivals.try_recv() {
            process.commits.heard(now, event).unwrap();
        }
        for packet in std::mem::take(&mut process.inbox) {
            if process.commits.machine().is_open() {
                let packet = InputOf::<Vec<u8>>::Packet(packet);
                process.commits.step(now, packet.borrowed()).unwrap();
            }
        }
        process.hears_of_its_own(now);
        let was_open = process.commits.machine().is_open();
        let ready = process.commits.round(now).unwrap();
        let is_anew = was_open && !process.commits.machine().is_open();
        process.commits.rest().unwrap();
        let halt = process.commits.halt().cloned();
        process.loads = ready.loads;
        process.is_crowded = ready.is_crowded;
        if let Some(Halt::LeftBehind { .. }) = halt {
            assert!(ready.sends.is_empty(), "it delivers more");
            self.count("left behind");
            return self.lose(at);
        }
        if let Some(halt) = halt {
            let requests = process.stream.take();
            assert!(self.is_evil, "broker {at} stops: {halt:?}");
            assert!(ready.sends.is_empty(), "it delivers more");
            for request in requests {
                self.request(at, number, request);
            }
            self.brokers[at].is_halted = true;
            self.brokers[at].process = None;
            return self.count("broker stopped for good");
        }
        let is_crowded = process.is_crowded;
        let has_more = !process.loads.is_empty() || is_crowded;
        let deadline = process.commits.deadline();
        let requests = process.stream.take();
        if is_crowded {
            self.count("crowd");
        }
        if is_anew {
            self.count("broker counted as gone, and back");
        }
        self.send_out(&ready.sends);
        for request in requests {
            self.request(at, number, request);
        }
        if has_more {
            self.later(10, 2_000, Happening::Wakes(at, number));
        }
        if let Some(deadline) = deadline {
            self.at(deadline.0.max(self.now + 1), Happening::Wakes(at, number));
        }
    }

    fn send_out(&mut self, sends: &[Outgoing]) {
        for outgoing in sends {
            for to in &outgoing.to {
                for index in outgoing.range.clone() {
                    let frame = &outgoing.frames.bytes()[outgoing.frames.place(index)];
                    let (client, connection) = client_of(&to.id);
                    let frame = frame.to_vec();
                    self.at(
                        self.now + 300,
                        Happening::ToClient(client, connection, frame),
                    );
                }
            }
        }
    }

    pub(super) fn kill(&mut self, at: usize, with_power: bool) {
        let broker = &mut self.brokers[at];
        let Some(process) = broker.process.take() else {
            return;
        };
        let wanted = process.commits.machine().wanted_snapshot();
        let is_half_written = wanted.is_some_and(|(_, _, parts)| parts > 0);
        broker.disk = if with_power {
            let seed = self.dice.next();
            let leaves = [Leaves::Nothing, Leaves::Everything, Leaves::Some(seed)];
            broker.disk.after_power_cut(leaves[self.dice.index(3)])
        } else {
            broker.disk.after_kill()
        };
        self.later(1_000, 15_000_000, Happening::Starts(at));
        if is_half_written {
            self.count("broker killed while a snapshot was half written");
        }
    }
}
