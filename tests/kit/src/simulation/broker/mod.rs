//! The broker in a simulation: the real machine and the real log on a simulated disk, driven as
//! the sequencer thread drives them, and killed wherever it hurts.

mod arrival;
mod died;
mod door;
mod operated;
mod power_cut;
mod serving;
mod slow_log;

use std::collections::BTreeSet;

use orden::commit::Sync;
use orden::core::{Limits, LoadError, Now, Sequencer, Time};
use orden::store::{self, Error, Identity, LogReader, MemoryOptions, Options, Run};
use orden::wire::sessions::SessionEntry;
use orden::wire::{LogId, OrderNumber};

pub(crate) use self::arrival::{Arrival, arrival_of};
use self::died::Died;
use self::serving::Serving;
use crate::checker::history::Event;
use crate::simulated_disk::{Fault as DiskFault, Leaves, SimulatedDisk};
use crate::simulation::counters::Sometimes;
use crate::simulation::dice::Dice;
use crate::simulation::plan::Plan;
use crate::simulation::queue::Happening;
use crate::simulation::rot::flip_bits;
use crate::simulation::stage::Stage;

/// The log's identity, which a real broker draws at random.
const IDENTITY: Identity = Identity {
    log_id: LogId(0xC0FF_EE00),
    secret: 0x5EC2_E700,
};

/// The beginning of the simulated wall's clock, in microseconds since 1970.
const WALL: u64 = 1_700_000_000_000_000;

/// The broker's machine: a computer with a disk, on which a process runs, or not.
pub(crate) struct Broker {
    limits: Limits,
    options: Options,
    memory: Option<MemoryOptions>,
    dice: Dice,
    crash_point_per_mille: u64,
    power_per_mille: u64,
    sync_micros: (u64, u64),
    /// When its log is synced.
    sync: Sync,
    /// Whether it goes on while a sync runs.
    pipelined: bool,
    /// How often it asks for the log's next segment before that is ready.
    segment_asks: u32,
    /// Of the reads of the log, how many fail and would succeed later, out of a thousand.
    read_fails_per_mille: u64,
    read_may_fail: bool,
    disk: SimulatedDisk,
    /// Bytes that the disk takes at the moment; `None`: any number.
    space: Option<usize>,
    /// What the wall's clock is ahead.
    wall_ahead: u64,
    /// Names of members, as far as any of its processes said so.
    members: BTreeSet<String>,
    /// Whether the disk was told to go wrong.
    is_armed: bool,
    process: Option<Process>,
    /// How many processes there have been.
    incarnation: u64,
}

/// A broker's process.
pub(crate) struct Process {
    incarnation: u64,
    serving: Serving,
}

/// Opens the log on a disk.
pub(crate) fn open_log(disk: &SimulatedDisk, options: &Options) -> Result<store::Opened, Error> {
    store::open_on(disk.medium(), options, Run::Inline, IDENTITY)
}

impl Broker {
    pub(crate) fn new(plan: &Plan, dice: Dice) -> Self {
        Self {
            limits: plan.limits.clone(),
            options: plan.log.clone(),
            memory: plan.memory,
            dice,
            crash_point_per_mille: plan.faults.crash_point_per_mille,
            power_per_mille: plan.faults.power_per_mille,
            sync_micros: plan.sync_micros,
            sync: plan.sync,
            pipelined: plan.pipelined,
            segment_asks: plan.segment_asks,
            read_fails_per_mille: plan.faults.read_fails_per_mille,
            read_may_fail: plan.faults.read_fails_per_mille > 0,
            disk: SimulatedDisk::new(),
            space: None,
            wall_ahead: 0,
            members: BTreeSet::new(),
            is_armed: false,
            process: None,
            incarnation: 0,
        }
    }

    /// Which of its processes runs.
    pub(crate) fn incarnation(&self) -> Option<u64> {
        self.process.as_ref().map(|process| process.incarnation)
    }

    /// Starts a process, unless one runs.
    pub(crate) fn start(&mut self, stage: &mut Stage) {
        if self.process.is_some() {
            return;
        }
        if self.sync == Sync::Always && self.dice.chance(self.crash_point_per_mille) {
            self.arm(DiskFault::PowerCut, 8);
        }
        let run = Run::Deferred(self.segment_asks);
        let opened = match self.memory {
            Some(memory) => Ok(store::memory(IDENTITY, memory)),
            None => store::open_on(self.disk.medium(), &self.options, run, IDENTITY),
        };
        let opened = match opened {
            Ok(opened) => opened,
            Err(error) => {
                assert!(
                    self.is_armed || self.space.is_some(),
                    "the log cannot be opened: {error}"
                );
                stage.count(Sometimes::CrashInRecovery);
                return self.lose_power(stage);
            }
        };
        if opened.repair.is_some() {
            stage.count(Sometimes::TornTailRepaired);
        }
        for who in std::mem::take(&mut self.members) {
            let known = |entry: SessionEntry| entry.name.as_bytes() == who.as_bytes();
            if !opened.recovered.sessions().any(known) {
                stage.end_session(who);
            }
        }
        let seed = std::array::from_fn(|_| self.dice.number().to_le_bytes()[0]);
        let now = self.now(stage.now());
        let machine = Sequencer::new(now, self.limits.clone(), opened.recovered, seed);
        self.incarnation += 1;
        stage.note(Event::BrokerStart {
            epoch: machine.epoch().0,
            next: machine.next_order().0,
        });
        let serving = Serving::new(machine, opened.log, self);
        self.process = Some(Process {
            incarnation: self.incarnation,
            serving,
        });
        self.live(stage, |broker, serving, stage| serving.begin(broker, stage));
    }

    /// Something arrives.
    pub(crate) fn arrive(&mut self, arrival: Arrival, stage: &mut Stage) {
        if let Some(process) = &mut self.process {
            process.serving.inbox.push_back(arrival);
            let incarnation = process.incarnation;
            let now = stage.now();
            stage.queue.add(now, Happening::BrokerWakes { incarnation });
        }
    }

    /// The sequencer looks at what has arrived, and at the time.
    pub(crate) fn wake(&mut self, incarnation: u64, stage: &mut Stage) {
        if self.incarnation() == Some(incarnation) {
            self.live(stage, |broker, serving, stage| serving.wake(broker, stage));
        }
    }

    /// A sync ends.
    pub(crate) fn synced(&mut self, incarnation: u64, stage: &mut Stage) {
        if self.incarnation() == Some(incarnation) {
            self.live(stage, |broker, serving, stage| {
                serving.synced(broker, stage)
            });
        }
    }

    /// The loader has read.
    pub(crate) fn loaded(&mut self, incarnation: u64, from: OrderNumber, stage: &mut Stage) {
        if self.incarnation() != Some(incarnation) {
            return;
        }
        let process = self.process.as_mut().expect("it runs");
        let result = match process.serving.read(from) {
            Ok(_) if self.dice.chance(self.read_fails_per_mille) => {
                stage.count(Sometimes::ReadFailed);
                Err(LoadError::Unreadable("too many open files".into()))
            }
            Ok(chunk) => Ok(chunk),
            Err(Error::Trimmed(oldest)) => Err(LoadError::Trimmed(oldest)),
            // The power is off, and nobody has noticed.
            Err(_) if self.is_armed => return self.lose_power(stage),
            Err(error) => panic!("{from} cannot be read: {error}"),
        };
        self.arrive(Arrival::Loaded { from, result }, stage);
    }

    /// The process is killed, or the power is cut.
    pub(crate) fn kill(&mut self, stage: &mut Stage) {
        if self.process.is_none() {
            return;
        }
        if self.dice.chance(self.power_per_mille) {
            self.lose_power(stage);
        } else {
            stage.count(Sometimes::BrokerKilled);
            self.disk = self.disk.after_kill();
            self.end(false, stage);
        }
    }

    /// Nothing goes wrong any more.
    pub(crate) fn heal(&mut self, stage: &mut Stage) {
        self.crash_point_per_mille = 0;
        self.read_fails_per_mille = 0;
        if let Some(process) = &self.process {
            process.serving.heal();
        }
        self.limit_space(None);
        if self.is_armed {
            // What has gone wrong may show later only, where it would seem to be a mistake.
            self.disk.disarm();
            self.lose_power(stage);
        }
        self.start(stage);
    }

    /// The broker ends in good order. A log in memory is handed over.
    pub(crate) fn stop(&mut self, time: Time) -> Option<Box<dyn LogReader>> {
        let now = self.now(time);
        let process = self.process.take()?;
        let reader = process.serving.stop(now);
        self.memory.map(|_| reader)
    }

    /// The disk goes wrong soon.
    pub(crate) fn arm(&mut self, fault: DiskFault, within: u64) {
        let at = self.disk.operations() + self.dice.between(1, within);
        self.disk.fail_at(at, fault);
        self.is_armed = true;
    }

    /// The disk has no room beyond what it holds and so many bytes; `None`: it has room again.
    pub(crate) fn limit_space(&mut self, more: Option<usize>) {
        let used = self
            .disk
            .files()
            .values()
            .map(|file| file.len())
            .sum::<usize>();
        self.space = more.map(|more| used + more);
        self.disk.limit_space(self.space);
    }

    /// The wall's clock is set.
    pub(crate) fn set_wall_clock(&mut self) {
        self.wall_ahead = self
            .dice
            .pick(&[0, 3_600_000_000, u64::MAX - 2 * WALL, u64::MAX - WALL]);
    }

    /// The log, as it lies on the disk.
    pub(crate) fn open_log(&self) -> store::Opened {
        open_log(&self.disk, &self.options).unwrap()
    }

    /// After the end: its disk is not what it was any more.
    pub(crate) fn rot(&mut self, stage: &mut Stage) {
        flip_bits(
            &self.disk,
            &self.options,
            &mut self.dice,
            &mut stage.counters,
        );
    }

    /// The machine, if a process runs.
    pub(crate) fn machine(&self) -> Option<&Sequencer> {
        self.process
            .as_ref()
            .map(|process| process.serving.machine())
    }

    fn now(&self, time: Time) -> Now {
        Now {
            time,
            wall: WALL.wrapping_add(time.0).wrapping_add(self.wall_ahead),
        }
    }

    /// Lets the process do something, and buries it if it dies of that.
    fn live(
        &mut self,
        stage: &mut Stage,
        act: impl FnOnce(&mut Self, &mut Serving, &mut Stage) -> Result<(), Died>,
    ) {
        let Some(mut process) = self.process.take() else {
            return;
        };
        let result = act(self, &mut process.serving, stage);
        if let Err(Died::Drained) = result {
            return self.end_in_order(process, stage);
        }
        self.process = Some(process);
        match result {
            Err(Died::Drained) => unreachable!("it has ended"),
            Ok(()) => {}
            Err(Died::Killed(place)) => {
                stage.count(place);
                self.kill(stage);
            }
            Err(Died::Log(error)) => {
                assert!(self.is_armed, "the log has failed: {error}");
                stage.count(Sometimes::DiskErrorStoppedBroker);
                self.lose_power(stage);
            }
        }
    }

    /// It has ended itself, if its disk lets it.
    fn end_in_order(&mut self, process: Process, stage: &mut Stage) {
        let now = self.now(stage.now());
        match process.serving.try_stop(now) {
            Ok(()) if !self.is_armed => self.end(false, stage),
            _ if self.is_armed => self.lose_power(stage),
            died => panic!("the log cannot be closed: {died:?}"),
        }
    }

    /// Whether the process is killed here.
    fn crash_point(&mut self, place: Sometimes) -> Result<(), Died> {
        if self.dice.chance(self.crash_point_per_mille) {
            return Err(Died::Killed(place));
        }
        Ok(())
    }

    fn lose_power(&mut self, stage: &mut Stage) {
        stage.count(Sometimes::PowerCut);
        let seed = self.dice.number();
        let leaves = self
            .dice
            .pick(&[Leaves::Nothing, Leaves::Everything, Leaves::Some(seed)]);
        self.disk = self.disk.after_power_cut(leaves);
        self.end(true, stage);
    }

    fn end(&mut self, silent: bool, stage: &mut Stage) {
        self.process = None;
        self.is_armed = false;
        self.disk.limit_space(self.space);
        stage.note(Event::BrokerCrash);
        let Stage { network, queue, .. } = stage;
        network.broker_gone(silent, queue);
        let pause = self.dice.millis(1, 2_000);
        queue.add(queue.now() + pause, Happening::BrokerStarts);
    }
}
