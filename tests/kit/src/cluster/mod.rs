//! Three NATS servers, three brokers and their members; faults, and the judgement at the end.

mod apart;
mod reseed;

use std::collections::BTreeMap;
use std::thread::spawn;

use rustix::process::Signal;
use serde_json::Value;

use crate::checker::check;
use crate::checker::history::{Event, Form, Message};
use crate::checker::outcome::Outcome;
use crate::clock::{now_us, since_ms};
use crate::crew::Crew;
use crate::dealer::Heard;
use crate::network::Network;
use crate::plain::Plain;
use crate::poll;
use crate::programs::broker::{Broker, Stopped, command, run};
use crate::programs::nats::NatsServers;
use crate::random::Random;
use crate::whole_log;

/// How many messages a peer of plain TCP listens to.
const HEARD_PLAINLY: usize = 20;

pub const NAMES: [&str; 3] = ["a", "b", "c"];

/// A broker, or what is there while it does not run.
pub enum Seat {
    Serves(Broker),
    Down(Stopped),
}

pub struct Stage {
    pub random: Random,
    pub seed: u64,
    // What connects ends before what it connects to.
    pub crew: Crew,
    pub brokers: Vec<Option<Seat>>,
    pub servers: NatsServers,
    /// What lies between them, if they are machines of their own.
    network: Option<Network>,
    table: BTreeMap<&'static str, Vec<Cost>>,
}

/// What a fault has cost.
#[derive(Clone, Copy)]
struct Cost {
    at_stake: u64,
    recovery_ms: u64,
    silence_ms: u64,
}

/// What every command is told of the servers.
pub fn place(servers: &NatsServers) -> Vec<String> {
    let monitors = servers.monitors().join(",");
    let urls = servers.urls().join(",");
    [
        "--cluster",
        &urls,
        "--stream-monitor",
        &monitors,
        "--insecure",
    ]
    .map(str::to_owned)
    .to_vec()
}

pub fn start(servers: &NatsServers, name: &str) -> Broker {
    let place = place(servers);
    let mut flags: Vec<&str> = place.iter().map(String::as_str).collect();
    flags.extend(["--broker-name", name, "--tcp-address", "127.0.0.1:0"]);
    flags.extend(["--max-message-bytes", "70000"]);
    Broker::start(&flags)
}

pub fn create(servers: &NatsServers) {
    let create = ["stream", "create", "--max-message-bytes", "70000"];
    let end = run(command().args(create).args(place(servers)));
    assert!(end.success(), "{}", end.complaint);
}

impl Stage {
    /// Everything serves, and everybody has joined.
    pub fn set() -> Self {
        Self::set_with("max_payload: 8MB")
    }

    /// The same with these lines in the servers' files.
    pub fn set_with(lines: &str) -> Self {
        let servers = NatsServers::with(3, lines);
        create(&servers);
        let brokers = NAMES.iter().map(|name| start(&servers, name)).collect();
        Self::begin(servers, brokers, None)
    }

    fn begin(servers: NatsServers, brokers: Vec<Broker>, network: Option<Network>) -> Self {
        let (seed, mut random) = Random::from_environment();
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
            network,
            table: BTreeMap::new(),
        };
        stage.crew.turn_until_well(0);
        stage
    }

    /// A broker that serves.
    pub fn broker(&self, at: usize) -> &Broker {
        match &self.brokers[at] {
            Some(Seat::Serves(broker)) => broker,
            _ => panic!("{} does not serve", NAMES[at]),
        }
    }

    pub fn kill_broker(&mut self, at: usize) {
        let Some(Seat::Serves(broker)) = self.brokers[at].take() else {
            panic!("{} does not serve", NAMES[at]);
        };
        self.brokers[at] = Some(Seat::Down(broker.kill()));
    }

    pub fn thaw_broker(&self, at: usize) {
        self.broker(at).program().signal(Signal::CONT);
    }

    pub fn stop_broker(&mut self, at: usize) {
        let Some(Seat::Serves(broker)) = self.brokers[at].take() else {
            panic!("{} does not serve", NAMES[at]);
        };
        self.brokers[at] = Some(Seat::Down(broker.finish()));
    }

    pub fn start_broker(&mut self, at: usize) {
        self.brokers[at] = match self.brokers[at].take() {
            Some(Seat::Down(stopped)) => Some(Seat::Serves(stopped.start())),
            seat => seat,
        };
    }

    /// Lets a fault happen while everybody speaks, and waits until each publisher has had
    /// something confirmed that it said afterwards, and each member was given something later;
    /// notes and returns how many milliseconds that took.
    pub fn fault(&mut self, what: &'static str, inject: impl FnOnce(&mut Self)) -> u64 {
        let some = self.random.below(300);
        self.crew.turn_until_confirmed(some);
        let at_stake = self.crew.in_flight();
        let before = self.crew.furthest();
        self.crew.history.note(Event::Fault {
            what: what.to_owned(),
        });
        self.crew.watch_silence();
        inject(self);
        let since = now_us();
        self.crew.turn_until_well(before);
        let recovery_ms = since_ms(since);
        let silence_ms = self.crew.silence_ms();
        println!(
            "{what}: {at_stake} at stake, well after {recovery_ms} ms, silence of {silence_ms} ms"
        );
        self.note(what, at_stake, recovery_ms);
        recovery_ms
    }

    /// Asks a NATS server for what must work.
    pub fn ask(&self, subject: &str, body: &str) -> Value {
        let answer = poll(|| self.servers.ask(subject, body), "an answer of JetStream");
        assert!(answer["error"].is_null(), "{subject}: {answer}");
        answer
    }

    /// Changes a field of the stream's configuration; returns what it was.
    pub fn configure(&self, field: &str, value: Value) -> Value {
        let mut config = self.ask("$JS.API.STREAM.INFO.orden_orden", "")["config"].clone();
        let before = std::mem::replace(&mut config[field], value);
        self.ask("$JS.API.STREAM.UPDATE.orden_orden", &config.to_string());
        before
    }

    /// `kill -9` of a broker; returns after how many milliseconds its native members, which know
    /// others, were served again.
    pub fn kill_and_measure(&mut self, at: usize) -> u64 {
        let some = self.random.below(300);
        self.crew.turn_until_confirmed(some);
        let (at_stake, before) = (self.crew.in_flight(), self.crew.furthest());
        self.crew.watch_silence();
        self.kill_broker(at);
        let since = now_us();
        self.crew.turn_until_natives_are_well(before);
        let recovery_ms = since_ms(since);
        println!(
            "kill -9 of {}: served again after {recovery_ms} ms",
            NAMES[at]
        );
        self.note(
            "kill -9 of a broker, members go elsewhere",
            at_stake,
            recovery_ms,
        );
        recovery_ms
    }

    /// As `fault`, of something that takes its time: everybody goes on speaking meanwhile.
    pub fn fault_for(
        &mut self,
        what: &'static str,
        milliseconds: u64,
        inject: impl FnOnce(&mut Self),
        mend: impl FnOnce(&mut Self),
    ) -> u64 {
        self.fault(what, |stage| {
            inject(stage);
            stage.crew.speak_for(milliseconds * 1_000);
            mend(stage);
        })
    }

    /// Notes what a fault has cost.
    pub fn note(&mut self, what: &'static str, at_stake: u64, recovery_ms: u64) {
        let costs = self.table.entry(what).or_default();
        costs.push(Cost {
            at_stake,
            recovery_ms,
            silence_ms: self.crew.silence_ms(),
        });
    }

    /// A peer of plain TCP, which is its connection and no more, sees what the others see.
    pub fn hear_plainly(&mut self, at: usize) {
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
    pub fn finish(mut self) {
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

    /// What must not be gone on with: every broker has to end with 2 and words, and nobody may
    /// have been given a second history by then.
    pub fn finish_in_halt(mut self, what: &'static str, inject: impl FnOnce(&mut Self)) -> Self {
        self.crew.turn_until_confirmed(100);
        let at_stake = self.crew.in_flight();
        self.crew.history.note(Event::Fault {
            what: what.to_owned(),
        });
        inject(&mut self);
        let since = now_us();
        let has_ended = |seat: &mut Option<Seat>| match seat {
            Some(Seat::Serves(broker)) => !broker.is_alive(),
            _ => true,
        };
        while !self.brokers.iter_mut().all(has_ended) {
            assert!(
                since_ms(since) < 60_000,
                "seed {}: {what}: a broker goes on",
                self.seed
            );
            self.crew.turn_for(10_000);
        }
        println!(
            "{what}: {at_stake} at stake, all have stopped after {} ms",
            since_ms(since)
        );
        for (name, seat) in NAMES.iter().zip(&mut self.brokers) {
            if let Some(Seat::Serves(broker)) = seat.take() {
                let (end, stopped) = broker.end();
                let last = end.complaint.lines().last().unwrap_or_default();
                println!("  {name} says: {last}");
                assert_eq!(end.code(), Some(2), "{what}: {name}: {}", end.complaint);
                *seat = Some(Seat::Down(stopped));
            }
        }
        if let Err(violation) = check(self.crew.history.moments()) {
            panic!("seed {}: {what}: {violation}", self.seed);
        }
        self
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
            let silence = costs.iter().map(|cost| cost.silence_ms).max().unwrap_or(0);
            let at_stake: u64 = costs.iter().map(|cost| cost.at_stake).sum();
            println!(
                "| {what} | {times} | {at_stake} | {lost} | {twice} | {reordered} \
                 | {median} / {most} ms | {silence} ms |"
            );
        }
    }
}
