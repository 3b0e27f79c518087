//! One simulated world: a seed makes it, runs it through its troubles, lets it heal, and hands
//! over what happened.

use std::time::Duration;

use orden::core::{Instruction, Transport};
use orden::store::LogReader;
use orden::wire::{Name, OrderNumber};

use crate::checker::history::{Event, Moment};
use crate::simulated_disk::Fault as DiskFault;
use crate::simulation::broker::{Arrival, Broker, arrival_of};
use crate::simulation::counters::{Counters, Sometimes};
use crate::simulation::dice::Dice;
use crate::simulation::faults::Fault;
use crate::simulation::network::Network;
use crate::simulation::peers::{Fixed, Hostile, Incident, Native, Peer, Raw};
use crate::simulation::plan::Plan;
use crate::simulation::queue::Happening;
use crate::simulation::stage::Stage;

/// Everything comes right within this time after the last trouble, or never.
const PATIENCE: Duration = Duration::from_hours(2);
/// How often that is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often somebody says something meanwhile.
const LOOKS_A_WORD: u64 = 20;
/// More than any run has: a loop without an end must not be waited for.
const HAPPENINGS_MAX: u64 = 3_000_000;

/// What is left of a world.
pub struct Remains {
    pub history: Vec<Moment>,
    pub counters: Counters,
}

struct World {
    plan: Plan,
    dice: Dice,
    stage: Stage,
    broker: Broker,
    peers: Vec<Peer>,
    has_healed: bool,
    happenings: u64,
}

/// Runs the world of a seed from its beginning to its end.
pub fn run(seed: u64) -> Remains {
    let mut world = World::new(seed);
    world.begin();
    let trouble = world.stage.now() + world.plan.trouble;
    world.run_until(trouble);
    world.heal();
    let end = world.stage.now() + PATIENCE;
    for looks in 1.. {
        if world.is_settled() || world.stage.now() >= end {
            break;
        }
        let next = world.stage.now() + LOOK_EVERY;
        world.run_until(next);
        if looks % LOOKS_A_WORD == 0 {
            for peer in 0..world.peers.len() {
                world.tell(peer, Incident::IsLookedAt);
            }
            // Who came last has perhaps been given nothing, and shows nothing.
            world.tell(0, Incident::SaysLastWord);
        }
    }
    world.end()
}

impl World {
    fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let plan = Plan::draw(&mut dice).vary(&mut Dice::new(!seed));
        let network = Network::new(dice.split(), &plan);
        let broker = Broker::new(&plan, dice.split());
        let mut peers = Vec::new();
        for _ in 0..plan.natives {
            let native = Native::new(peers.len(), &plan, dice.split());
            peers.push(Peer::Native(Box::new(native)));
        }
        for place in 0..plan.fixed + plan.anonymous {
            let named = place < plan.fixed;
            peers.push(Peer::Fixed(Fixed::new(
                peers.len(),
                named,
                &plan,
                dice.split(),
            )));
        }
        for _ in 0..plan.raw {
            peers.push(Peer::Raw(Raw::new(peers.len(), &plan, dice.split())));
        }
        for _ in 0..plan.hostile {
            peers.push(Peer::Hostile(Hostile::new(
                peers.len(),
                &plan,
                dice.split(),
            )));
        }
        Self {
            plan,
            dice,
            stage: Stage::new(network),
            broker,
            peers,
            has_healed: false,
            happenings: 0,
        }
    }

    fn begin(&mut self) {
        self.broker.start(&mut self.stage);
        for peer in 0..self.peers.len() {
            let at = self.stage.now() + self.dice.millis(0, 2_000);
            self.stage.queue.add(at, Happening::PeerStarts(peer));
        }
        for fault in Fault::ALL {
            self.go_wrong_later(fault);
        }
    }

    fn run_until(&mut self, end: orden::core::Time) {
        while let Some(happening) = self.stage.queue.next_until(end) {
            self.happenings += 1;
            assert!(
                self.happenings < HAPPENINGS_MAX,
                "this never ends: {happening:?}"
            );
            self.happen(happening);
            for who in std::mem::take(&mut self.stage.left_behind) {
                let of = |peer: &Peer| peer.honest().is_some_and(|(name, _)| name == who);
                if let Some(peer) = self.peers.iter().position(of) {
                    self.tell(peer, Incident::IsLeftBehind);
                }
            }
        }
    }

    fn happen(&mut self, happening: Happening) {
        let stage = &mut self.stage;
        match happening {
            Happening::BrokerWakes { incarnation } => self.broker.wake(incarnation, stage),
            Happening::Synced { incarnation } => self.broker.synced(incarnation, stage),
            Happening::Loaded { incarnation, from } => {
                self.broker.loaded(incarnation, from, stage);
            }
            Happening::Left { incarnation } => {
                if self.broker.incarnation() == Some(incarnation) {
                    self.broker.arrive(Arrival::Left, stage);
                }
            }
            Happening::BrokerStarts => self.broker.start(stage),
            Happening::ToBroker {
                connection,
                number,
                frame,
            } => {
                let Some(incarnation) = self.broker.incarnation() else {
                    return;
                };
                match stage.network.arrives_up(connection, number, incarnation) {
                    Some((transport, id)) => {
                        let arrival = arrival_of(transport, id, frame);
                        self.broker.arrive(arrival, stage);
                    }
                    None => stage.count(Sometimes::FrameLost),
                }
            }
            Happening::ToPeer {
                connection,
                number,
                frame,
            } => match stage.network.arrives_down(connection, number) {
                Some((peer, socket)) => self.tell(peer, Incident::Frame(socket, frame)),
                None => stage.count(Sometimes::FrameLost),
            },
            Happening::Dialed(socket) => self.dialed(socket),
            Happening::BrokerNotices(connection) => {
                let Some(incarnation) = self.broker.incarnation() else {
                    return;
                };
                let gone = stage.network.broker_notices(connection, incarnation);
                if let Some((Transport::Tcp, id)) = gone {
                    self.broker.arrive(Arrival::Disconnected { id }, stage);
                }
            }
            Happening::PeerNotices(connection) => {
                let Stage { network, queue, .. } = stage;
                if let Some((peer, socket)) = network.peer_notices(connection, queue) {
                    self.tell(peer, Incident::Down(socket));
                }
            }
            Happening::PeerWakes(peer) => self.tell(peer, Incident::Wakes),
            Happening::PeerStarts(peer) => self.tell(peer, Incident::Starts),
            Happening::Goes(fault) => self.go_wrong(fault),
            Happening::Mended(fault) => self.mend(fault),
        }
    }

    fn dialed(&mut self, socket: usize) {
        let Stage { network, queue, .. } = &mut self.stage;
        let Some(up) = network.dialed(socket, self.broker.incarnation(), queue) else {
            return;
        };
        if let Transport::Tcp = up.transport {
            let name = String::from_utf8(up.key.clone()).unwrap();
            let connected = Arrival::Connected { id: up.key, name };
            self.broker.arrive(connected, &mut self.stage);
        }
        self.tell(up.peer, Incident::Up(socket));
    }

    fn tell(&mut self, peer: usize, incident: Incident) {
        self.peers[peer].meets(incident, &mut self.stage);
    }

    fn go_wrong_later(&mut self, fault: Fault) {
        if let Some(pause) = fault.pause(&self.plan.faults, &mut self.dice) {
            let at = self.stage.now() + pause;
            self.stage.queue.add(at, Happening::Goes(fault));
        }
    }

    fn go_wrong(&mut self, fault: Fault) {
        if self.has_healed {
            return;
        }
        self.go_wrong_later(fault);
        let peer = self.dice.below(self.peers.len());
        let stage = &mut self.stage;
        match fault {
            Fault::Cut => {
                let silent = self.plan.faults.silent_per_mille;
                let (broker, client) = (self.dice.chance(silent), self.dice.chance(silent));
                let Stage { network, queue, .. } = stage;
                if let Some(connection) = network.any_connection() {
                    network.cut(connection, broker, client, queue);
                }
            }
            Fault::Kill => self.broker.kill(stage),
            Fault::ClientCrash => self.tell(peer, Incident::Crashes),
            Fault::ClientPause => self.tell(peer, Incident::Pauses),
            Fault::Goodbye => self.tell(peer, Incident::SaysGoodbye),
            Fault::DiskFull => {
                let more = self.dice.count(0, 4096);
                self.broker.limit_space(Some(more));
                self.mend_later(fault, 4_000);
            }
            Fault::DiskError => {
                let fault = self.dice.pick(&[DiskFault::Error, DiskFault::PowerCut]);
                self.broker.arm(fault, 20);
            }
            Fault::ClockSet => {
                stage.count(Sometimes::ClockSet);
                self.broker.set_wall_clock();
            }
            Fault::Kick | Fault::End => {
                let honest = self.peers[peer].honest();
                let Some((who, _)) = honest.filter(|(who, _)| !who.is_empty()) else {
                    return;
                };
                let name = Name::new(who.as_bytes()).unwrap();
                let instruction = match fault {
                    Fault::Kick => Instruction::Kick(name),
                    _ => Instruction::End(name),
                };
                self.broker.arrive(by_operator(instruction), stage);
            }
            Fault::Drain => {
                let instruction = Instruction::Drain(self.dice.millis(0, 3_000));
                self.broker.arrive(by_operator(instruction), stage);
            }
            Fault::Clog => {
                stage.network.clogged = self.dice.between(10_000, 1_000_000);
                self.mend_later(fault, 2_000);
            }
        }
    }

    fn mend_later(&mut self, fault: Fault, most_millis: u64) {
        let pause = self.dice.millis(10, most_millis);
        let at = self.stage.now() + pause;
        self.stage.queue.add(at, Happening::Mended(fault));
    }

    fn mend(&mut self, fault: Fault) {
        match fault {
            Fault::DiskFull => self.broker.limit_space(None),
            Fault::Clog => self.stage.network.clogged = 0,
            _ => {}
        }
    }

    /// From now on everything works.
    fn heal(&mut self) {
        self.has_healed = true;
        self.stage.note(Event::Healed);
        self.broker.heal(&mut self.stage);
        let Stage { network, queue, .. } = &mut self.stage;
        network.heal(queue);
        for peer in 0..self.peers.len() {
            self.tell(peer, Incident::Heals);
        }
    }

    fn is_settled(&self) -> bool {
        let Some(machine) = self.broker.machine() else {
            return false;
        };
        let end = machine.next_order().0;
        self.peers.iter().all(|peer| peer.is_settled(end))
    }

    /// The broker stops, its log is read, and who should have everything is asked.
    fn end(mut self) -> Remains {
        let now = self.stage.now();
        self.broker.judge_deadline(&self.stage.told, now);
        let in_memory = self.broker.stop(now);
        self.note_log(in_memory);
        if self.plan.memory.is_none() {
            self.broker.rot(&mut self.stage);
        }
        let honest = self.peers.iter().filter_map(Peer::honest);
        for (who, receives) in honest {
            self.stage.note(Event::Settled { who, receives });
        }
        let Stage {
            history, counters, ..
        } = self.stage;
        Remains { history, counters }
    }

    fn note_log(&mut self, in_memory: Option<Box<dyn LogReader>>) {
        let (mut reader, next) = if let Some(reader) = in_memory {
            let next = reader.extent().end;
            (reader, next)
        } else {
            let opened = self.broker.open_log();
            (opened.log.reader(), opened.recovered.next)
        };
        let oldest = reader.extent().start;
        assert!(
            oldest.0 == 0 || !self.plan.keeps_all(),
            "what is before {oldest} was removed"
        );
        let mut at = oldest;
        while at < next {
            let chunk = reader.read(at).unwrap();
            for record in chunk.records().filter(|record| record.order >= at) {
                self.stage.note(Event::of_log(&record));
            }
            at = chunk.end().max(OrderNumber(at.0 + 1));
        }
        let (oldest, next) = (oldest.0, next.0);
        self.stage.note(Event::LogEnd { oldest, next });
    }
}

/// What an operator wants, on its way to the broker.
fn by_operator(instruction: Instruction) -> Arrival {
    Arrival::Operator {
        ticket: 0,
        instruction,
    }
}
