//! Three NATS servers, three brokers and their members; faults, and the judgement at the end.

use std::collections::BTreeMap;
use std::thread::spawn;

use orden_kit::checker::check;
use orden_kit::checker::history::{Event, Form, Message};
use orden_kit::checker::outcome::Outcome;
use orden_kit::clock::{now_us, since_ms};
use orden_kit::crew::Crew;
use orden_kit::dealer::Heard;
use orden_kit::plain::Plain;
use orden_kit::programs::broker::{Broker, Stopped, command, run};
use orden_kit::programs::nats::NatsServers;
use orden_kit::random::Random;
use orden_kit::whole_log;

/// How many messages a peer of plain TCP listens to.
const HEARD_PLAINLY: usize = 20;

pub(crate) const NAMES: [&str; 3] = ["a", "b", "c"];

/// A broker, or what is there while it does not run.
pub(crate) enum Seat {
    Serves(Broker),
    Down(Stopped),
}

pub(crate) struct Stage {
    pub(crate) random: Random,
    pub(crate) seed: u64,
    // What connects ends before what it connects to.
    pub(crate) crew: Crew,
    pub(crate) brokers: Vec<Option<Seat>>,
    pub(crate) servers: NatsServers,
    table: BTreeMap<&'static str, Vec<Cost>>,
}

/// What a fault has cost.
#[derive(Clone, Copy)]
struct Cost {
    at_stake: u64,
    recovery_ms: u64,
}

/// What every command is told of the servers.
pub(crate) fn place(servers: &NatsServers) -> Vec<String> {
    let monitors = servers.monitors().join(",");
    let urls = servers.urls().join(",");
    ["--cluster", &urls, "--stream-monitor", &monitors]
        .map(str::to_owned)
        .to_vec()
}

pub(crate) fn start(servers: &NatsServers, name: &str) -> Broker {
    let place = place(servers);
    let mut flags: Vec<&str> = place.iter().map(String::as_str).collect();
    flags.extend(["--broker-name", name, "--tcp-address", "127.0.0.1:0"]);
    flags.extend(["--max-message-bytes", "70000"]);
    Broker::start(&flags)
}

pub(crate) fn create(servers: &NatsServers) {
    let create = ["stream", "create", "--max-message-bytes", "70000"];
    let end = run(command().args(create).args(place(servers)));
    assert!(end.success(), "{}", end.complaint);
}

impl Stage {
    /// Everything serves, and everybody has joined.
    pub(crate) fn set() -> Self {
        let (seed, mut random) = Random::from_environment();
        let servers = NatsServers::start(3);
        create(&servers);
        let brokers: Vec<_> = NAMES.iter().map(|name| start(&servers, name)).collect();
        let endpoints: Vec<_> = brokers.iter().map(Broker::endpoint).collect();
        let mut crew = Crew::join(&endpoints, random.next());
        crew.join_script("package", "package", &endpoints);
        crew.join_script("pyzmq", "pyzmq", &endpoints);
        crew.turn_until_joined(&brokers[0]);
        let mut stage = Self {
            random,
            seed,
            crew,
            brokers: brokers
                .into_iter()
                .map(|broker| Some(Seat::Serves(broker)))
                .collect(),
            servers,
            table: BTreeMap::new(),
        };
        stage.crew.turn_until_well(0);
        stage
    }

    /// A broker that serves.
    pub(crate) fn broker(&self, at: usize) -> &Broker {
        match &self.brokers[at] {
            Some(Seat::Serves(broker)) => broker,
            _ => panic!("{} does not serve", NAMES[at]),
        }
    }

    pub(crate) fn kill_broker(&mut self, at: usize) {
        let Some(Seat::Serves(broker)) = self.brokers[at].take() else {
            panic!("{} does not serve", NAMES[at]);
        };
        self.brokers[at] = Some(Seat::Down(broker.kill()));
    }

    pub(crate) fn stop_broker(&mut self, at: usize) {
        let Some(Seat::Serves(broker)) = self.brokers[at].take() else {
            panic!("{} does not serve", NAMES[at]);
        };
        self.brokers[at] = Some(Seat::Down(broker.finish()));
    }

    pub(crate) fn start_broker(&mut self, at: usize) {
        self.brokers[at] = match self.brokers[at].take() {
            Some(Seat::Down(stopped)) => Some(Seat::Serves(stopped.start())),
            seat => seat,
        };
    }

    /// Lets a fault happen while everybody speaks, and waits until each publisher has had
    /// something confirmed that it said afterwards, and each member was given something later;
    /// notes and returns how many milliseconds that took.
    pub(crate) fn fault(&mut self, what: &'static str, inject: impl FnOnce(&mut Self)) -> u64 {
        let some = self.random.below(300);
        self.crew.turn_until_confirmed(some);
        let at_stake = self.crew.in_flight();
        let before = self.crew.furthest();
        self.crew.history.note(Event::Fault {
            what: what.to_owned(),
        });
        inject(self);
        let since = now_us();
        self.crew.turn_until_well(before);
        let recovery_ms = since_ms(since);
        println!("{what}: {at_stake} at stake, well after {recovery_ms} ms");
        self.note(what, at_stake, recovery_ms);
        recovery_ms
    }

    /// `kill -9` of a broker; returns after how many milliseconds its native members, which know
    /// others, were served again.
    pub(crate) fn kill_and_measure(&mut self, at: usize) -> u64 {
        let some = self.random.below(300);
        self.crew.turn_until_confirmed(some);
        let (at_stake, before) = (self.crew.in_flight(), self.crew.furthest());
        self.kill_broker(at);
        let since = now_us();
        self.crew.turn_until_natives_are_well(before);
        let recovery_ms = since_ms(since);
        self.note(
            "kill -9 of a broker, members go elsewhere",
            at_stake,
            recovery_ms,
        );
        recovery_ms
    }

    /// Notes what a fault has cost.
    pub(crate) fn note(&mut self, what: &'static str, at_stake: u64, recovery_ms: u64) {
        let costs = self.table.entry(what).or_default();
        costs.push(Cost {
            at_stake,
            recovery_ms,
        });
    }

    /// A peer of plain TCP, which is its connection and no more, sees what the others see.
    pub(crate) fn hear_plainly(&mut self, at: usize) {
        let mut plain = Plain::connect(self.broker(at).tcp_address());
        let heard = spawn(move || {
            let mut heard: Vec<Heard> = Vec::new();
            while heard.len() < HEARD_PLAINLY {
                heard.push(plain.next(heard.last().map(|before| before.order)));
            }
            heard
        });
        while !heard.is_finished() {
            self.crew.turn_until_confirmed(1);
        }
        let who = format!("*plain TCP at {}, {}", NAMES[at], now_us());
        for heard in heard.join().expect("plain TCP is served") {
            self.crew.history.note(Event::Deliver {
                who: who.clone(),
                message: Message::of_text(heard.order, &heard.payload, Form::Cut),
            });
        }
    }

    /// Lets everybody finish, stops everything, and judges all deliveries of all brokers in one
    /// history, and the journals byte by byte.
    pub(crate) fn finish(mut self) {
        for at in 0..NAMES.len() {
            self.start_broker(at);
        }
        self.crew.history.note(Event::Healed);
        let Some(Seat::Serves(broker)) = self.brokers[0].take() else {
            panic!("it was just started");
        };
        self.crew.turn_until_done(&broker);
        self.brokers[0] = Some(Seat::Serves(broker));
        let next = self.crew.furthest();
        for (at, name) in NAMES.iter().enumerate() {
            let what = format!("the end of the order at {name}");
            self.broker(at)
                .await_status(&what, |status| status.next >= next);
        }
        // Those that stop last have what the departures of the others were ordered as.
        for at in 0..NAMES.len() {
            self.stop_broker(at);
        }
        self.judge();
    }

    fn judge(&mut self) {
        let seed = self.seed;
        let journals = self.brokers.iter().map(|seat| match seat {
            Some(Seat::Down(stopped)) => whole_log::journal_bytes(stopped.data()),
            _ => panic!("all were stopped"),
        });
        let journals: Vec<_> = journals.collect();
        let most = journals
            .iter()
            .map(|(bytes, ..)| bytes.len())
            .max()
            .unwrap();
        for (name, (bytes, oldest, next)) in NAMES.iter().zip(&journals) {
            println!(
                "journal of {name}: {oldest} to {next}, {} bytes",
                bytes.len()
            );
            let longest = journals
                .iter()
                .find(|(bytes, ..)| bytes.len() == most)
                .unwrap();
            assert!(
                longest.0.starts_with(bytes),
                "seed {seed}: {name} has another history"
            );
        }
        let Some(Some(Seat::Down(last))) = self.brokers.last() else {
            panic!("all were stopped");
        };
        for event in whole_log::events_of_journal(last.data()) {
            self.crew.history.note(event);
        }
        self.crew.settle();
        let outcome = Outcome::of(self.crew.history.events());
        self.print(&outcome);
        if let Err(violation) = check(self.crew.history.moments()) {
            panic!("seed {seed}: {violation}");
        }
        let bad = (outcome.lost, outcome.duplicated, outcome.reordered);
        assert_eq!(bad, (0, 0, 0), "seed {seed}");
    }

    /// As lines of docs/reliability.md.
    fn print(&mut self, outcome: &Outcome) {
        println!(
            "{} messages, {} confirmed; {} deliveries",
            outcome.messages, outcome.confirmed, outcome.deliveries
        );
        let (lost, twice, reordered) = (outcome.lost, outcome.duplicated, outcome.reordered);
        for (what, costs) in &mut self.table {
            costs.sort_unstable_by_key(|cost| cost.recovery_ms);
            let (times, median) = (costs.len(), costs[costs.len() / 2].recovery_ms);
            let most = costs[times - 1].recovery_ms;
            let at_stake: u64 = costs.iter().map(|cost| cost.at_stake).sum();
            println!(
                "| {what} | {times} | {at_stake} | {lost} | {twice} | {reordered} | {median} / \
                 {most} ms |"
            );
        }
    }
}
