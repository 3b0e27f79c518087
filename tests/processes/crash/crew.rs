//! Four publishers and four subscribers, of which one speaks binary and one JSON, in one thread:
//! so the history has everything in the order in which it was said and seen.

use std::time::Duration;

use orden::client::{Clock, Connection, Context, connection};
use orden::core::participant::{Event as Told, Limits, Settings};
use orden::wire::sessions::SequenceRun;
use orden::wire::{Dialect, Name};

use orden_kit::checker::history::{Digest, Event, Form, History, Message};
use orden_kit::clock::now_us;
use orden_kit::dealer::Dealer;
use orden_kit::poll;
use orden_kit::programs::broker::Broker;
use orden_kit::random::Random;

/// What is confirmed before a kill, at most.
pub(crate) const MOST_A_ROUND: u64 = 1_000;
/// What a publisher says while the others come back.
const MEANWHILE: u64 = 50;
/// What a publisher has unconfirmed at a time.
const IN_FLIGHT: u64 = 64;
const ROUND: Duration = Duration::from_millis(2);

/// Everybody, and what they have seen.
pub(crate) struct Crew {
    clock: Clock,
    natives: Vec<Native>,
    fixed: Vec<Fixed>,
    random: Random,
    pub(crate) history: History,
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

/// A member of a fixed dialect, which knows of no session: what it is given again it has to have
/// seen like that before.
struct Fixed {
    name: &'static str,
    dealer: Dealer,
    first: u64,
    seen: Vec<Digest>,
}

impl Crew {
    pub(crate) fn join(endpoint: &str, seed: u64) -> Self {
        let (context, address) = (Context::new(), endpoint.parse().expect("an endpoint"));
        let mut history = History::default();
        let mut native = |name: String, publishes: bool| {
            let mut settings = Settings::new(Name::new(name.as_bytes()).expect("a name"));
            settings.receive = !publishes;
            let connection = Connection::open(&context, &address, settings, impatient());
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
        let fixed = fixed.map(|(name, dialect)| {
            history.note(begins(name));
            Fixed::join(endpoint, name, dialect)
        });
        Self {
            clock: Clock::start(),
            natives,
            fixed: fixed.into(),
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
    }

    /// Says nothing yet, and waits until everybody is a member: whoever comes later begins with
    /// what is said then, and waits for it.
    pub(crate) fn turn_until_joined(&mut self, broker: &Broker) {
        let everybody = self.natives.len() + self.fixed.len();
        let is_joined = |crew: &mut Self| {
            crew.turn();
            (broker.status().members.len() == everybody).then_some(())
        };
        poll(|| is_joined(self), "everybody's join");
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
    pub(crate) fn turn_until_confirmed(&mut self, more: u64) {
        let enough = self.confirmed() + more;
        self.let_publish(MOST_A_ROUND);
        let is_enough = |crew: &mut Self| {
            crew.turn();
            (crew.confirmed() >= enough).then_some(())
        };
        poll(|| is_enough(self), "a confirmation");
    }

    /// Goes on for so many microseconds.
    pub(crate) fn turn_for(&mut self, us: u64) {
        let over = now_us() + us;
        while now_us() < over {
            self.turn();
        }
    }

    /// How many messages are said and not confirmed.
    pub(crate) fn in_flight(&self) -> u64 {
        let sent: u64 = self.natives.iter().map(|native| native.sent).sum();
        sent - self.confirmed()
    }

    /// Publishes until each publisher has had something confirmed that it has said from now on,
    /// and each subscriber was given something that was ordered from `next` on; says when that
    /// was so of the native ones.
    pub(crate) fn turn_until_well(&mut self, next: u64) -> u64 {
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
            natives_well_at.filter(|_| fixed)
        };
        poll(&mut all_well_at, "everybody's recovery")
    }

    /// Says nothing more, and waits until everything is confirmed and seen.
    pub(crate) fn turn_until_done(&mut self, broker: &Broker) {
        self.let_publish(0);
        let is_confirmed = |crew: &mut Self| {
            crew.turn();
            let mut natives = crew.natives.iter();
            natives
                .all(|native| native.confirmed == native.sent)
                .then_some(())
        };
        poll(|| is_confirmed(self), "the last confirmation");
        let next = broker.status().next;
        let is_seen = |crew: &mut Self| {
            crew.turn();
            let mut natives = crew.natives.iter();
            let natives = natives.all(|native| native.publishes || native.next == next);
            let fixed = crew.fixed.iter().all(|fixed| fixed.next() == next);
            (natives && fixed).then_some(())
        };
        poll(|| is_seen(self), "the last delivery");
    }

    /// Notes that everybody is there to the end.
    pub(crate) fn settle(&mut self) {
        let natives = self.natives.iter();
        let natives = natives.map(|native| (native.name.clone(), !native.publishes));
        let fixed = self.fixed.iter().map(|fixed| (fixed.name.to_owned(), true));
        for (who, receives) in natives.chain(fixed) {
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
                Told::Away | Told::Unreachable(_) => {}
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

impl Fixed {
    fn join(endpoint: &str, name: &'static str, dialect: Dialect) -> Self {
        let mut dealer = Dealer::connect(endpoint, name);
        dealer.speak(dialect);
        dealer.ack_nothing();
        Self {
            name,
            dealer,
            first: 0,
            seen: Vec::new(),
        }
    }

    /// The next number that it waits for; 0 before the first.
    fn next(&self) -> u64 {
        self.first + self.seen.len() as u64
    }

    fn turn(&mut self, history: &mut History) {
        let mut news = false;
        while let Some(heard) = self.dealer.hear_now() {
            news = true;
            let message = Message::of_text(heard.order, &heard.payload, Form::Exact);
            if self.seen.is_empty() {
                self.first = message.order;
            }
            let at = message
                .order
                .checked_sub(self.first)
                .expect("it goes on, not back");
            let at = usize::try_from(at).expect("it fits");
            match self.seen.get(at) {
                Some(before) => assert_eq!(*before, message.digest, "{at} has changed"),
                None if at > self.seen.len() => {}
                None => {
                    self.seen.push(message.digest);
                    let who = self.name.to_owned();
                    history.note(Event::Deliver { who, message });
                }
            }
        }
        if news {
            self.dealer.ack(self.next() - 1);
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
