//! Four publishers and four subscribers, of which one speaks binary and one JSON, in one thread:
//! so the history has everything in the order in which it was said and seen.

mod fixed;
mod scripted;

use std::mem::take;
use std::time::Duration;

use orden::client::{Clock, Connection, Context, connection};
use orden::core::participant::{Event as Told, Limits, Settings};
use orden::net::Address;
use orden::wire::reply::Code;
use orden::wire::sessions::SequenceRun;
use orden::wire::{Dialect, Name};

use self::fixed::Fixed;
use self::scripted::Scripted;
use crate::checker::history::{Digest, Event, History, Message};
use crate::clock::now_us;
use crate::poll;
use crate::programs::broker::Broker;
use crate::random::Random;

/// What is confirmed before a kill, at most.
pub const MOST_A_ROUND: u64 = 1_000;
/// What a publisher says while the others come back.
const MEANWHILE: u64 = 50;
/// What a publisher has unconfirmed at a time.
const IN_FLIGHT: u64 = 64;
const ROUND: Duration = Duration::from_millis(2);

/// Everybody, and what they have seen.
pub struct Crew {
    clock: Clock,
    natives: Vec<Native>,
    fixed: Vec<Fixed>,
    scripted: Vec<Scripted>,
    silence: Silence,
    random: Random,
    pub history: History,
}

/// How long nothing was confirmed, at most, in microseconds.
#[derive(Default)]
struct Silence {
    confirmed: u64,
    since: u64,
    longest: u64,
}

/// A native member: it publishes, or it receives.
struct Native {
    name: String,
    connection: Connection,
    publishes: bool,
    welcomed: bool,
    sent: u64,
    confirmed: u64,
    /// It says nothing beyond this.
    most: u64,
    /// The next number that it waits for.
    next: u64,
}

impl Crew {
    /// Native members that know these brokers, each another one first, and fixed ones that know
    /// one each.
    pub fn join(endpoints: &[&str], seed: u64) -> Self {
        let context = Context::new();
        let addresses = endpoints
            .iter()
            .map(|one| one.parse().expect("an endpoint"));
        let mut addresses: Vec<Address> = addresses.collect();
        let mut history = History::default();
        let mut native = |name: String, publishes: bool| {
            let mut settings = Settings::new(Name::new(name.as_bytes()).expect("a name"));
            settings.receive = !publishes;
            addresses.rotate_left(1);
            let connection =
                Connection::open_with(&context, &addresses, None, settings, impatient());
            history.note(begins(&name));
            Native {
                name,
                connection: connection.expect("a socket"),
                publishes,
                welcomed: false,
                sent: 0,
                confirmed: 0,
                most: 0,
                next: 0,
            }
        };
        let publishers: Vec<_> = (0..4)
            .map(|index| native(format!("p{index}"), true))
            .collect();
        let subscribers = (0..2).map(|index| native(format!("s{index}"), false));
        let natives = publishers.into_iter().chain(subscribers).collect();
        let fixed = [("binary", Dialect::Binary), ("json", Dialect::Json)];
        let at = endpoints.iter().cycle();
        let fixed = fixed
            .into_iter()
            .zip(at)
            .map(|((name, dialect), endpoint)| {
                history.note(begins(name));
                Fixed::join(endpoint, name, dialect)
            });
        let fixed = fixed.collect();
        Self {
            clock: Clock::start(),
            natives,
            fixed,
            scripted: Vec::new(),
            silence: Silence::default(),
            random: Random::new(seed),
            history,
        }
    }

    fn turn(&mut self) {
        let connections = self.natives.iter().map(|native| &native.connection);
        connection::wait(connections, &[], Some(ROUND)).expect("the sockets work");
        for native in &mut self.natives {
            native.turn(&self.clock, &mut self.random, &mut self.history);
        }
        for fixed in &mut self.fixed {
            fixed.turn(&mut self.history);
        }
        for scripted in &mut self.scripted {
            scripted.turn(&mut self.history);
        }
        let (now, confirmed) = (now_us(), self.confirmed());
        self.silence.longest = self.silence.longest.max(now - self.silence.since);
        if confirmed > self.silence.confirmed {
            (self.silence.confirmed, self.silence.since) = (confirmed, now);
        }
    }

    /// A program of tests/peers joins, in Python, by the package or by the client of
    /// docs/protocol.md.
    pub fn join_script(&mut self, client: &str, name: &'static str, endpoints: &[&str]) {
        self.history.note(begins(name));
        self.scripted.push(Scripted::start(client, name, endpoints));
    }

    /// Says nothing yet, and waits until everybody is a member: whoever comes later begins with
    /// what is said then, and waits for it.
    pub fn turn_until_joined(&mut self, broker: &Broker) {
        let everybody = self.natives.len() + self.fixed.len() + self.scripted.len();
        let is_joined = |crew: &mut Self| {
            crew.turn();
            (broker.status().members.len() >= everybody).then_some(())
        };
        poll(|| is_joined(self), "everybody's join");
    }

    /// The number after the last that any native member was given.
    pub fn furthest(&self) -> u64 {
        let next = self.natives.iter().map(|native| native.next);
        next.max().unwrap_or(0)
    }

    /// Publishes until each native member is served at a broker that serves, as
    /// [`turn_until_well`](Self::turn_until_well) but for those who cannot go elsewhere.
    pub fn turn_until_natives_are_well(&mut self, next: u64) {
        let (fixed, scripted) = (take(&mut self.fixed), take(&mut self.scripted));
        self.turn_until_well(next);
        (self.fixed, self.scripted) = (fixed, scripted);
    }

    fn confirmed(&self) -> u64 {
        self.natives.iter().map(|native| native.confirmed).sum()
    }

    fn let_publish(&mut self, more: u64) {
        for native in &mut self.natives {
            native.most = native.sent + more;
        }
    }

    /// Publishes until so many more messages are confirmed; there are others on their way then.
    pub fn turn_until_confirmed(&mut self, more: u64) {
        let enough = self.confirmed() + more;
        self.let_publish(MOST_A_ROUND);
        let is_enough = |crew: &mut Self| {
            crew.turn();
            (crew.confirmed() >= enough).then_some(())
        };
        poll(|| is_enough(self), "a confirmation");
    }

    /// From now on it is watched how long nothing is confirmed.
    pub fn watch_silence(&mut self) {
        let (confirmed, since) = (self.confirmed(), now_us());
        self.silence = Silence {
            confirmed,
            since,
            longest: 0,
        };
    }

    /// For how many milliseconds nothing was confirmed at most.
    pub fn silence_ms(&self) -> u64 {
        self.silence.longest / 1_000
    }

    /// Everybody speaks, a little at a time, for so many microseconds.
    pub fn speak_for(&mut self, us: u64) {
        let over = now_us() + us;
        while now_us() < over {
            self.let_publish(2);
            self.turn_for(10_000.min(us));
        }
    }

    /// Goes on for so many microseconds.
    pub fn turn_for(&mut self, us: u64) {
        let over = now_us() + us;
        while now_us() < over {
            self.turn();
        }
    }

    /// How many messages are said and not confirmed.
    pub fn in_flight(&self) -> u64 {
        let sent: u64 = self.natives.iter().map(|native| native.sent).sum();
        sent - self.confirmed()
    }

    /// Publishes until each publisher has had something confirmed that it has said from now on,
    /// and each subscriber was given something that was ordered from `next` on; says when that
    /// was so of the native ones.
    pub fn turn_until_well(&mut self, next: u64) -> u64 {
        self.let_publish(MEANWHILE);
        let sent: Vec<_> = self.natives.iter().map(|native| native.sent).collect();
        let is_well = |(native, sent): (&Native, &u64)| {
            if native.publishes {
                native.confirmed > *sent
            } else {
                native.next > next
            }
        };
        let mut natives_well_at = None;
        let mut all_well_at = || {
            self.turn();
            if natives_well_at.is_none() && self.natives.iter().zip(&sent).all(is_well) {
                natives_well_at = Some(now_us());
            }
            let fixed = self.fixed.iter().all(|fixed| fixed.next() > next);
            let scripted = self.scripted.iter().all(|one| one.next() > next);
            natives_well_at.filter(|_| fixed && scripted)
        };
        poll(&mut all_well_at, "everybody's recovery")
    }

    /// Says nothing more, and waits until everything is confirmed and seen.
    pub fn turn_until_done(&mut self, broker: &Broker) {
        self.let_publish(0);
        for scripted in &mut self.scripted {
            scripted.set_quiet();
        }
        let is_confirmed = |crew: &mut Self| {
            crew.turn();
            let mut natives = crew.natives.iter();
            let natives = natives.all(|native| native.confirmed == native.sent);
            let scripted = crew.scripted.iter().all(Scripted::is_done);
            (natives && scripted).then_some(())
        };
        poll(|| is_confirmed(self), "the last confirmation");
        let next = broker.status().next;
        let is_seen = |crew: &mut Self| {
            crew.turn();
            let mut natives = crew.natives.iter();
            let natives = natives.all(|native| native.publishes || native.next == next);
            let fixed = crew.fixed.iter().all(|fixed| fixed.next() == next);
            let scripted = crew.scripted.iter().all(|one| one.next() == next);
            (natives && fixed && scripted).then_some(())
        };
        poll(|| is_seen(self), "the last delivery");
    }

    /// Notes that everybody is there to the end.
    pub fn settle(&mut self) {
        let natives = self.natives.iter();
        let natives = natives.map(|native| (native.name.clone(), !native.publishes));
        let fixed = self.fixed.iter().map(|fixed| (fixed.name.to_owned(), true));
        let scripted = self.scripted.iter().map(|one| (one.name.to_owned(), true));
        for (who, receives) in natives.chain(fixed).chain(scripted) {
            self.history.note(Event::Settled { who, receives });
        }
    }
}

impl Native {
    fn turn(&mut self, clock: &Clock, random: &mut Random, history: &mut History) {
        let now = clock.now();
        while self.may_publish() {
            self.publish(random, history);
        }
        self.connection.pump(now).expect("the sockets work");
        self.take_events(history);
        while let Some(deliveries) = self.connection.next_deliveries(now).expect("they work") {
            // The first deliveries may come in the same breath as the welcome.
            self.take_events(history);
            for record in deliveries.records() {
                let message = Message::of_record(&record.expect("the broker sends no nonsense"));
                self.next = message.order + 1;
                let who = self.name.clone();
                history.note(Event::Deliver { who, message });
            }
        }
        self.take_events(history);
    }

    fn may_publish(&self) -> bool {
        let most = self.most.min(self.confirmed + IN_FLIGHT);
        self.publishes && self.welcomed && self.sent < most
    }

    fn publish(&mut self, random: &mut Random, history: &mut History) {
        let length = if random.one_in(20) {
            8_000
        } else {
            random.below(300)
        };
        let length = usize::try_from(length).expect("it is small");
        self.sent += 1;
        let text = format!("{} {}", self.sent, "x".repeat(length));
        history.note(Event::Send {
            who: self.name.clone(),
            sequence: self.sent,
            digest: Digest::of(&[self.name.as_bytes(), b": ", text.as_bytes()]),
        });
        let sequence = self
            .connection
            .try_publish(text.as_bytes())
            .expect("the window is wide");
        assert_eq!(sequence.0, self.sent);
    }

    fn take_events(&mut self, history: &mut History) {
        while let Some(told) = self.connection.next_event() {
            match told {
                Told::Welcomed(welcome) => {
                    self.welcomed = true;
                    if !self.publishes {
                        history.note(Event::Open {
                            who: self.name.clone(),
                            resumed: welcome.resumed,
                            begin: welcome.begin.0,
                            log: welcome.log_id.0,
                        });
                    }
                }
                Told::Confirmed(run) => self.confirm(run, history),
                // It goes elsewhere, if there is another one.
                Told::Away
                | Told::NoSpace
                | Told::Unreachable(_)
                | Told::Refused {
                    code: Code::Closing,
                    ..
                } => {}
                told => panic!("{}: {told:?}", self.name),
            }
        }
    }

    fn confirm(&mut self, run: SequenceRun, history: &mut History) {
        for step in 0..u64::from(run.count) {
            self.confirmed = run.sequence.0 + step;
            history.note(Event::Confirm {
                who: self.name.clone(),
                sequence: self.confirmed,
                order: run.order.0 + step,
            });
        }
    }
}

fn begins(name: &str) -> Event {
    Event::Start {
        who: name.to_owned(),
        position: None,
        keeps_sends: true,
    }
}

/// Limits that make up for a lost frame soon.
fn impatient() -> Limits {
    Limits {
        publish_retry: Duration::from_millis(500),
        hello_retry: Duration::from_millis(500),
        ..Limits::default()
    }
}
